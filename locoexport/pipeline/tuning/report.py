"""What tuning finds: data alone, so that rendering needs no runtime."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from locoexport.benchmarking.report import Spread, paired_ratios, spread
from locoexport.machine.hardware import BUSY_SHARE, Cpu
from locoexport.pipeline.tuning.candidates import Candidate

__all__ = ["Limits", "TrackError", "Trial", "TuneReport", "Tuned", "Verdict"]

Verdict = Literal[
    "wins",
    "reference",
    "faster",
    "not faster",
    "too far",
    "worse AJ",
    "not finite",
    "not judged",
    "failed",
]
"""``reference``: the float32 file on the CPU, where it does not win. ``faster``: within the limits,
and faster than that beyond noise."""


@dataclass(frozen=True)
class Limits:
    """What is allowed: the 99th percentile in pixels of 256×256, and points of AJ lost."""

    p99_px: float
    aj: float | None = None


@dataclass(frozen=True)
class TrackError:
    """How far a file's tracks are from the float32 file's, the worse of generated and real clips.

    Pixels of 256×256, over the points and frames that float32 says are visible; flips over all.
    ``average_jaccard_change`` is of the generated sequences, in points of a hundred. ``finite`` is
    whether every number that the file gave was.
    """

    p50_px: float
    p99_px: float
    max_px: float
    flips: int
    compared: int
    average_jaccard_change: float
    finite: bool = True

    @property
    def flip_share(self) -> float:
        """Flips among all points and frames."""
        return self.flips / self.compared if self.compared else math.nan


@dataclass(frozen=True)
class Trial:
    """A candidate that was tried. ``failure`` says why it could not be built or run; then nothing
    else of it is known. Seconds are of runs in turn with the float32 file."""

    candidate: Candidate
    size_bytes: int | None = None
    seconds: tuple[float, ...] = ()
    reference_seconds: tuple[float, ...] = ()
    others_share: float = 0.0
    error: TrackError | None = None
    failure: str = ""

    @property
    def latency(self) -> Spread:
        """Of one call, in seconds."""
        return spread(self.seconds)

    @property
    def ratio(self) -> Spread:
        """How many times as fast as float32, run by run."""
        return paired_ratios(self.seconds, self.reference_seconds)

    @property
    def rounds(self) -> int:
        """Timed runs of each side."""
        return len(self.seconds)


@dataclass(frozen=True)
class Tuned:
    """A trial, and what it is worth; ``reason`` says why in words, where there is more to say."""

    trial: Trial
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class TuneReport:
    """A whole search. ``rows`` has the float32 file first: timed against itself, its spread is what
    noise makes of a ratio. ``winner`` is a row; it is the first where nothing beats float32.

    ``kept_trials`` were finished by an earlier run in ``work``; ``only_given`` says why nothing
    could be exported, where that was so.
    """

    output: Path
    title: str
    rows: tuple[Tuned, ...]
    winner: int
    limits: Limits
    frames: int
    points: int
    sequences: str
    cpu: Cpu
    machine: str
    work: Path
    kept_trials: int
    seconds: float
    only_given: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def chosen(self) -> Tuned:
        """What was written."""
        return self.rows[self.winner]

    @property
    def beats_float32(self) -> bool:
        """Whether something else than the float32 file was written."""
        return self.winner != 0

    @property
    def others_share(self) -> float:
        """The most that other processes took of the cores during a trial."""
        return max(row.trial.others_share for row in self.rows)

    @property
    def measured_busy(self) -> bool:
        """Whether that is so much that the figures are not to be published."""
        return self.others_share > BUSY_SHARE
