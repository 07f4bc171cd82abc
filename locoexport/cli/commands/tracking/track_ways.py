"""The three ways of ``locoexport track``: points of a clip, its objects, a folder of clips."""

from __future__ import annotations

from pathlib import Path

from locoexport.cli.commands.tracking.track_request import TrackRequest
from locoexport.cli.commands.tracking.track_source import ended_by_interrupt
from locoexport.errors import UsageError
from locoexport.notices import Listener
from locoexport.pipeline.tracking.folder import (
    ClipFiles,
    FolderReport,
    TrackedClip,
    hash_files,
    track_folder,
)
from locoexport.pipeline.tracking.objects import (
    ObjectOutputs,
    ObjectReport,
    ObjectSources,
    track_video_objects,
)
from locoexport.pipeline.tracking.points import TrackReport, track_video
from locoexport.rendering.tracking.objects import objects_summary
from locoexport.runtime.sources.named import Images, name_of
from locoexport.runtime.sources.opening import NamedSource

__all__ = ["track_clip_folder", "track_clip_objects", "track_clip_points"]


def track_clip_points(request: TrackRequest, notify: Listener) -> TrackReport:
    """Points of one clip, without objects.

    Raises:
        UsageError: an option was given that is for objects alone.
    """
    request.objects.refuse_without_objects()
    outputs = request.clip_outputs()
    with ended_by_interrupt(request.video):
        return track_video(
            request.video,
            request.model,
            more_points=request.point_sources(),
            overlay=outputs.overlay,
            tracks_file=outputs.tracks_file,
            provider=request.provider,
            selection=request.selection,
            window=request.window,
            memory=request.memory,
            compare_windows=request.compare_windows,
            style=request.style,
            force=request.force,
            notify=notify,
        )


def track_clip_objects(request: TrackRequest, notify: Listener) -> ObjectReport:
    """Objects and points of one clip.

    Raises:
        UsageError: windows are to be compared.
    """
    request.refuse_comparison()
    sources, outputs = request.objects.sources(), request.clip_outputs()
    return _track_objects(request, request.video, sources, outputs, request.force, notify)


def track_clip_folder(request: TrackRequest, notify: Listener) -> FolderReport:
    """Every clip of a folder, one after another.

    Raises:
        UsageError: windows are to be compared, or no folder for the outputs is named, or more.
    """
    request.refuse_comparison()
    out = _output_folder(request)
    sources = request.objects.sources()

    def track_clip(clip: Path, files: ClipFiles, model_sha256: str) -> TrackedClip:
        boxes = files.boxes if request.objects.given else None
        outputs = ObjectOutputs(files.overlay, files.tracks, boxes)
        # The record beside them says whether they may be replaced.
        source = Images(clip, request.image_fps) if clip.is_dir() else clip
        found = _track_objects(request, source, sources, outputs, True, notify, model_sha256)
        return TrackedClip(objects_summary(found), found.warnings)

    options = request.described() | {"files_sha256": hash_files(request.files())}
    return track_folder(
        *(Path(name_of(request.video)), out, request.model, options, track_clip),
        preset=request.objects.preset,
        force=request.force,
        notify=notify,
    )


def _output_folder(request: TrackRequest) -> Path:
    outputs = request.outputs
    if outputs.tracks_file is not None or outputs.boxes_file is not None:
        raise UsageError("Of a folder of clips all files are written into the folder -o.")
    if outputs.overlay is None:
        raise UsageError(
            f"{request.video} is a folder of clips; name a folder for the outputs with -o."
        )
    return outputs.overlay


def _track_objects(
    request: TrackRequest,
    clip: NamedSource,
    sources: ObjectSources,
    outputs: ObjectOutputs,
    force: bool,
    notify: Listener,
    model_sha256: str | None = None,
) -> ObjectReport:
    return track_video_objects(
        clip,
        request.model,
        sources=sources,
        points=request.point_sources(),
        outputs=outputs,
        provider=request.provider,
        selection=request.selection,
        window=request.window,
        memory=request.memory,
        model_sha256=model_sha256,
        style=request.style,
        force=force,
        notify=notify,
    )
