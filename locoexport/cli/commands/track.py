"""``locoexport track``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.cli.terminal import track_options as options
from locoexport.cli.terminal.track_objects import track_clip_folder, track_clip_objects

__all__ = ["track"]


def track(
    context: typer.Context,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A clip, or a folder of clips.")],
    model: Annotated[Path, typer.Option(help="An exported file.")],
    points: options.Points = None,
    query: options.Query = None,
    queries: options.Queries = None,
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
    output: options.Output = None,
    tracks: options.TracksFile = None,
    provider: options.Provider = "cpu",
    start: options.Start = 0.0,
    end: options.End = None,
    stride: options.Stride = 1,
    resize: options.Resize = None,
    memory: options.Memory = None,
    window: options.Window = None,
    compare_windows: options.CompareWindows = False,
    json_target: options.JsonTarget = None,
    force: options.Force = False,
) -> None:
    """Track points through a video with an exported file; needs no PyTorch.

    The overlay draws trails, and occluded points as rings. With --detect or --boxes, objects are
    followed: their boxes are drawn, dashed where the detector lost them and their points know
    where they are. Exit code 1: the detector saw nothing, and no other point was asked for. A clip
    of any length is tracked window by window and never held in memory (but for a .pkl, which holds
    it). An interrupt leaves no output. LOCOEXPORT_CACHE=off optimises the model anew at each start.
    """
    console.check_json_target(json_target, force=force)
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
    outputs = options.OutputRequest(output, tracks, objects)
    how = options.RunRequest(
        provider, start, end, stride, resize, window, memory, compare_windows, force, json_target
    )
    if video.is_dir():
        track_clip_folder(context, video, model, asked, followed, outputs, how)
    elif followed.given or outputs.needs_objects:
        track_clip_objects(context, video, model, asked, followed, outputs.named(video), how)
    else:
        _track_clip_points(context, video, model, asked, outputs.named(video), how)


def _track_clip_points(
    context: typer.Context,
    video: Path,
    model: Path,
    points: options.PointRequest,
    outputs: options.OutputRequest,
    how: options.RunRequest,
) -> None:
    from locoexport.pipeline.tracking.points import track_video
    from locoexport.rendering import track as render

    with console.listening(context) as notify:
        report = track_video(
            video,
            model,
            more_points=points.sources(options.DEFAULT_POINTS),
            overlay=outputs.overlay,
            tracks_file=outputs.tracks,
            provider=how.provider,
            selection=how.selection(),
            window=how.window,
            memory=how.memory,
            compare_windows=how.compare_windows,
            force=how.force,
            notify=notify,
        )
    text = partial(render.track_text, verbose=console.verbosity_of(context).verbose)
    console.report(how.json_target, render.track_document, text, report)
