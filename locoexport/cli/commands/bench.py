"""``locoexport bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.errors import OutputError, UsageError
from locoexport.machine.output_files import check_output

__all__ = ["bench"]


def bench(
    context: typer.Context,
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MODEL.onnx]",
            help="An exported file; without one --backbone is exported into the cache folder.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Export profile to time: b0, b2, b5, ... (default b0).")
    ] = None,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")] = "cpu",
    frames: Annotated[
        str | None, typer.Option(metavar="T,T,...", help="Numbers of frames (default 8,24).")
    ] = None,
    points: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Numbers of points (default 64,256).")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="torch|compile|none|FILE.onnx",
            help="What to take turns with (default: torch eager, where it is installed).",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(help="Timed runs of each side and size, at least 10.")] = 10,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the report (needs matplotlib).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Time a graph on this machine, turn by turn with PyTorch or with another graph.

    Latency is the median of the runs after warm-up, with the 10th and 90th percentile. The ratio is
    taken run by run. Memory and load time come from processes of their own, time by part from a
    profiled session, shares from the matrix product rate measured in the same run.
    """
    console.check_json_target(json, force=force)
    if plot is not None:
        _check_plot(plot, force=force)
    from locoexport.pipeline.bench import bench_model
    from locoexport.rendering.bench import bench_document, bench_text

    with console.listening(context) as notify:
        report = bench_model(
            model,
            backbone=backbone,
            provider=provider,
            frames=_sizes("frames", frames),
            points=_sizes("points", points),
            against=against,
            runs=runs,
            notify=notify,
        )
    console.report(json, bench_document, bench_text, report)
    if plot is not None:
        from locoexport.rendering.bench_plot import draw_bench

        draw_bench(report, plot)


def _check_plot(plot: Path, *, force: bool) -> None:
    """Before any work: the file can be written, and there is something to write it with."""
    from locoexport.machine.installation import require_packages

    if plot.suffix.lower() != ".png":
        raise OutputError(f"{plot}: the plot is written as .png; name it so.")
    check_output(plot, force=force)
    require_packages("matplotlib", extra="plot")


def _sizes(axis: str, text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"--{axis} {text!r}: expected positive numbers, such as 8,24.")
    return list(dict.fromkeys(int(part) for part in parts))
