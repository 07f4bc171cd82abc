"""RUN/loss.png of ``locoexport train``: the loss over the steps, and what validations found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from locoexport.machine.writing.output_files import whole_file
from locoexport.notices import counted
from locoexport.rendering.bench_plot import make_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from locoexport.training.figures import RunFigures, StepFigures, ValidationFigures

__all__ = ["draw_training", "smooth"]

_TOTAL, _INITIAL = "#1f6f8b", "#e07a3f"
_PARTS = (("position", "#4f8f6b"), ("occlusion", "#7a5c99"), ("uncertainty", "#c9a227"))
_DATASETS = ("#1f6f8b", "#e07a3f", "#4f8f6b", "#7a5c99", "#c9a227")
_SCORES = (
    ("δ_avg", "average_pts_within_thresh", "-"),
    ("AJ", "average_jaccard", "--"),
    ("OA", "occlusion_accuracy", ":"),
)
_SMOOTHED_SHARE = 0.03
"""Of all logged steps: so wide is the mean that the thick lines show."""


def draw_training(title: str, figures: RunFigures, path: Path) -> None:
    """Write a PNG: above the loss, its first estimate and the parts of the last refinement; below
    the scores of every dataset.

    Args:
        title: names the run.
        figures: of the run; at least one step.
        path: of the PNG.

    Raises:
        OutputError: it cannot be written.
    """
    figure = make_figure(10, 8 if figures.validations else 5)
    if figures.validations:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
        _draw_scores(below, figures.validations)
        below.set_xlabel("steps")
    else:
        above = figure.subplots()
        above.set_xlabel("steps")
    width = _draw_losses(above, figures.steps)
    figure.suptitle(f"locoexport train: {title}", fontsize=13, fontweight="bold")
    caption = "every logged step"
    if width > 1:
        caption = f"thin: single batches; thick: the mean of {width} logged steps"
    figure.supxlabel(caption, fontsize=8, color="#555555")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)


def smooth(values: Sequence[float], width: int) -> list[float]:
    """At each place the mean of the ``width`` values around it, fewer at the ends; values that are
    not finite count nowhere, and where there is no other the mean is NaN."""
    means = []
    for place in range(len(values)):
        begin = max(0, place - (width - 1) // 2)
        near = [value for value in values[begin : place + width // 2 + 1] if math.isfinite(value)]
        means.append(sum(near) / len(near) if near else math.nan)
    return means


def _draw_losses(axes: Axes, logged: Sequence[StepFigures]) -> int:
    """Returns how many logged steps a smoothed value is the mean of."""
    steps = [loss.step for loss in logged]
    width = max(1, round(_SMOOTHED_SHARE * len(logged)))
    lines = [
        ("total: all states", [loss.loss for loss in logged], _TOTAL, 2.2),
        ("first estimate", [loss.initial for loss in logged], _INITIAL, 1.4),
        *(
            (f"last refinement: {name}", [getattr(loss, name) for loss in logged], colour, 1.2)
            for name, colour in _PARTS
        ),
    ]
    dot = "o" if len(logged) == 1 else None
    lowest = math.inf
    for label, values, colour, thickness in lines:
        if width > 1:
            axes.plot(steps, values, color=colour, linewidth=0.5, alpha=0.3)
        smoothed = smooth(values, width)
        axes.plot(steps, smoothed, color=colour, linewidth=thickness, label=label, marker=dot)
        lowest = min([lowest, *(value for value in smoothed if value > 0)])
    # Parts differ by two powers of ten; single batches may be nearly without a fault.
    axes.set_yscale("log")
    if math.isfinite(lowest):
        axes.set_ylim(bottom=lowest / 2)
    axes.set_ylabel("loss")
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(frameon=False, fontsize=9, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return width


def _draw_scores(axes: Axes, validations: Sequence[ValidationFigures]) -> None:
    datasets = dict.fromkeys(each.name for found in validations for each in found.datasets)
    for dataset, colour in zip(datasets, cycle(_DATASETS), strict=False):
        rows = [
            (found.step, each)
            for found in validations
            for each in found.datasets
            if each.name == dataset
        ]
        for label, name, style in _SCORES:
            axes.plot(
                [step for step, _ in rows],
                [100 * getattr(scores, name) for _, scores in rows],
                color=colour,
                linestyle=style,
                marker=".",
                linewidth=1.6 if style == "-" else 1.1,
                label=f"{dataset}: {label}",
            )
    _mark_best(axes, validations)
    axes.set_ylabel(f"scores of {counted(len(datasets), 'dataset')}, %")
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _mark_best(axes: Axes, validations: Sequence[ValidationFigures]) -> None:
    """The step whose mean δ_avg over the datasets is the highest: best.ckpt."""
    finite = {each.step: each.pts_within for each in validations if math.isfinite(each.pts_within)}
    if not finite:
        return
    best = max(finite, key=lambda step: (finite[step], -step))
    late = 2 * best > min(finite) + max(finite)
    axes.axvline(best, color="#2a9d4e", linewidth=1)
    axes.annotate(
        f"best.ckpt: step {best}",
        (best, 0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if late else 4, 4),
        textcoords="offset points",
        ha="right" if late else "left",
        fontsize=9,
        color="#2a9d4e",
    )
