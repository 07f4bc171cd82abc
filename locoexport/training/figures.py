"""The figures of a run: written as CSV while it goes, and read as one table over all its starts.

Each start writes ``logs/from-step-N/metrics.csv``; N steps were done before it. A run that was
killed repeats the steps since its last checkpoint, so the rows of an earlier start end where a
later one begins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from locoexport.errors import InputError
from locoexport.training.run_folder import RunFolder
from locoexport.training.validation import WATCHED, Validation

__all__ = [
    "DatasetFigures",
    "RunFigures",
    "StepFigures",
    "ValidationFigures",
    "read_figures",
    "start_log",
    "validation_row",
]

_START = re.compile(r"from-step-(\d+)")
_FILE = "metrics.csv"
_SCORES = ("average_jaccard", "average_pts_within_thresh", "occlusion_accuracy")
_OF_DATASET = re.compile(rf"val/(?P<dataset>.+)/(?P<score>{'|'.join(_SCORES)})")


@dataclass(frozen=True)
class StepFigures:
    """One step: ``step`` counts from 1. ``loss`` is what was minimised, ``initial`` the part of it
    that the state before any refinement has, and ``position``, ``occlusion`` and ``uncertainty``
    are the parts of the final state. ``rounding_px`` is how far rounding moved tracks, 0 without
    it."""

    step: int
    loss: float
    position: float
    occlusion: float
    uncertainty: float
    initial: float
    learning_rate: float
    rounding_px: float = 0.0

    @property
    def row(self) -> dict[str, float]:
        """By column, without the step."""
        return {name: getattr(self, name) for name in _STEP_COLUMNS}


_STEP_COLUMNS = tuple(field.name for field in fields(StepFigures) if field.name != "step")


@dataclass(frozen=True)
class DatasetFigures:
    """TAP-Vid's figures of one dataset, 0 to 1."""

    name: str
    average_jaccard: float
    average_pts_within_thresh: float
    occlusion_accuracy: float


@dataclass(frozen=True)
class ValidationFigures:
    """One validation, after ``step`` steps; ``pts_within`` is δ_avg over all datasets, 0 to 1."""

    step: int
    pts_within: float
    datasets: tuple[DatasetFigures, ...]


@dataclass(frozen=True)
class RunFigures:
    """All figures of a run, by step."""

    steps: tuple[StepFigures, ...]
    validations: tuple[ValidationFigures, ...]


def start_log(folder: RunFolder, step: int) -> Path:
    """The folder that a start after ``step`` steps writes to."""
    return folder.logs / f"from-step-{step}"


def validation_row(found: Validation) -> dict[str, float]:
    """A validation by column, without the step."""
    row = {WATCHED: found.pts_within}
    for name, scores in found.scores:
        row |= {f"val/{name}/{score}": getattr(scores, score) for score in _SCORES}
    return row


def read_figures(folder: RunFolder) -> RunFigures:
    """Everything that the run in ``folder`` has told so far; nothing where it has not begun.

    Raises:
        InputError: a file is no table of ours, or was damaged.
    """
    starts = sorted(
        (int(found[1]), place)
        for place in folder.logs.glob("from-step-*")
        if (found := _START.fullmatch(place.name)) is not None
    )
    ends = [*(first for first, _ in starts[1:]), None][: len(starts)]
    rows = [
        row
        for (first, place), end in zip(starts, ends, strict=True)
        for row in _read_rows(place / _FILE, first, end)
    ]
    return RunFigures(
        tuple(_step(row) for row in rows if row.says("loss")),
        tuple(_validation(row) for row in rows if row.says(WATCHED)),
    )


@dataclass(frozen=True)
class _Row:
    """A line of a file, and where it is."""

    place: str
    values: Mapping[str, str | None]

    def says(self, column: str) -> bool:
        return bool(self.values.get(column))

    def number(self, column: str) -> float:
        text = self.values.get(column)
        try:
            return float(text or "")
        except ValueError:
            raise InputError(
                f"{self.place} is damaged: its {column} is {text!r}; expected a number. Remove the "
                "line, or go on with the run, which writes it again if no checkpoint is newer."
            ) from None

    @property
    def step(self) -> int:
        return int(self.number("step"))


def _read_rows(path: Path, first: int, end: int | None) -> Iterator[_Row]:
    """Rows of the steps after ``first`` up to ``end``, which a later start went on from."""
    if not path.is_file():
        return
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [
                _Row(f"{path}, line {number}", values)
                for number, values in enumerate(csv.DictReader(file), 2)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    for row in rows:
        if row.step > first and (end is None or row.step <= end):
            yield row


def _step(row: _Row) -> StepFigures:
    return StepFigures(row.step, **{name: row.number(name) for name in _STEP_COLUMNS})


def _validation(row: _Row) -> ValidationFigures:
    names = dict.fromkeys(
        found["dataset"]
        for column in row.values
        if row.says(column) and (found := _OF_DATASET.fullmatch(column))
    )
    return ValidationFigures(
        row.step,
        row.number(WATCHED),
        tuple(
            DatasetFigures(name, *(row.number(f"val/{name}/{score}") for score in _SCORES))
            for name in names
        ),
    )
