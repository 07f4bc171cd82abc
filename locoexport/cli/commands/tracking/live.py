"""``locoexport live``."""

from __future__ import annotations

from pathlib import Path

import typer

from locoexport.cli.options.model_arguments import LiveModel
from locoexport.cli.options.shared_options import JsonTarget, Provider, ReplaceFiles
from locoexport.cli.options.tracking import drawing_options, object_options, track_options
from locoexport.cli.options.tracking import live_options as options
from locoexport.cli.terminal import console
from locoexport.errors import UsageError

__all__ = ["live"]


def live(
    context: typer.Context,
    video: options.Clip = None,
    model: LiveModel = None,
    points: options.Points = None,
    query: options.Query = None,
    detect: object_options.Detect = None,
    detector_model: object_options.DetectorModel = None,
    detect_every: options.DetectEvery = 30,
    object_grid: object_options.ObjectGrid = "4x4",
    named_video: options.NamedClip = None,
    camera: options.Camera = None,
    url: options.Url = None,
    realtime: options.Realtime = False,
    seconds: options.Seconds = None,
    max_frames: track_options.MaxFrames = None,
    show: options.Show = False,
    output: options.Output = None,
    jsonl: options.Lines = None,
    json_target: JsonTarget = None,
    force: ReplaceFiles = False,
    trail: drawing_options.Trail = 16,
    point_size: drawing_options.PointSize = None,
    line_width: drawing_options.LineWidth = None,
    hide_occluded: drawing_options.HideOccluded = False,
    scale: drawing_options.Scale = None,
    colour: drawing_options.Colour = "query",
    window: options.Window = None,
    target_fps: options.TargetFps = None,
    provider: Provider = "cpu",
) -> None:
    """Follow points in a camera, stream or clip, frame by frame.

    Each frame is answered as it comes, from it and the past alone. The command ends with the
    source, with q in the window, or with Ctrl-C; what was answered until then is kept (exit code
    0).

    Examples:
        locoexport live --camera 0 --show
        locoexport live clip.mp4 -o followed.mp4
        locoexport live clip.mp4 --points corners:32 --jsonl -
    """
    console.check_outputs(context, files=("output", "jsonl"))
    if jsonl == "-" and json_target == "-":
        raise UsageError("--jsonl and --json cannot both go to stdout; name a file for one.")
    from locoexport.cli.commands.tracking.track_request import select_frames
    from locoexport.cli.commands.tracking.track_source import choose_source, is_clip_folder
    from locoexport.cli.options.option_values import parse_grid
    from locoexport.pipeline.live.objects import LiveDetection
    from locoexport.pipeline.live.points import LivePoints
    from locoexport.pipeline.live.stream import LiveRequest, follow_live
    from locoexport.pipeline.model_choice import find_live_model
    from locoexport.pipeline.tracking.points import check_colours
    from locoexport.rendering.tracking.live import live_document, live_text
    from locoexport.runtime.drawing.style import DrawingStyle
    from locoexport.runtime.sources.opening import open_video

    if video is not None and named_video is not None:
        raise UsageError("Name one source: VIDEO and --video are the same.")
    source = choose_source(video or named_video, camera, url, None)
    if is_clip_folder(source):
        raise UsageError(f"{source} is a folder of clips; name one clip to follow.")
    if detector_model is not None and detect is None:
        raise UsageError("--detector-model is for a detector; name one with --detect.")
    style = DrawingStyle(trail, point_size, line_width, hide_occluded, scale, colour)
    check_colours(style)
    request = LiveRequest(
        source,
        LivePoints(points, tuple(query or ())),
        None
        if detect is None
        else LiveDetection(detect, detector_model, detect_every, parse_grid(object_grid)),
        select_frames(0.0, None, 1, None, seconds=seconds, max_frames=max_frames),
        provider=provider,
        window=window,
        target_fps=target_fps,
        realtime=realtime,
        film=output,
        lines=jsonl,
        show=show,
        style=style,
        force=force,
    )
    # Says what is wrong before a profile is exported.
    request.check()
    if isinstance(source, Path):
        open_video(source)
    with console.listening(context) as notify:
        report = follow_live(request, find_live_model(model, notify), notify=notify)
    # What was asked for is on stdout already.
    text = None if jsonl == "-" else live_text
    console.report(json_target, live_document, text, report, context=context)
