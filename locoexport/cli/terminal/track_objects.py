"""What ``locoexport track`` does with objects, and with folders of clips."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from locoexport.cli.terminal import console
from locoexport.cli.terminal.track_options import (
    DEFAULT_POINTS,
    ObjectRequest,
    OutputRequest,
    PointRequest,
    RunRequest,
    described,
)
from locoexport.errors import UsageError

if TYPE_CHECKING:
    from locoexport.pipeline.tracking.folder import ClipFiles

__all__ = ["track_clip_folder", "track_clip_objects"]


def track_clip_objects(
    context: typer.Context,
    video: Path,
    model: Path,
    points: PointRequest,
    objects: ObjectRequest,
    outputs: OutputRequest,
    how: RunRequest,
) -> None:
    """Objects and points of one clip."""
    from locoexport.pipeline.tracking.objects import track_video_objects
    from locoexport.rendering.objects import objects_document, objects_text

    how.refuse_comparison()
    with console.listening(context) as notify:
        report = track_video_objects(
            video,
            model,
            sources=objects.sources(),
            points=points.sources(None if objects.given else DEFAULT_POINTS),
            outputs=outputs.files(),
            provider=how.provider,
            selection=how.selection(),
            window=how.window,
            memory=how.memory,
            force=how.force,
            notify=notify,
        )
    console.report(how.json_target, objects_document, objects_text, report)


def track_clip_folder(
    context: typer.Context,
    folder: Path,
    model: Path,
    points: PointRequest,
    objects: ObjectRequest,
    outputs: OutputRequest,
    how: RunRequest,
) -> None:
    """Every clip of a folder; ends with 1 where one was not tracked."""
    from locoexport.pipeline.tracking.folder import hash_files, track_folder
    from locoexport.pipeline.tracking.objects import ObjectOutputs, track_video_objects
    from locoexport.rendering.objects import folder_document, folder_text, objects_summary

    how.refuse_comparison()
    if outputs.tracks is not None or outputs.boxes is not None:
        raise UsageError("Of a folder of clips all files are written into the folder -o.")
    if outputs.overlay is None:
        raise UsageError(f"{folder} is a folder of clips; name a folder for the outputs with -o.")
    sources, selection = objects.sources(), how.selection()
    where = points.sources(None if objects.given else DEFAULT_POINTS)
    with console.listening(context) as notify:

        def track_clip(clip: Path, files: ClipFiles) -> str:
            boxes = files.boxes if objects.given else None
            report = track_video_objects(
                clip,
                model,
                sources=sources,
                points=where,
                outputs=ObjectOutputs(files.overlay, files.tracks, boxes),
                provider=how.provider,
                selection=selection,
                window=how.window,
                memory=how.memory,
                force=True,
                notify=notify,
            )
            return objects_summary(report)

        report = track_folder(
            folder,
            outputs.overlay,
            model,
            {
                **described(points, objects),
                **asdict(selection),
                "window": how.window,
                "memory": how.memory,
                "files_sha256": hash_files((*points.files(), *objects.files())),
            },
            track_clip,
            force=how.force,
            notify=notify,
        )
    console.report(how.json_target, folder_document, folder_text, report, passed=report.passed)
