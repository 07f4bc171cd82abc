"""``locoexport tune --plot``: error against time, with the limit and the winner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from locoexport.rendering.bench_plot import make_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from locoexport.pipeline.tuning.report import Tuned, TuneReport

__all__ = ["draw_tune", "spread_labels"]

_COLOURS = {"wins": "#2a9d4e", "reference": "#222222", "faster": "#1f6f8b"}
_OTHER = "#b0a89c"
_LEAST_PX = 1e-6
"""Where no distance is drawn: the scale is logarithmic."""
_DOT_PT = 9.0
_LABEL_PT = (13.0, 10.0)


def draw_tune(report: TuneReport, path: Path) -> None:
    """Write a PNG: a dot a candidate, numbered, and the names of the numbers beside it."""
    shown = [row for row in report.rows if _is_shown(row)]
    height = max(4.8, 1.6 + 0.21 * len(shown))
    figure = make_figure(12.5, height)
    axes, key = figure.subplots(1, 2, width_ratios=(1.3, 1))
    _draw_dots(axes, report, shown)
    _draw_key(key, report, shown)
    left_out = len(report.rows) - len(shown)
    caption = f"{report.machine}; {report.frames} frames x {report.points} points"
    if any(_error_px(row) == _LEAST_PX for row in shown):
        caption += f"; 0 px is drawn at {_LEAST_PX:g}"
    if left_out:
        caption += f"; not drawn, without figures: {left_out}"
    write_figure(figure, f"locoexport tune: {report.title}", report, caption, path)


def spread_labels(
    places: Sequence[tuple[float, float]], size: tuple[float, float], dot: float
) -> list[tuple[float, float]]:
    """Where to write labels so that none covers another, or a dot.

    Args:
        places: the middle of the dot that each label belongs to, in any unit.
        size: width and height of a label, in that unit.
        dot: width of a dot.

    Returns:
        the middle of each label's left side, in the order of ``places``: beside its dot, or as near
        above or below that as there is room.
    """
    width, height = size
    dots = [(x - dot / 2, y, dot, dot) for x, y in places]
    labels: list[tuple[float, float, float, float]] = []
    most = 4 * len(places) * max(1, math.ceil(dot / height))
    for x, y in places:
        for step in sorted(range(-most, most + 1), key=lambda number: (abs(number), -number)):
            label = (x + 0.6 * dot, y + step * height / 2, width, height)
            if not any(_overlap(label, other) for other in (*dots, *labels)):
                labels.append(label)
                break
    return [(x, y) for x, y, _, _ in labels]


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    """Of two boxes by the middle of their left side, their width and their height."""
    beside = one[0] >= other[0] + 0.999 * other[2] or other[0] >= one[0] + 0.999 * one[2]
    return not beside and abs(one[1] - other[1]) < 0.999 * (one[3] + other[3]) / 2


def _is_shown(row: Tuned) -> bool:
    error = row.trial.error
    return error is not None and math.isfinite(error.p99_px)


def _draw_dots(axes: Axes, report: TuneReport, shown: Sequence[Tuned]) -> None:
    axes.set_yscale("log")
    # By the ratios, run by run: the machine's speed may have changed between two trials.
    float32_ms = 1e3 * report.rows[0].trial.latency.median
    points = [(float32_ms / row.trial.ratio.median, _error_px(row)) for row in shown]
    for (ms, px), row in zip(points, shown, strict=True):
        spread = row.trial.ratio
        reach = [float32_ms / spread.p90, float32_ms / spread.p10]
        axes.plot(reach, [px, px], color="#cccccc", linewidth=1)
        wins = row.verdict == "wins"
        marker, size = ("*", 220) if wins else ("o", 42)
        axes.scatter(
            [ms], [px], s=size, marker=marker, color=_COLOURS.get(row.verdict, _OTHER), zorder=3
        )
    axes.axhline(report.limits.p99_px, color="#c1121f", linewidth=1.2, linestyle="--")
    axes.annotate(
        f"limit {report.limits.p99_px:g} px",
        (1, report.limits.p99_px),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 4),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color="#c1121f",
    )
    axes.set_xlim(left=0)
    axes.margins(y=0.22)
    axes.set_xlabel("time of one call, ms: float32's over the ratio (line: p10 to p90)")
    axes.set_ylabel("99th percentile of the distance from float32, px")
    axes.spines[["top", "right"]].set_visible(False)
    _number(axes, points)


def _number(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Write each dot's number beside it, none over another."""
    figure = axes.get_figure()
    assert figure is not None
    figure.draw_without_rendering()  # type: ignore[union-attr]  # the scales are settled by it
    scale = figure.dpi / 72
    at = [tuple(axes.transData.transform(point)) for point in points]
    corners = spread_labels(at, (_LABEL_PT[0] * scale, _LABEL_PT[1] * scale), _DOT_PT * scale)
    for number, (point, place, corner) in enumerate(zip(points, at, corners, strict=True), 1):
        right, up = ((corner[axis] - place[axis]) / scale for axis in (0, 1))
        axes.annotate(
            str(number),
            point,
            xytext=(right, up),
            textcoords="offset points",
            va="center",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6} if up else None,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )


def _draw_key(axes: Axes, report: TuneReport, shown: Sequence[Tuned]) -> None:
    axes.set_axis_off()
    axes.set_ylim(len(shown) + 0.5, 0)
    for number, row in enumerate(shown, 1):
        ratio = row.trial.ratio.median
        axes.text(
            0,
            number,
            f"{number}  {row.trial.candidate.name}  ({ratio:.2f}×)",
            fontsize=8,
            va="center",
            color=_COLOURS.get(row.verdict, "#6b6459"),
            fontweight="bold" if row.verdict == "wins" else "normal",
        )


def _error_px(row: Tuned) -> float:
    assert row.trial.error is not None
    return max(row.trial.error.p99_px, _LEAST_PX)
