"""``locoexport track``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

from locoexport.cli.options.model_arguments import Model
from locoexport.cli.options.shared_options import (
    Features,
    JsonTarget,
    OwnProvider,
    ReplaceFiles,
    Stride,
)
from locoexport.cli.options.tracking import drawing_options, object_options
from locoexport.cli.options.tracking import track_options as options
from locoexport.cli.terminal import console

if TYPE_CHECKING:
    from locoexport.cli.commands.tracking.track_request import TrackRequest

__all__ = ["track"]


def track(
    context: typer.Context,
    video: options.Video = None,
    model: Model = None,
    points: options.Points = None,
    query: options.Query = None,
    queries: options.Queries = None,
    query_order: options.QueryOrder = "tyx",
    mask: options.Mask = None,
    mask_erosion: options.MaskErosion = 2.0,
    features: Features = None,
    boxes: object_options.Boxes = None,
    detect: object_options.Detect = None,
    detector_model: object_options.DetectorModel = None,
    object_grid: object_options.ObjectGrid = "8x8",
    segment: object_options.Segment = "ellipse",
    segmenter_model: object_options.SegmenterModel = None,
    mask_every: object_options.MaskEvery = None,
    preset: object_options.Preset = None,
    start: options.Start = 0.0,
    end: options.End = None,
    seconds: options.Seconds = None,
    max_frames: options.MaxFrames = None,
    stride: Stride = 1,
    resize: options.Resize = None,
    fps: options.ImageRate = None,
    deinterlace: options.Deinterlace = False,
    on_damage: options.OnDamage = "stop",
    camera: options.Camera = None,
    url: options.Url = None,
    output: options.Output = None,
    tracks: options.TracksFile = None,
    objects: object_options.BoxesFile = None,
    json_target: JsonTarget = None,
    force: ReplaceFiles = False,
    trail: drawing_options.Trail = 16,
    point_size: drawing_options.PointSize = None,
    line_width: drawing_options.LineWidth = None,
    hide_occluded: drawing_options.HideOccluded = False,
    scale: drawing_options.Scale = None,
    colour: drawing_options.Colour = "query",
    provider: OwnProvider = None,
    memory: options.Memory = None,
    window: options.Window = None,
    compare_windows: options.CompareWindows = False,
    gap_box: object_options.GapBox = "moved",
    context_frames: object_options.Context = 10,
    outlier_deviations: object_options.OutlierDeviations = 2.0,
    displacement: object_options.Displacement = "origin",
    least_visible: object_options.LeastVisible = "1/3",
    least_overlap: object_options.LeastOverlap = 0.3,
    least_detections: object_options.LeastDetections = 3,
) -> None:
    """Track points or objects through a video and draw them.

    The overlay shows trails, and hidden points as rings. With --detect or --boxes, objects are
    followed: their boxes are dashed where the detector lost them and their points show where they
    are. Exit code 1: the detector saw nothing, and no other point was named.

    A clip of any length is tracked window by window and never held in memory (a .pkl of tracks is
    the exception). An interrupt leaves no output; for a camera, an address and stdin it is the
    end, and what was tracked is written. LOCOEXPORT_CACHE=off optimises the model at each start.

    Examples:
        locoexport track clip.mp4
        locoexport track clip.mp4 --points grid:16 --tracks tracks.npz -o tracked.mp4
        locoexport track clip.mp4 --detect face --objects boxes.csv
    """
    console.check_outputs(context, files=("output", "tracks", "objects"))
    from locoexport.cli.commands.tracking.track_request import (
        ObjectRequest,
        TrackRequest,
        select_frames,
    )
    from locoexport.cli.commands.tracking.track_source import (
        choose_source,
        is_clip_folder,
        named_outputs,
    )
    from locoexport.pipeline.model_choice import find_model
    from locoexport.pipeline.tracking.objects import ObjectOutputs
    from locoexport.runtime.drawing.style import DrawingStyle
    from locoexport.runtime.queries.points import check_order
    from locoexport.runtime.queries.sources import PointSources

    asked_objects = ObjectRequest(
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
        segmenter_model=segmenter_model,
        gap_box=gap_box,
        mask_every=mask_every,
    )
    if preset is not None:
        asked_objects = asked_objects.with_preset(preset, _typed_options(context))
    source = choose_source(video, camera, url, fps)
    with console.listening(context) as notify:
        chosen = find_model(model, notify)
    request = TrackRequest(
        source,
        chosen,
        points=PointSources(
            *(points, tuple(query or ()), queries, tuple(mask or ()), mask_erosion, features),
            query_order=check_order(query_order),
        ),
        objects=asked_objects,
        outputs=named_outputs(ObjectOutputs(output, tracks, objects), source),
        selection=select_frames(
            *(start, end, stride, resize),
            deinterlace=deinterlace,
            on_damage=on_damage,
            seconds=seconds,
            max_frames=max_frames,
        ),
        provider=provider,
        window=window,
        memory=memory,
        compare_windows=compare_windows,
        force=force,
        style=DrawingStyle(trail, point_size, line_width, hide_occluded, scale, colour),
        image_fps=fps,
    )
    request.check_apart()
    if is_clip_folder(source):
        _report_folder(context, request, json_target)
    elif request.needs_objects:
        _report_objects(context, request, json_target)
    else:
        _report_points(context, request, json_target)


def _typed_options(context: typer.Context) -> frozenset[str]:
    """The options that somebody gave, by their parameters' names."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    # By its name: the enumeration is click's, or typer's own copy of it.
    return frozenset(
        name for name, source in sources.items() if source is not None and source.name != "DEFAULT"
    )


def _report_folder(context: typer.Context, request: TrackRequest, json_target: str | None) -> None:
    from locoexport.cli.commands.tracking.track_ways import track_clip_folder
    from locoexport.rendering.tracking.objects import folder_document, folder_text

    with console.listening(context) as notify:
        report = track_clip_folder(request, notify)
    console.report(
        json_target, folder_document, folder_text, report, context=context, passed=report.passed
    )


def _report_objects(context: typer.Context, request: TrackRequest, json_target: str | None) -> None:
    from locoexport.cli.commands.tracking.track_ways import track_clip_objects
    from locoexport.rendering.tracking.objects import objects_document, objects_text

    with console.listening(context) as notify:
        report = track_clip_objects(request, notify)
    console.report(json_target, objects_document, objects_text, report, context=context)


def _report_points(context: typer.Context, request: TrackRequest, json_target: str | None) -> None:
    from locoexport.cli.commands.tracking.track_ways import track_clip_points
    from locoexport.rendering.tracking.track import track_document, track_text

    with console.listening(context) as notify:
        report = track_clip_points(request, notify)
    text = partial(track_text, verbose=console.verbosity_of(context).verbose)
    console.report(json_target, track_document, text, report, context=context)
