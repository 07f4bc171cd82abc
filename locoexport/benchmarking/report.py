"""What a benchmark reports: data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from locoexport.machine.hardware import BUSY_SHARE, Cpu, Load

if TYPE_CHECKING:
    from locoexport.inspection.parts import Part
    from locoexport.runtime.session.placement import Placement
from locoexport.runtime.session.provider_options import ChosenBy

__all__ = [
    "LEAST_GAIN",
    "Agreement",
    "BenchReport",
    "Cell",
    "FreshRun",
    "GemmRate",
    "PartTimes",
    "Side",
    "Spread",
    "Transfers",
    "paired_ratios",
    "spread",
]


LEAST_GAIN = 1.02
"""How many times as fast a file has to be before it is called faster, by the median of runs in
turn: less is within their noise."""


@dataclass(frozen=True)
class Spread:
    """The middle of many values and how far they reach."""

    median: float
    p10: float
    p90: float


def spread(values: Sequence[float]) -> Spread:
    """Median, 10th and 90th percentile."""
    p10, median, p90 = np.percentile(np.asarray(values, np.float64), (10, 50, 90))
    return Spread(float(median), float(p10), float(p90))


def paired_ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """``theirs / ours`` round by round: what slows a whole round down slows both sides of it,
    though seldom equally: on a busy machine ratios are as wrong as times."""
    return spread([b / a for a, b in zip(ours, theirs, strict=True)])


@dataclass(frozen=True)
class FreshRun:
    """A process of its own that opened the model and ran it twice.

    ``before_bytes`` is what it held with its libraries and inputs loaded and no model, and
    ``peak_bytes`` the most it held at any time after. ``load_seconds`` is opening the model.
    """

    load_seconds: float
    before_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Transfers:
    """Copies to and from a device, in seconds; latency is told without them."""

    upload: Spread
    download: Spread


@dataclass(frozen=True)
class Agreement:
    """How far a side's tracks are from those under test on the same input, in pixels."""

    median_px: float
    worst_px: float


@dataclass(frozen=True)
class Side:
    """One contender at one size. ``seconds`` holds every timed run, in order; ``threads`` are those
    of one operator, where they are known.

    ``ratio`` is its time over that of the model under test, which has none itself; ``agreement``
    is None there too, and at another resolution.
    """

    name: str
    threads: int | None
    seconds: tuple[float, ...]
    point_frames_per_second: float
    transfers: Transfers | None = None
    fresh: FreshRun | None = None
    ratio: Spread | None = None
    agreement: Agreement | None = None

    @property
    def latency(self) -> Spread:
        """Of one call, in seconds."""
        return spread(self.seconds)


@dataclass(frozen=True)
class PartTimes:
    """Where a call's time goes, from ONNX Runtime's profile of a separate session: seconds a run.

    ``outside`` is what a run takes beyond its kernels. Profiling slows a run down, so the parts
    are to be compared with one another, not with the latency.
    """

    by_part: Mapping[Part, float]
    outside: float
    runs: int

    @property
    def total(self) -> float:
        """A whole profiled run."""
        return sum(self.by_part.values()) + self.outside


@dataclass(frozen=True)
class GemmRate:
    """Fp32 matrix products of this machine: FLOP/s before and after the benchmark, and by what."""

    before: float
    after: float
    by: str

    @property
    def best(self) -> float:
        """The rate that shares are told of."""
        return max(self.before, self.after)


@dataclass(frozen=True)
class Cell:
    """One size. ``sides`` has the model under test first.

    ``flops`` are those of the model under test; None where the graph does not tell all of them.
    ``others_share`` is what other processes took of the machine meanwhile.
    """

    frames: int
    points: int
    sides: tuple[Side, ...]
    others_share: float
    flops: int | None = None
    flops_by_part: Mapping[Part, int] = field(default_factory=dict)
    parts: PartTimes | None = None

    @property
    def label(self) -> str:
        """``24 x 64``: frames and points."""
        return f"{self.frames} x {self.points}"

    @property
    def opponents(self) -> tuple[Side, ...]:
        """Every side but the model under test."""
        return self.sides[1:]


@dataclass(frozen=True)
class BenchReport:
    """A whole benchmark. ``placement`` is where the nodes of the file under test ran; ``warnings``
    say why its figures may not be trusted; ``chosen_by`` who chose ``provider``."""

    model: Path
    title: str
    provider: str
    runs: int
    cells: tuple[Cell, ...]
    placement: Placement
    gemm: GemmRate | None
    cpu: Cpu
    load: Load
    versions: Mapping[str, str]
    warnings: tuple[str, ...]
    chosen_by: ChosenBy = "user"

    @property
    def others_share(self) -> float:
        """The most that other processes took of the cores, before the benchmark or during it."""
        return max((self.load.busy_share, *(cell.others_share for cell in self.cells)))

    @property
    def measured_busy(self) -> bool:
        """Whether that is so much that the figures are not to be published."""
        return self.others_share > BUSY_SHARE
