"""A real clip, a detector and an exported file → objects, their points and an overlay. No torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.shipped_model import shipped_model_path
from locoexport.errors import NothingDetectedError, UsageError
from locoexport.machine.writing.output_files import check_apart, check_output
from locoexport.notices import Listener, Notice, ignore, noting
from locoexport.pipeline.tracking.exchanged import is_for_another_program, write_clip_tracks
from locoexport.pipeline.tracking.points import DrawnOverlay
from locoexport.pipeline.tracking.progress import make_counter, tell_of_reading
from locoexport.runtime.drawing.film import check_film_path, write_film
from locoexport.runtime.drawing.objects import NO_OBJECT_COLOUR, draw_objects, object_colour
from locoexport.runtime.drawing.points import Painter
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.objects.association import name_objects
from locoexport.runtime.objects.box_files import check_boxes, read_or_parse_boxes
from locoexport.runtime.objects.boxes import NO_OBJECT, Detections, gather_detections
from locoexport.runtime.objects.detection import Detector, detect_frames, open_detector
from locoexport.runtime.objects.following import track_objects
from locoexport.runtime.objects.object_files import (
    check_boxes_path,
    check_object_tracks_path,
    write_boxes,
    write_object_tracks,
)
from locoexport.runtime.objects.rules import ObjectRules
from locoexport.runtime.objects.segmentation import Segmenter, open_segmenter
from locoexport.runtime.objects.tracked import ObjectTracks
from locoexport.runtime.queries.points import check_queries
from locoexport.runtime.queries.sources import (
    AskedPoints,
    PointSources,
    collect_asked_points,
)
from locoexport.runtime.session.provider_options import USUAL_RUN, RunChoice
from locoexport.runtime.sources.named import is_live, name_of, stem_of
from locoexport.runtime.sources.opening import NamedSource, open_video
from locoexport.runtime.tracking.budget import parse_memory
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.mp4 import SQUARE
from locoexport.runtime.video.selection import Selection

__all__ = ["ObjectOutputs", "ObjectReport", "ObjectSources", "track_video_objects"]


@dataclass(frozen=True)
class ObjectSources:
    """Where objects come from, and by which rules they are followed.

    Attributes:
        detector: a ``Detector``, the name of one (``face``), or None.
        detector_model: a file for a detector given by name.
        boxes: ``x0,y0,x1,y1[@frame]`` or file names; see ``read_boxes``.
        segmenter: a ``Segmenter``, or the name of one.
        segmenter_model: a file for a segmenter given by name.
        rules: the numbers in the rules.
        preset: the name of the preset that the rules began with, for the report.
    """

    detector: Detector | str | None = None
    detector_model: Path | None = None
    boxes: Sequence[str] = ()
    segmenter: Segmenter | str = "ellipse"
    segmenter_model: Path | None = None
    rules: ObjectRules = field(default_factory=ObjectRules)
    preset: str | None = None


@dataclass(frozen=True)
class ObjectOutputs:
    """Files to write; None for those that are not wanted.

    Attributes:
        overlay: .mp4, .gif or .webp.
        tracks_file: .npz, .csv, .json or .pkl (TAP-Vid's layout): points and objects; or points
            alone for another program, as the suffix tells (``exchanged``).
        boxes_file: .csv or .json: a row a frame and object.
    """

    overlay: Path | None = None
    tracks_file: Path | None = None
    boxes_file: Path | None = None

    def check(self, *, force: bool) -> None:
        """Raises OutputError or UsageError where one cannot be written, before any work."""
        if self.overlay is not None:
            check_film_path(check_output(self.overlay, force=force))
        if self.tracks_file is not None and is_for_another_program(self.tracks_file):
            check_output(self.tracks_file, force=force)
        elif self.tracks_file is not None:
            check_output(check_object_tracks_path(self.tracks_file), force=force)
        if self.boxes_file is not None:
            check_output(check_boxes_path(self.boxes_file), force=force)

    def written(self) -> list[tuple[str, Path]]:
        """What each file is, and its path."""
        files = ("overlay", self.overlay), ("tracks", self.tracks_file), ("boxes", self.boxes_file)
        return [(name, path) for name, path in files if path is not None]


@dataclass(frozen=True)
class ObjectReport:
    """What was found, by which rules, and what was written; ``seconds`` is the wall time of it all.

    ``preset`` names the preset that the rules began with; single rules may differ from it.
    ``frames_repeated`` names the frames that stand for lost ones and show the one before.
    ``pixel_aspect`` is the width of a stored pixel to its height. ``choice`` says what the model
    ran on, and why.
    """

    video: Path | str
    model: Path
    found: ObjectTracks
    frame_hw: tuple[int, int]
    outputs: ObjectOutputs
    detecting_seconds: float
    tracking_seconds: float
    seconds: float
    rules: ObjectRules = field(default_factory=ObjectRules)
    preset: str | None = None
    frames_repeated: tuple[int, ...] = ()
    pixel_aspect: Fraction = SQUARE
    drawn: DrawnOverlay | None = None
    choice: RunChoice = USUAL_RUN
    warnings: tuple[str, ...] = ()


def track_video_objects(
    video: NamedSource,
    model: str | Path | None = None,
    *,
    sources: ObjectSources,
    outputs: ObjectOutputs,
    points: PointSources | None = None,
    provider: str | None = None,
    selection: Selection | None = None,
    window: int | None = None,
    memory: str | None = None,
    model_sha256: str | None = None,
    style: DrawingStyle = OVERLAY_STYLE,
    force: bool = False,
    notify: Listener = ignore,
) -> ObjectReport:
    """Find objects in a clip, follow them and further points through it, and write the result.

    The clip is read several times and never held: once to count its frames, once to detect, once
    to track, once for the gaps and once to draw. Only a .pkl, which holds the video, needs all of
    it at once.

    Args:
        video: a clip that PyAV can decode, or a folder or pattern of images; no stream.
        model: a file written by ``locoexport export``; None is the one that the package ships.
        sources: a detector, boxes, or both.
        outputs: which files to write.
        points: further points; they carry no box, and belong to the objects of their masks.
        provider: the execution provider, on which there is no fallback; None is the file's own
            choice (``locoexport tune`` makes one), which falls back to the CPU, else the CPU.
        selection: which part of the clip, every n-th frame, another size.
        window: frames a window; see ``PointTracker``.
        memory: like ``1GiB``; see ``PointTracker``.
        model_sha256: the SHA-256 that the model must have; see ``PointTracker``.
        style: how the overlay is drawn.
        force: replace existing outputs, but never ``video`` or ``model``.
        notify: is told of progress.

    Raises:
        NothingDetectedError: there is no object, and no other point was asked for. Nothing is
            written then.
        UsageError: ``window`` or ``memory`` do not fit the model, or a .pkl does not fit into
            ``memory``.
        OutputError: an output cannot or must not be written.
        VideoError: the clip cannot be read.
        QueryError: a further point is not finite or outside the clip.
        InputError: a file of boxes or masks cannot be read.
        ModelFileError: the file is missing, damaged or not ours.
        ProviderUnavailableError: the provider cannot be used here.
    """
    started = time.perf_counter()
    warnings: list[str] = []
    notify, style = noting(warnings, notify), style.within(memory)
    model = shipped_model_path() if model is None else model
    clip = None if is_live(video) else name_of(video)
    check_apart(outputs.written(), (("the clip", clip), ("the model", model)))
    outputs.check(force=force)
    given = read_or_parse_boxes(sources.boxes)
    detector, segmenter = _open_plugins(sources)
    if is_live(video):
        raise UsageError(
            f"Objects and .pkl files need a clip that is read several times, and {name_of(video)} "
            "can be read only once. Record it first, or track only points."
        )
    notify(Notice(f"reading {name_of(video)}"))
    source = open_video(video, selection)
    height, width = source.frame_hw()
    asked = collect_asked_points(points or PointSources(), height, width, source.first_frame)
    frames = _count_frames(source, notify)
    _check_pickle_fits(outputs.tracks_file, frames * height * width * 3, memory)
    given, asked = _before_the_end(source, given, asked, notify)
    others = asked.query_points_tyx
    if len(others):
        check_queries(others, frames, height, width)
    given = check_boxes(given, frames, height, width)
    drawn = DrawnOverlay.plan(video, outputs.overlay, source, selection, style, notify)
    detecting_started = time.perf_counter()
    named = name_objects(given, _detect(source, detector, notify), sources.rules, frames)
    detecting_seconds = time.perf_counter() - detecting_started
    if detector is not None and not len(named):
        _say_nothing_was_found(name_of(video), sources, notify, fatal=not len(others))
    with PointTracker(
        model, provider, window=window, memory=memory, model_sha256=model_sha256
    ) as tracker:
        choice = tracker.model.choice
        if choice.warning:
            notify(Notice(choice.warning, warning=True))
        tracking_started = time.perf_counter()
        found = track_objects(
            *(tracker, source, named, segmenter, sources.rules),
            keep_apart=set(given.object_ids.tolist()) - {NO_OBJECT},
            other_points_tyx=others,
            other_object_ids=asked.ids,
            progress=make_counter(notify),
        )
        tracking_seconds = time.perf_counter() - tracking_started
    if drawn is not None:
        _draw(source, found, outputs, drawn, style, notify)
    _write(source, found, outputs, stem_of(video))
    if outputs.tracks_file is not None and is_for_another_program(outputs.tracks_file):
        write_clip_tracks(
            *(outputs.tracks_file, _with_meaning(found)),
            frame_hw=(height, width),
            video=video,
            selection=selection,
            notify=notify,
        )
    seconds = time.perf_counter() - started
    return ObjectReport(
        *(name_of(video), Path(model), found, (height, width), outputs),
        *(detecting_seconds, tracking_seconds, seconds),
        *(sources.rules, sources.preset),
        frames_repeated=source.frames_repeated,
        pixel_aspect=source.pixel_aspect(),
        drawn=drawn,
        choice=choice,
        warnings=tuple(warnings),
    )


def _count_frames(source: FrameSource, notify: Listener) -> int:
    tell_of_reading(source, notify, live=False)
    frames = source.read_through()
    source.on_read = None
    make_counter(notify)("reading frames", frames, frames)
    for warning in source.warnings:
        notify(Notice(warning, warning=True))
    return frames


def _before_the_end(
    source: FrameSource, given: Detections, asked: AskedPoints, notify: Listener
) -> tuple[Detections, AskedPoints]:
    """The boxes and points that begin before a damaged clip ends; of the others it is told.

    Of a sound clip all stay: those behind its end are a mistake.
    """
    frames = source.frames_read
    boxes_kept = given.frames < frames
    points_kept = asked.query_points_tyx[:, 0] <= frames - 1
    missed = int((~boxes_kept).sum()), int((~points_kept).sum())
    if not source.ended_early or not any(missed):
        return given, asked
    text = (
        f"The clip ended early, after {frames} frames. {missed[0]} boxes and {missed[1]} points "
        "after its end were left out."
    )
    notify(Notice(text, warning=True))
    return given.select(boxes_kept), asked.select(points_kept)


def _check_pickle_fits(tracks_file: Path | None, video_bytes: int, memory: str | None) -> None:
    """Raises UsageError where a file that holds the video cannot be made within the limit."""
    if memory is None or tracks_file is None or tracks_file.suffix.lower() != ".pkl":
        return
    needed = 2 * video_bytes  # pickle copies an array before it writes it
    if needed > parse_memory(memory):
        raise UsageError(
            f"{tracks_file} will hold the video, and making it takes {needed / 1e6:.0f} MB where "
            f"--memory allows {memory}. Allow more, choose a part of the clip (--start, --end, "
            "--resize), or write .npz."
        )


def _open_plugins(sources: ObjectSources) -> tuple[Detector | None, Segmenter]:
    detector, segmenter = sources.detector, sources.segmenter
    if isinstance(detector, str):
        detector = open_detector(detector, sources.detector_model)
    if isinstance(segmenter, str):
        segmenter = open_segmenter(segmenter, sources.segmenter_model)
    return detector, segmenter


def _detect(source: FrameSource, detector: Detector | None, notify: Listener) -> Detections:
    if detector is None:
        return gather_detections([])
    total = source.frames_read
    return detect_frames(
        detector,
        source.frames(),
        lambda done: notify(Notice("detecting, frames", done=done, total=total)),
    )


def _say_nothing_was_found(
    video: str | Path, sources: ObjectSources, notify: Listener, *, fatal: bool
) -> None:
    rules = sources.rules
    name = (
        sources.detector if isinstance(sources.detector, str) else type(sources.detector).__name__
    )
    text = (
        f"The detector {name!r} found nothing in {video} that it saw in at least "
        f"{rules.least_detections} frames."
    )
    if fatal:
        raise NothingDetectedError(
            f"{text} Nothing was tracked or written. Lower --least-detections, take another "
            "detector, or give --boxes or points."
        )
    notify(Notice(text + " Only the given points are tracked.", warning=True))


def _draw(
    source: FrameSource,
    found: ObjectTracks,
    outputs: ObjectOutputs,
    drawn: DrawnOverlay,
    style: DrawingStyle,
    notify: Listener,
) -> None:
    assert outputs.overlay is not None
    notify(Notice(f"drawing {outputs.overlay}"))
    frames = draw_objects(
        _draw_points(source, found, style, notify),
        found.objects,
        scale=drawn.scale,
        line_width=style.line_width,
    )
    write_film(
        *(outputs.overlay, frames, source.fps, found.tracks.frame_times_s),
        pixel_aspect=source.pixel_aspect(),
        sound=drawn.sound,
        notify=notify,
    )


def _write(source: FrameSource, found: ObjectTracks, outputs: ObjectOutputs, name: str) -> None:
    if outputs.tracks_file is not None and not is_for_another_program(outputs.tracks_file):
        holds_video = outputs.tracks_file.suffix.lower() == ".pkl"
        frames_rgb = np.stack(list(source.frames())) if holds_video else None
        write_object_tracks(outputs.tracks_file, found, frames_rgb, name)
    if outputs.boxes_file is not None:
        write_boxes(outputs.boxes_file, found.objects, found.tracks.frame_times_s)


def _with_meaning(found: ObjectTracks) -> Tracks:
    """The points' tracks, with no place where a point does not stand for its object."""
    if found.spans is None:
        return found.tracks
    frames = np.arange(found.tracks.frames)
    within = (found.spans[:, :1] <= frames) & (frames < found.spans[:, 1:])
    xy = np.where(within[..., None], found.tracks.xy, np.float32(np.nan))
    return replace(found.tracks, xy=xy, visible=found.tracks.visible & within)


def _draw_points(
    source: FrameSource, found: ObjectTracks, style: DrawingStyle, notify: Listener
) -> Iterator[NDArray[np.uint8]]:
    tracks, spans = found.tracks, found.spans
    colours = None
    if style.colour == "object":
        owners = found.object_ids.tolist()
        colours = [NO_OBJECT_COLOUR if i == NO_OBJECT else object_colour(i) for i in owners]
    painter = Painter(source.frame_hw(), tracks.query_points, style=style, colours=colours)
    count = make_counter(notify)
    for index, frame in enumerate(source.frames()):
        count("drawing, frames", index, tracks.frames)
        xy = tracks.xy[:, index]
        if spans is not None:  # no rings where a point says nothing
            within = (spans[:, 0] <= index) & (index < spans[:, 1])
            xy = np.where(within[:, None], xy, np.float32(np.nan))
        yield painter.paint(frame, xy, tracks.visible[:, index], tracks.confidence[:, index])
    count("drawing, frames", tracks.frames, tracks.frames)
