"""What a smaller precision costs and gains against the same graph in float32. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from locoexport.contract.metadata import CostStamp
from locoexport.contract.profile import IntegerForm, Precision
from locoexport.contract.profile_tables import QuantisedPart
from locoexport.evaluation.scores import Difference

__all__ = ["PartTrial", "PrecisionReport"]


@dataclass(frozen=True)
class PartTrial:
    """One part of the model in 8 bits, tried on top of the parts that were kept before it.

    ``gain`` is how many times as fast the file is as without the part; the other figures are of the
    whole file with it, in the units of ``PrecisionReport``. ``refusal`` says in words why it was
    not kept, and is empty where it was.
    """

    part: QuantisedPart
    gain: float
    p99_px: float
    average_jaccard_change: float
    refusal: str

    @property
    def kept(self) -> bool:
        """Whether the file has the part in 8 bits."""
        return not self.refusal


@dataclass(frozen=True)
class PrecisionReport:
    """Cost in the task's units and gain, of one precision on one machine.

    ``difference`` is in pixels of 256×256 over the points and frames that float32 says are visible
    (where a hidden point is, is a guess); flips are over all. The changes of AJ and δ_avg are in
    points of a hundred, positive where the smaller file is better; they mean something with trained
    weights alone. ``latency_ratio`` is float32's time over the smaller file's, on ``provider`` of
    this machine: above 1 it is faster. ``limit_px`` is what ``p99_px`` may be, and
    ``limit_origin`` where that comes from; ``limit_aj`` is how many points of AJ it may lose, None
    where that is not limited. Of int8, ``integer_form`` says which parts are in 8 bits, and
    ``trials`` how they were chosen, where nobody named them.
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
    limit_aj: float | None = None
    integer_form: IntegerForm | None = None
    trials: tuple[PartTrial, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the 99th percentile and AJ are within the profile's limits; NaN is not."""
        return self.keeps_tracks and self.keeps_scores

    @property
    def keeps_tracks(self) -> bool:
        """Whether the 99th percentile is within its limit."""
        return self.difference.p99_px <= self.limit_px

    @property
    def keeps_scores(self) -> bool:
        """Whether AJ is within its limit, where there is one."""
        return self.limit_aj is None or self.average_jaccard_change >= -self.limit_aj

    @property
    def pays(self) -> bool:
        """Whether it is as fast as float32 at least, on the provider that it was measured on.

        Only 8 bits have to: float16 is for other processors than the one that measures here.
        """
        return self.precision != "int8" or self.latency_ratio >= 1

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
