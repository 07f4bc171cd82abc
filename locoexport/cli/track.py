"""``locoexport track``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.console import (
    Verbosity,
    check_json_target,
    listening,
    print_result,
    write_json,
)
from locoexport.errors import UsageError

__all__ = ["track"]


def track(
    context: typer.Context,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A clip.")],
    model: Annotated[Path, typer.Option(help="An exported file.")],
    points: Annotated[
        str | None,
        typer.Option(
            metavar="grid:N",
            help="N×N cell centres on frame 0 (grid:8 where no query is given).",
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(metavar="t,y,x", help="One query point, in pixels; may be repeated."),
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(help="Query points from a .csv, .json or .npy file.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Overlay video to write, .mp4 (VIDEO.tracked.mp4 in this folder where neither "
            "-o nor --tracks is given).",
        ),
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="Tracks file to write (.npz, .csv or .json).")
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

    The overlay draws trails, and occluded points as rings. A clip of any length is tracked window
    by window. An interrupt leaves no output. LOCOEXPORT_CACHE=off optimises the model anew at each
    start.
    """
    check_json_target(json_target, force=force)
    from locoexport import render
    from locoexport.pipeline.track import track_video
    from locoexport.runtime.sources import Selection

    if output is None and tracks is None:
        output = Path(f"{video.stem}.tracked.mp4")
    with listening(context) as notify:
        report = track_video(
            video,
            model,
            points=points,
            queries=query or (),
            query_file=queries,
            overlay=output,
            tracks_file=tracks,
            provider=provider,
            selection=Selection(start, end, stride, _parse_size(resize)),
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
