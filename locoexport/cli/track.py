"""``locoexport track``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.console import listening, print_result

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
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Track points through a video with an exported file; needs no PyTorch.

    The overlay draws trails, and occluded points as rings.
    """
    from locoexport import render
    from locoexport.pipeline.track import track_video

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
            force=force,
            notify=notify,
        )
    print_result(render.track_text(report))
