"""What a run logged while it went: losses and scores, read back from its CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass

from locoexport.training.run_folder import RunFolder

__all__ = ["LoggedLoss", "LoggedScores", "TrainingFigures", "read_figures"]

_SCORES = ("average_jaccard", "average_pts_within_thresh", "occlusion_accuracy")


@dataclass(frozen=True)
class LoggedLoss:
    """The loss after ``step`` steps: ``total`` over all states, ``initial`` of the first estimate,
    and the three parts of the last refinement's. NaN where a figure is missing."""

    step: int
    total: float
    initial: float
    position: float
    occlusion: float
    uncertainty: float


@dataclass(frozen=True)
class LoggedScores:
    """Of one dataset after ``step`` steps, 0 to 1."""

    step: int
    dataset: str
    average_jaccard: float
    average_pts_within_thresh: float
    occlusion_accuracy: float


@dataclass(frozen=True)
class TrainingFigures:
    """Both in the order of steps."""

    losses: tuple[LoggedLoss, ...] = ()
    validations: tuple[LoggedScores, ...] = ()


def read_figures(folder: RunFolder) -> TrainingFigures:
    """Every figure that the run in ``folder`` logged; none where it logged nothing yet.

    A step that was taken again after a resume counts as it was the last time. A line that was cut
    short by the end of a process is left out.
    """
    if not folder.figures.is_file():
        return TrainingFigures()
    losses: dict[int, LoggedLoss] = {}
    scores: dict[tuple[int, str], LoggedScores] = {}
    with folder.figures.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not str(row.get("step") or "").isdecimal():
                continue
            # Lightning counts from 0; everyone else counts the steps that are done.
            step = int(row["step"]) + 1
            if row.get("loss"):
                losses[step] = _loss(step, row)
            for name in _datasets(row):
                found = (_figure(row, f"val/{name}/{score}") for score in _SCORES)
                scores[step, name] = LoggedScores(step, name, *found)
    return TrainingFigures(
        tuple(losses[step] for step in sorted(losses)),
        tuple(scores[place] for place in sorted(scores)),
    )


def _loss(step: int, row: Mapping[str, str | None]) -> LoggedLoss:
    names = ("loss", "initial", "position", "occlusion", "uncertainty")
    return LoggedLoss(step, *(_figure(row, name) for name in names))


def _datasets(row: Mapping[str, str | None]) -> list[str]:
    """Those that have a score in this row."""
    begin, end = "val/", f"/{_SCORES[1]}"
    return [
        name[len(begin) : -len(end)]
        for name, value in row.items()
        if value and name and name.startswith(begin) and name.endswith(end) and name.count("/") > 1
    ]


def _figure(row: Mapping[str, str | None], name: str) -> float:
    try:
        return float(row.get(name) or math.nan)
    except ValueError:
        return math.nan
