"""Arrays and a tolerance → a parity report, in pixels and visibility flips. numpy only.

Two kinds of points cannot be held to a tolerance, since the oracle itself cannot be trusted to it
there. Both are excluded, never silently.

Ties: a heatmap's argmax is discontinuous. Where its two largest cells differ by less than float
noise, another order of summation picks the other one and the track jumps.

Unstable points: outside the frame, local correlation is nearly constant, GroupNorm divides by a
standard deviation near zero, and each refinement multiplies rounding by about ten. How far the
oracle itself moves when its input moves by 1e-6 is measured for each point that is beyond
tolerance; it may differ by a few times that, and is an error beyond.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import Tolerance
from locoexport.contract.visibility import visible_from_logits

__all__ = [
    "LARGEST_SHARE_APART",
    "NOISE_FACTOR",
    "PEAK_NOISE",
    "CaseParity",
    "Conditioning",
    "OutputParity",
    "ParityReport",
    "TrackArrays",
    "compare_case",
    "summarise",
]

Floats = NDArray[np.float32]

PEAK_NOISE = 1e-4
"""Heatmaps whose two largest softmax weights differ by a smaller ratio are ties.

Origin: ONNX Runtime and torch differ by up to 2e-6 in a heatmap (all variants, textured clips);
times the temperature 20 that is 4e-5 in the log of the ratio.
"""


NOISE_FACTOR = 4.0
"""An unstable point may differ by this many times the oracle's own movement.

Origin: with trained weights and queries 40 px outside the frame, graph against oracle differs by up
to 2 times the largest of four such movements (b0-tiny, textured and noise clips); doubled.
"""


LARGEST_SHARE_APART = 1 / 3
"""A comparison in which more of the points are excluded proves nothing, and fails.

Origin: trained b0-tiny, the worst profile, has 10 % apart at 256x256.
"""


@dataclass(frozen=True)
class Conditioning:
    """How far the oracle itself can be trusted, point by point.

    ``peak_gap`` (B, N, T): log ratio of the two largest softmax weights of each heatmap.
    ``noise_px`` and ``noise_logits`` (B, N): how far the oracle's outputs move under input noise
    of 1e-6; zero where it was not measured.
    """

    peak_gap: Floats
    noise_px: Floats
    noise_logits: Floats

    @classmethod
    def unmeasured(cls, peak_gap: Floats) -> Conditioning:
        """Peak gaps alone."""
        zero = np.zeros(peak_gap.shape[:2], np.float32)
        return cls(peak_gap, zero, zero)


class TrackOutputs(Protocol):
    """The three outputs of a tracker; pixels as (x, y), and logits."""

    @property
    def tracks_xy(self) -> Floats:
        """(B, N, T, 2)."""

    @property
    def occlusion(self) -> Floats:
        """(B, N, T)."""

    @property
    def expected_dist(self) -> Floats:
        """(B, N, T)."""


@dataclass(frozen=True)
class TrackArrays:
    """Outputs of a tracker as numpy arrays: (B, N, T, 2) px, (B, N, T) and (B, N, T) logits."""

    tracks_xy: Floats
    occlusion: Floats
    expected_dist: Floats


@dataclass(frozen=True)
class OutputParity:
    """How far one output is off: the median, the 99th percentile, the largest, and where.

    ``worst_index`` is (batch, point, frame). Ties and unstable points are left out. A NaN counts
    as infinite.
    """

    output: str
    unit: str
    worst: float
    p99: float
    worst_index: tuple[int, int, int]
    expected: float
    found: float
    beyond_tolerance: int
    tolerance: float
    p50: float = math.nan

    @property
    def passed(self) -> bool:
        """True where nothing outside of ties is beyond the tolerance."""
        return self.beyond_tolerance == 0


@dataclass(frozen=True)
class CaseParity:
    """One pair of inputs: how each output compares, visibility flips, and what is excluded.

    ``tied_points`` and ``unstable_points`` are beyond tolerance for a reason that lies in the
    oracle; ``worst_apart_px`` is the largest track error among them. ``suspect_points`` are those
    beyond tolerance that are no ties: whoever compares may measure the oracle's noise there.
    ``pixels`` (K,) are the track errors of all points and frames that are not excluded.
    """

    name: str
    batch: int
    frames: int
    points: int
    outputs: tuple[OutputParity, ...]
    visibility_flips: int
    tied_points: int
    unstable_points: int
    worst_apart_px: float
    suspect_points: tuple[int, ...]
    pixels: Floats = field(
        default_factory=lambda: np.zeros(0, np.float32), compare=False, repr=False
    )

    @property
    def passed(self) -> bool:
        """True where every output is within tolerance."""
        return all(output.passed for output in self.outputs)

    @property
    def apart_points(self) -> int:
        """Ties and unstable points."""
        return self.tied_points + self.unstable_points


@dataclass(frozen=True)
class ParityReport:
    """All cases of one comparison. ``placement`` is (provider, nodes), from the profile."""

    cases: tuple[CaseParity, ...]
    tolerance: Tolerance
    provider: str
    placement: tuple[tuple[str, int], ...]

    @property
    def passed(self) -> bool:
        """True where every case passed and enough points were held to the tolerance."""
        return self.conclusive and all(case.passed for case in self.cases)

    @property
    def conclusive(self) -> bool:
        """False where too many points were excluded for the rest to prove anything."""
        return self.apart_points <= LARGEST_SHARE_APART * self.points and self.points > 0

    @property
    def points(self) -> int:
        """The points of all cases, of each as often as it was tracked."""
        return sum(case.batch * case.points for case in self.cases)

    @property
    def apart_points(self) -> int:
        """Ties and unstable points of all cases."""
        return sum(case.apart_points for case in self.cases)

    @property
    def p50_px(self) -> float:
        """The median track error of all points and frames that are not excluded."""
        return _quantile(self._pixels(), 50)

    @property
    def p99_px(self) -> float:
        """What 99 % of these track errors are at most."""
        return _quantile(self._pixels(), 99)

    @property
    def visibility_flips(self) -> int:
        """Points and frames that are visible in one and hidden in the other, of all cases."""
        return sum(case.visibility_flips for case in self.cases)

    @property
    def compared(self) -> int:
        """Points and frames whose visibility was compared."""
        return sum(case.batch * case.points * case.frames for case in self.cases)

    @property
    def worst_apart_px(self) -> float:
        """The largest track error among the excluded points."""
        return max((case.worst_apart_px for case in self.cases), default=0.0)

    @property
    def worst_px(self) -> float:
        """The largest track error of all cases, in pixels."""
        return _worst(self.cases, "px")

    @property
    def worst_logit(self) -> float:
        """The largest logit error of all cases."""
        return _worst(self.cases, "logit")

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The distinct (batch, frames, points) that were tried, in order."""
        return tuple(dict.fromkeys((c.batch, c.frames, c.points) for c in self.cases))

    def _pixels(self) -> Floats:
        return np.concatenate([np.zeros(0, np.float32), *(case.pixels for case in self.cases)])


def compare_case(
    name: str,
    reference: TrackOutputs,
    candidate: TrackOutputs,
    conditioning: Conditioning,
    tolerance: Tolerance,
) -> CaseParity:
    """Compare a candidate's outputs with the oracle's on the same inputs.

    Args:
        name: what to call the case in the report.
        reference: the oracle's outputs.
        candidate: the outputs under test; a shape that differs is an infinite error.
        conditioning: how far the oracle can be trusted at each point.
        tolerance: what may differ, in pixels and logits.
    """
    batch, points, frames = reference.occlusion.shape
    distance = _differences(reference.tracks_xy, candidate.tracks_xy).max(-1)
    occlusion = _differences(reference.occlusion, candidate.occlusion)
    expected = _differences(reference.expected_dist, candidate.expected_dist)
    beyond = (distance > tolerance.tracks_px).any(-1)  # (B, N)
    beyond |= (np.maximum(occlusion, expected) > tolerance.logits).any(-1)
    # What is not a number is an error wherever it stands, never a tie's doing.
    finite = np.isfinite(distance + occlusion + expected).all(-1)
    tied = beyond & finite & (conditioning.peak_gap < PEAK_NOISE).any(-1)
    within_noise = distance.max(-1) <= np.maximum(
        NOISE_FACTOR * conditioning.noise_px, tolerance.tracks_px
    )
    within_noise &= np.maximum(occlusion, expected).max(-1) <= np.maximum(
        NOISE_FACTOR * conditioning.noise_logits, tolerance.logits
    )
    unstable = beyond & finite & ~tied & within_noise
    apart = tied | unstable
    limits = (
        ("tracks", "px", distance, tolerance.tracks_px),
        ("occlusion", "logit", occlusion, tolerance.logits),
        ("expected_dist", "logit", expected, tolerance.logits),
    )
    return CaseParity(
        name=name,
        batch=batch,
        frames=frames,
        points=points,
        outputs=tuple(
            _summary(output, unit, error, apart, limit, reference, candidate)
            for output, unit, error, limit in limits
        ),
        visibility_flips=_count_flips(reference, candidate),
        tied_points=int(tied.sum()),
        unstable_points=int(unstable.sum()),
        worst_apart_px=float(distance[apart].max()) if apart.any() else 0.0,
        suspect_points=tuple(np.flatnonzero((beyond & finite & ~tied).any(0)).tolist()),
        pixels=distance[~apart].ravel(),
    )


def summarise(
    cases: Iterable[CaseParity],
    tolerance: Tolerance,
    provider: str,
    placement: tuple[tuple[str, int], ...],
) -> ParityReport:
    """The report over all cases."""
    return ParityReport(tuple(cases), tolerance, provider, placement)


def _differences(reference: Floats, candidate: Floats) -> Floats:
    if candidate.shape != reference.shape:
        return np.full(reference.shape, np.inf, np.float32)
    difference = np.abs(candidate.astype(np.float64) - reference.astype(np.float64))
    return np.where(np.isfinite(difference), difference, np.inf).astype(np.float32)


def _summary(
    output: str,
    unit: str,
    error: Floats,
    apart: NDArray[np.bool_],
    limit: float,
    reference: TrackOutputs,
    candidate: TrackOutputs,
) -> OutputParity:
    counted = np.where(apart[..., None], -1.0, error)  # (B, N, T)
    kept = error[~apart]
    where = tuple(int(i) for i in np.unravel_index(int(counted.argmax()), counted.shape))
    expected, found = _values_at(output, reference, candidate, where)
    return OutputParity(
        output=output,
        unit=unit,
        worst=float(kept.max()) if kept.size else 0.0,
        p99=_quantile(kept, 99),
        worst_index=(where[0], where[1], where[2]),
        expected=expected,
        found=found,
        beyond_tolerance=int(np.sum(counted > limit)),
        tolerance=limit,
        p50=_quantile(kept, 50),
    )


def _quantile(errors: Floats, percent: float) -> float:
    # "higher" picks a value that occurs: interpolating with infinity gives NaN.
    return float(np.percentile(errors, percent, method="higher")) if errors.size else 0.0


def _values_at(
    output: str, reference: TrackOutputs, candidate: TrackOutputs, where: tuple[int, ...]
) -> tuple[float, float]:
    """Both values at the worst place; of a track the coordinate that is further off."""
    if output != "tracks":
        values = getattr(reference, output), getattr(candidate, output)
        if values[0].shape != values[1].shape:
            return float(values[0][where]), math.nan
        return float(values[0][where]), float(values[1][where])
    if candidate.tracks_xy.shape != reference.tracks_xy.shape:
        return float(reference.tracks_xy[where][0]), math.nan
    expected, found = reference.tracks_xy[where], candidate.tracks_xy[where]
    axis = int(_differences(expected, found).argmax())
    return float(expected[axis]), float(found[axis])


def _count_flips(reference: TrackOutputs, candidate: TrackOutputs) -> int:
    """Points and frames that are visible in one and hidden in the other."""
    shape = reference.occlusion.shape
    if candidate.occlusion.shape != shape or candidate.expected_dist.shape != shape:
        return int(np.prod(shape))
    seen, _ = visible_from_logits(reference.occlusion, reference.expected_dist)
    found, _ = visible_from_logits(candidate.occlusion, candidate.expected_dist)
    return int(np.sum(seen != found))


def _worst(cases: tuple[CaseParity, ...], unit: str) -> float:
    return max((o.worst for case in cases for o in case.outputs if o.unit == unit), default=0.0)
