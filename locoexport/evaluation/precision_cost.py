"""What a smaller precision costs and gains against the same graph in float32. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from locoexport.contract.metadata import CostStamp
from locoexport.contract.profile import Precision
from locoexport.evaluation.scores import Difference

__all__ = ["PrecisionReport"]


@dataclass(frozen=True)
class PrecisionReport:
    """Cost in the task's units and gain, of one precision on one machine.

    ``difference`` is in pixels of 256×256 over the points and frames that float32 says are visible
    (where a hidden point is, is a guess); flips are over all. The changes of AJ and δ_avg are in
    points of a hundred, positive where the smaller file is better; they mean something with trained
    weights alone. ``latency_ratio`` is float32's time over the smaller file's, on ``provider`` of
    this machine: above 1 it is faster. ``limit_px`` is what ``p99_px`` may be, and
    ``limit_origin`` where that comes from.
    """

    precision: Precision
    difference: Difference
    average_jaccard: float
    average_jaccard_change: float
    pts_within_thresh: float
    pts_within_thresh_change: float
    sequences: str
    calibration: str | None
    bytes_before: int
    bytes_after: int
    latency_ratio: float
    latency_ms: float
    provider: str
    limit_px: float
    limit_origin: str

    @property
    def passed(self) -> bool:
        """Whether the 99th percentile is within the profile's limit; NaN is not."""
        return self.difference.p99_px <= self.limit_px

    def stamp(self) -> CostStamp:
        """What the file says of it."""
        return CostStamp(
            self.difference.p50_px,
            self.difference.p99_px,
            self.difference.max_px,
            self.difference.flip_share,
            self.average_jaccard_change,
            self.pts_within_thresh_change,
            self.sequences,
            self.calibration,
            self.limit_px,
        )
