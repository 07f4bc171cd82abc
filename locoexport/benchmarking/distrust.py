"""Reasons not to believe a benchmark's figures: said at once, and kept for the report."""

from __future__ import annotations

import math

from locoexport.benchmarking.report import Cell, GemmRate, Side
from locoexport.machine.hardware import BUSY_SHARE, running_reduced
from locoexport.notices import Listener, Notice

__all__ = ["Distrust"]

_UNSTEADY = 1.3
"""90th over 10th percentile of one side's runs."""
_DRIFT = 0.15
"""Change of the matrix product rate from before the benchmark to after it."""
_APART_PX = 0.1


class Distrust:
    """Collects reasons, one of each kind: the first is told at once, the worst is reported."""

    def __init__(self, notify: Listener) -> None:
        """``notify`` is told of the first reason of every kind as a warning."""
        self._notify = notify
        self._reasons: dict[str, tuple[float, str]] = {}
        if running_reduced():
            self.add(
                "This process runs at reduced priority (nice): whatever else runs goes before it."
            )

    @property
    def reasons(self) -> tuple[str, ...]:
        """All so far, the worst of each kind, in the order in which the kinds came."""
        return tuple(reason for _, reason in self._reasons.values())

    def add(self, reason: str, *, kind: str | None = None, severity: float = 0.0) -> None:
        """Keep a reason; of one kind the most severe. Without a kind it is of its own."""
        known = self._reasons.get(kind or reason)
        if known is None:
            self._notify(Notice(reason, warning=True))
        if known is None or severity > known[0]:
            self._reasons[kind or reason] = severity, reason

    def about_load(self, share: float, when: str) -> None:
        """Other processes took ``share`` of the cores that this one may use."""
        if share > BUSY_SHARE:
            self.add(
                f"Measured on a busy machine: other processes took {share:.0%} of it {when}. "
                "Neither times nor ratios can be trusted (PyTorch suffers more than ONNX Runtime). "
                "Stop them and run it again.",
                kind="load",
                severity=share,
            )

    def about_cell(self, cell: Cell) -> None:
        """What its runs say of the machine, and its sides of one another."""
        self.about_load(cell.others_share, f"during the runs at {cell.label}")
        for side in cell.sides:
            slowest = side.latency.p90 / side.latency.p10
            if slowest > _UNSTEADY:
                self.add(
                    f"{side.name} at {cell.label}: the slowest tenth of the runs took "
                    f"{slowest:.1f} times as long as the fastest; the machine is not steady.",
                    kind="unsteady",
                    severity=slowest,
                )
        for side in cell.opponents:
            self._about_agreement(side, cell.label)

    def about_rate(self, rate: GemmRate) -> None:
        """The machine's speed before and after."""
        if abs(rate.before - rate.after) > _DRIFT * rate.best:
            self.add(
                f"Matrix products ran at {rate.before / 1e9:.0f} GFLOP/s before the benchmark and "
                f"at {rate.after / 1e9:.0f} after it: the machine's speed changed meanwhile."
            )

    def _about_agreement(self, side: Side, label: str) -> None:
        """A side that computes something else, or nothing (NaN is no distance)."""
        if side.agreement is None or side.agreement.median_px <= _APART_PX:
            return
        apart = side.agreement.median_px
        known = math.isfinite(apart)
        found = f"{apart:.2g} px from those under test" if known else "no finite numbers"
        self.add(
            f"The tracks of {side.name} are {found} (median, at {label}): the two do not compute "
            "the same.",
            kind="apart",
            severity=apart if known else math.inf,
        )
