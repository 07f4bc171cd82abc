"""Reasons not to believe a benchmark's figures: said at once, and kept for the report."""

from __future__ import annotations

from locoexport.benchmarking.report import Cell, GemmRate
from locoexport.machine.hardware import running_reduced
from locoexport.notices import Listener, Notice

__all__ = ["Distrust"]

_BUSY = 0.10
"""Share of the machine in other hands from which on figures are not to be trusted."""
_UNSTEADY = 1.3
"""90th over 10th percentile of one side's runs."""
_DRIFT = 0.15
"""Change of the matrix product rate from before the benchmark to after it."""
_APART_PX = 0.1


class Distrust:
    """Collects reasons, each once."""

    def __init__(self, notify: Listener) -> None:
        """``notify`` is told of every reason as a warning."""
        self._notify = notify
        self._reasons: list[str] = []
        if running_reduced():
            self.add(
                "This process runs at reduced priority (nice): whatever else runs goes before it."
            )

    @property
    def reasons(self) -> tuple[str, ...]:
        """All so far, in order."""
        return tuple(self._reasons)

    def add(self, reason: str) -> None:
        """Keep a reason, unless it was given before."""
        if reason not in self._reasons:
            self._reasons.append(reason)
            self._notify(Notice(reason, warning=True))

    def about_load(self, share: float, when: str) -> None:
        """Other processes took ``share`` of the machine."""
        if share > _BUSY:
            self.add(
                f"Other processes took {share:.0%} of this machine {when}: neither times nor "
                "ratios can be trusted (PyTorch suffers more than ONNX Runtime). Stop them and "
                "run it again."
            )

    def about_cell(self, cell: Cell) -> None:
        """What its runs say of the machine, and its sides of one another."""
        self.about_load(cell.others_share, f"during the runs at {cell.label}")
        for side in cell.sides:
            slowest = side.latency.p90 / side.latency.p10
            if slowest > _UNSTEADY:
                self.add(
                    f"{side.name} at {cell.label}: the slowest tenth of the runs took "
                    f"{slowest:.1f} times as long as the fastest; the machine is not steady."
                )
        if cell.agreement is not None and cell.agreement.median_px > _APART_PX:
            self.add(
                f"The tracks of the two sides are {cell.agreement.median_px:.2g} px apart (median, "
                f"at {cell.label}): they do not compute the same."
            )

    def about_rate(self, rate: GemmRate) -> None:
        """The machine's speed before and after."""
        if abs(rate.before - rate.after) > _DRIFT * rate.best:
            self.add(
                f"Matrix products ran at {rate.before / 1e9:.0f} GFLOP/s before the benchmark and "
                f"at {rate.after / 1e9:.0f} after it: the machine's speed changed meanwhile."
            )
