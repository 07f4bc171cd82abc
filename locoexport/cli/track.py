"""``locoexport track``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli import track_options as options
from locoexport.cli.console import (
    Verbosity,
    check_json_target,
    listening,
    print_result,
    write_json,
)
from locoexport.cli.track_objects import track_clip_folder, track_clip_objects
from locoexport.errors import UsageError

__all__ = ["track"]


def track(
    context: typer.Context,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A clip, or a folder of clips.")],
    model: Annotated[Path, typer.Option(help="An exported file.")],
    points: Annotated[
        str | None,
        typer.Option(
            metavar="grid:N|grid:NxM",
            help="Centres of N×N, or N rows of M, cells on frame 0 (grid:8 where no point and no "
            "object is asked for).",
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(metavar="t,y,x", help="One query point, in pixels; may be repeated."),
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(help="Query points from a .csv, .json or .npy file.")
    ] = None,
    mask: options.Mask = None,
    mask_erosion: options.MaskErosion = 2.0,
    features: options.Features = None,
    boxes: options.Boxes = None,
    detect: options.Detect = None,
    detector_model: options.DetectorModel = None,
    segment: options.Segment = "ellipse",
    object_grid: options.ObjectGrid = "8x8",
    context_frames: options.Context = 10,
    outlier_deviations: options.OutlierDeviations = 2.0,
    displacement: options.Displacement = "origin",
    least_visible: options.LeastVisible = "1/3",
    least_overlap: options.LeastOverlap = 0.3,
    least_detections: options.LeastDetections = 3,
    objects: options.BoxesFile = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Overlay video to write, .mp4 (VIDEO.tracked.mp4 in this folder where no output "
            "is named); for a folder of clips, the folder of outputs.",
        ),
    ] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(help="Tracks file to write (.npz, .csv, .json, or .pkl in TAP-Vid's layout)."),
    ] = None,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")] = "cpu",
    start: Annotated[
        float, typer.Option(metavar="SECONDS", help="Begin there; frame 0 is the first from it on.")
    ] = 0.0,
    end: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop before that time of the clip.")
    ] = None,
    stride: Annotated[int, typer.Option(metavar="N", help="Keep every N-th frame.")] = 1,
    resize: Annotated[
        str | None,
        typer.Option(
            metavar="HxW",
            help="Scale frames first; query points, tracks and overlay are in that size.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Stay below that much memory besides the model, like 1GiB, at any length.",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="FRAMES",
            help="Frames that go through the model at once (48, or what --memory allows).",
        ),
    ] = None,
    compare_windows: Annotated[
        bool,
        typer.Option(
            "--compare-windows",
            help="Track the clip in one window as well, and report what windows changed.",
        ),
    ] = False,
    json_target: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Track points through a video with an exported file; needs no PyTorch.

    The overlay draws trails, and occluded points as rings. With --detect or --boxes, objects are
    followed: their boxes are drawn, dashed where the detector lost them and their points know
    where they are. Exit code 1: the detector saw nothing, and no other point was asked for. A clip
    of any length is tracked window by window, but with objects it is held in memory. An interrupt
    leaves no output. LOCOEXPORT_CACHE=off optimises the model anew at each start.
    """
    check_json_target(json_target, force=force)
    from locoexport.runtime.sources import Selection

    selection = Selection(start, end, stride, _parse_size(resize))
    asked = options.PointRequest(
        points, tuple(query or ()), queries, tuple(mask or ()), mask_erosion, features
    )
    followed = options.ObjectRequest(
        boxes=tuple(boxes or ()),
        detect=detect,
        detector_model=detector_model,
        segment=segment,
        grid=object_grid,
        context=context_frames,
        outlier_deviations=outlier_deviations,
        displacement=displacement,
        least_visible=least_visible,
        least_overlap=least_overlap,
        least_detections=least_detections,
    )
    if video.is_dir():
        if tracks is not None or objects is not None:
            raise UsageError("Of a folder of clips all files are written into the folder -o.")
        track_clip_folder(
            context,
            video,
            model,
            asked,
            followed,
            out=output,
            provider=provider,
            selection=selection,
            force=force,
            json_target=json_target,
        )
        return
    if output is None and tracks is None and objects is None:
        output = Path(f"{video.stem}.tracked.mp4")
    with_frames = tracks is not None and tracks.suffix.lower() == ".pkl"
    if followed.given or with_frames or objects is not None:
        track_clip_objects(
            context,
            video,
            model,
            asked,
            followed,
            overlay=output,
            tracks=tracks,
            boxes=objects,
            provider=provider,
            selection=selection,
            force=force,
            json_target=json_target,
        )
        return
    from locoexport import render
    from locoexport.pipeline.track import track_video

    with listening(context) as notify:
        report = track_video(
            video,
            model,
            more_points=asked.sources("grid:8"),
            overlay=output,
            tracks_file=tracks,
            provider=provider,
            selection=selection,
            window=window,
            memory=memory,
            compare_windows=compare_windows,
            force=force,
            notify=notify,
        )
    if json_target is not None:
        write_json(json_target, render.track_document(report))
    if json_target != "-":
        verbose = isinstance(context.obj, Verbosity) and context.obj.verbose
        print_result(render.track_text(report, verbose=verbose))


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise UsageError(f"A size is HxW in pixels, like 480x640, not {text!r}.")
    return int(match[1]), int(match[2])
