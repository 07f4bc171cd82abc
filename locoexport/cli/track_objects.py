"""What ``locoexport track`` does with objects, and with folders of clips."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from locoexport.cli.console import listening, print_result, write_json
from locoexport.cli.track_options import ObjectRequest, PointRequest, described
from locoexport.errors import UsageError

if TYPE_CHECKING:
    from locoexport.pipeline.clip_folder import ClipFiles
    from locoexport.runtime.sources import Selection

__all__ = ["track_clip_folder", "track_clip_objects"]

_DEFAULT_POINTS = "grid:8"


def track_clip_objects(
    context: typer.Context,
    video: Path,
    model: Path,
    points: PointRequest,
    objects: ObjectRequest,
    *,
    overlay: Path | None,
    tracks: Path | None,
    boxes: Path | None,
    provider: str,
    selection: Selection,
    force: bool,
    json_target: str | None,
) -> None:
    """Objects and points of one clip."""
    from locoexport.pipeline.objects import ObjectOutputs, track_video_objects
    from locoexport.rendering.objects import objects_document, objects_text

    with listening(context) as notify:
        report = track_video_objects(
            video,
            model,
            sources=objects.sources(),
            points=points.sources(None if objects.given else _DEFAULT_POINTS),
            outputs=ObjectOutputs(overlay, tracks, boxes),
            provider=provider,
            selection=selection,
            force=force,
            notify=notify,
        )
    if json_target is not None:
        write_json(json_target, objects_document(report))
    if json_target != "-":
        print_result(objects_text(report))


def track_clip_folder(
    context: typer.Context,
    folder: Path,
    model: Path,
    points: PointRequest,
    objects: ObjectRequest,
    *,
    out: Path | None,
    provider: str,
    selection: Selection,
    force: bool,
    json_target: str | None,
) -> None:
    """Every clip of a folder; ends with 1 where one was not tracked."""
    from locoexport.pipeline.clip_folder import track_folder
    from locoexport.pipeline.objects import ObjectOutputs, track_video_objects
    from locoexport.rendering.objects import folder_document, folder_text, objects_summary

    if out is None:
        raise UsageError(f"{folder} is a folder of clips; name a folder for the outputs with -o.")
    sources = objects.sources()
    where = points.sources(None if objects.given else _DEFAULT_POINTS)
    with listening(context) as notify:

        def track_clip(clip: Path, files: ClipFiles) -> str:
            boxes = files.boxes if objects.given else None
            report = track_video_objects(
                clip,
                model,
                sources=sources,
                points=where,
                outputs=ObjectOutputs(files.overlay, files.tracks, boxes),
                provider=provider,
                selection=selection,
                force=True,
                notify=notify,
            )
            return objects_summary(report)

        report = track_folder(
            folder,
            out,
            model,
            described(points, objects) | asdict(selection),
            track_clip,
            force=force,
            notify=notify,
        )
    if json_target is not None:
        write_json(json_target, folder_document(report))
    if json_target != "-":
        print_result(folder_text(report))
    if not report.passed:
        raise typer.Exit(1)
