"""``locoexport track-many``."""

from __future__ import annotations

from dataclasses import replace

import typer

from locoexport.cli.options.model_arguments import Model
from locoexport.cli.options.shared_options import Features, JsonTarget, OwnProvider, Stride
from locoexport.cli.options.tracking import drawing_options
from locoexport.cli.options.tracking import track_many_options as options
from locoexport.cli.options.tracking.track_options import (
    Deinterlace,
    End,
    ImageRate,
    OnDamage,
    QueryOrder,
)
from locoexport.cli.terminal import console

__all__ = ["track_many"]


def track_many(
    context: typer.Context,
    inputs: options.Inputs,
    out: options.DatasetFolder,
    model: Model = None,
    points: options.Points = None,
    query: options.Query = None,
    queries: options.Queries = None,
    query_order: QueryOrder = "tyx",
    features: Features = None,
    start: options.Start = 0.0,
    end: End = None,
    stride: Stride = 1,
    resize: options.Resize = None,
    fps: ImageRate = None,
    deinterlace: Deinterlace = False,
    on_damage: OnDamage = "stop",
    tracks: options.TracksKind = None,
    overlays: options.Overlays = False,
    retry_failed: options.RetryFailed = False,
    json_target: JsonTarget = None,
    force: options.Replace = False,
    trail: drawing_options.Trail = 16,
    point_size: drawing_options.PointSize = None,
    line_width: drawing_options.LineWidth = None,
    hide_occluded: drawing_options.HideOccluded = False,
    scale: drawing_options.Scale = None,
    colour: drawing_options.Colour = "query",
    engine: options.Engine = "local",
    address: options.Address = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    provider: OwnProvider = None,
    memory: options.Memory = None,
    window: options.Window = None,
) -> None:
    """Track points through many clips, in parallel or on Ray.

    Run the same command again and it goes on where it stopped: each clip is done once for its
    content, the model and the options. A clip that cannot be tracked does not stop the others; it
    is listed with the reason, and skipped until it changes or --retry-failed is given. Exit code
    1: not every clip was tracked. Needs `locoexport[many]` (pyarrow) or `locoexport[ray]`.

    Examples:
        locoexport track-many clips -o dataset
        locoexport track-many 'clips/**/*.mp4' -o dataset --points grid:16 --overlays
    """
    console.check_outputs(context, files=("out",))
    from locoexport.batch.inputs import JobDefaults
    from locoexport.cli.commands.tracking.track_request import select_frames, with_default_points
    from locoexport.pipeline.model_choice import find_model
    from locoexport.pipeline.tracking.many import track_many as track_clips
    from locoexport.rendering.tracking.track_many import many_document, many_text
    from locoexport.runtime.drawing.style import DrawingStyle
    from locoexport.runtime.queries.points import check_order
    from locoexport.runtime.queries.sources import PointSources
    from locoexport.runtime.video.selection import check_fps

    asked = PointSources(points, tuple(query or ()), queries, features=features)
    asked = replace(with_default_points(asked), query_order=check_order(query_order))
    rate = None if fps is None else check_fps(fps)
    selection = select_frames(
        *(start, end, stride, resize), deinterlace=deinterlace, on_damage=on_damage
    )
    with console.listening(context) as notify:
        report = track_clips(
            inputs,
            find_model(model, notify),
            out,
            defaults=JobDefaults(asked, selection, rate),
            engine=engine,
            address=address,
            workers=workers,
            threads=threads,
            provider=provider,
            window=window,
            memory=memory,
            tracks_suffix=None if tracks is None else f".{tracks}",
            overlays=overlays,
            style=DrawingStyle(trail, point_size, line_width, hide_occluded, scale, colour),
            retry_failed=retry_failed,
            notify=notify,
        )
    console.report(
        json_target, many_document, many_text, report, context=context, passed=report.passed
    )
