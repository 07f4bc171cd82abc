"""``locoexport bench --plot``: latency of every side, and where the time goes."""

from __future__ import annotations

from itertools import chain, cycle
from pathlib import Path
from typing import TYPE_CHECKING

from locoexport.machine.writing.output_files import whole_file
from locoexport.notices import counted
from locoexport.rendering.bench import largest, seconds_by_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from locoexport.benchmarking.report import BenchReport, Cell, PartTimes
    from locoexport.pipeline.tuning.report import TuneReport

__all__ = ["draw_bench", "make_figure", "write_figure"]

_SIDES = ("#1f6f8b", "#e07a3f", "#9aa5b1", "#7a5c99", "#c9a227")
"""Ours and its opponents; more than these begin again with the second."""
_PARTS = "#4f8f6b"
_FEW = 0.01
"""Parts below this share are drawn together."""


def draw_bench(report: BenchReport, path: Path) -> None:
    """Write a PNG: a bar a side and size with its 10th to 90th percentile, and a bar a part."""
    cell = largest(report)
    panels = 1 if cell.parts is None else 2
    bars = max(len(report.cells) * len(report.cells[0].sides), 6)
    figure = make_figure(6.6 * panels, 2.6 + 0.36 * bars)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _draw_latency(axes[0], report)
    if cell.parts is not None:
        _draw_parts(axes[1], cell, cell.parts)
    write_figure(figure, f"locoexport bench: {report.title}", report, _caption(report), path)


def make_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    # Imported here: matplotlib takes a second to import and is an extra. Figure, not pyplot:
    # nothing is shown, so no window system is asked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(
    figure: Figure, title: str, report: BenchReport | TuneReport, caption: str, path: Path
) -> None:
    """Write a PNG; the title says where the figures of ``report`` are not to be trusted.

    Raises:
        OutputError: it cannot be written.
    """
    if report.measured_busy:
        title += f"\nmeasured on a busy machine (others took up to {report.others_share:.0%})"
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.supxlabel(caption, fontsize=8, color="#555555")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _draw_latency(axes: Axes, report: BenchReport) -> None:
    sides = len(report.cells[0].sides)
    height = 0.8 / sides
    for index, colour in zip(range(sides), chain(_SIDES, cycle(_SIDES[1:])), strict=False):
        spreads = [cell.sides[index].latency for cell in report.cells]
        medians = [spread.median * 1e3 for spread in spreads]
        below = [(spread.median - spread.p10) * 1e3 for spread in spreads]
        above = [(spread.p90 - spread.median) * 1e3 for spread in spreads]
        places = [row + (index - (sides - 1) / 2) * height for row in range(len(spreads))]
        axes.barh(
            places,
            medians,
            height * 0.92,
            xerr=(below, above),
            color=colour,
            error_kw={"elinewidth": 1, "capsize": 2.5, "ecolor": "#222222"},
            label=report.cells[0].sides[index].name,
        )
        for place, spread, cell in zip(places, spreads, report.cells, strict=True):
            axes.annotate(
                _bar_label(cell, index),
                (spread.p90 * 1e3, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(report.cells)), [cell.label for cell in report.cells])
    axes.invert_yaxis()
    axes.set_ylabel("frames x points")
    axes.set_xlabel("latency of one call, ms (bar: median, whisker: p10 to p90)")
    title = f"Latency, {counted(report.runs, 'run')} a side in turn"
    if sides > 1:
        title += " (×: ratio run by run)"
    axes.set_title(title, fontsize=11)
    axes.margins(x=0.28)
    axes.set_xlim(left=0)
    axes.legend(loc="upper right", frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _bar_label(cell: Cell, index: int) -> str:
    side = cell.sides[index]
    text = f"{side.latency.median * 1e3:,.0f}"
    if side.ratio is not None:
        text += f"  ({side.ratio.median:.2f}×)"
    return text


def _draw_parts(axes: Axes, cell: Cell, parts: PartTimes) -> None:
    steps = seconds_by_step(parts)
    shown = {name: value for name, value in steps.items() if value >= _FEW * parts.total}
    rest = sum(steps.values()) - sum(shown.values())
    if rest > 0:
        shown["all the rest"] = rest
    names, values = list(shown), [value * 1e3 for value in shown.values()]
    bars = axes.barh(range(len(names)), values, 0.72, color=_PARTS)
    labels = [f"{value:,.0f} ms, {value / parts.total / 1e3:.0%}" for value in values]
    axes.bar_label(bars, labels, padding=4, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.28)
    axes.set_xlabel("ms of one profiled call (refinements put together)")
    axes.set_title(f"ONNX Runtime by part of the model, {cell.label}", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _caption(report: BenchReport) -> str:
    cpu, gemm = report.cpu, report.gemm
    text = f"{cpu.model}, {cpu.usable_cores} cores, provider {report.provider}"
    if gemm is not None:
        text += f"; fp32 products {gemm.best / 1e9:.0f} GFLOP/s"
    versions = ", ".join(f"{name} {found}" for name, found in report.versions.items())
    text += f"\n{versions}"
    if report.warnings:
        text += f"\nNOT TO BE TRUSTED ({len(report.warnings)} warnings): {report.warnings[0]}"
    return text
