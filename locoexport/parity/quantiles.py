"""A file in a smaller precision against PyTorch, by the limits of that precision. numpy only.

float16 and 8 bits are another function than float32 by a little everywhere, and at some points by
much, so that no point can be held to float32's tolerance. What is held are the 99th percentile of
how far tracks are from PyTorch's, over the points and frames that PyTorch says are visible, and the
share of visibility flips; each over all inputs of one kind. Values that are no numbers, or answers
of another shape, fail whatever the rest is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW, Precision
from locoexport.contract.visibility import visible_from_logits
from locoexport.parity.pointwise import TrackOutputs

__all__ = [
    "BFLOAT16_TOLERANCE",
    "FLIP_LIMITS",
    "FLIP_ROOM",
    "PrecisionCase",
    "PrecisionGroup",
    "PrecisionParity",
    "PrecisionTolerance",
    "compare_precision",
    "precision_tolerance",
]

FLIP_ROOM = 0.01
"""A file may flip so much more of visibility than it says it did on export.

Origin: PyTorch and the float32 graph, which the export compares with, flip none of 9216 apart on
the generated sequences (docs/accuracy.md); fp16 flips 0.04 % there, 0.02 % on OpenVINO, and int8
3.6 and 3.7 %. One in a hundred leaves room for a device's own kernels.
"""

FLIP_LIMITS: Mapping[Precision, float] = MappingProxyType({"fp32": 0.0, "fp16": 0.02, "int8": 0.10})
"""What a file may flip at most, whatever it says of itself.

Origin: fp16 flipped at most 5 and int8 341 of 9216 in all files that keep their limit on tracks
(docs/providers.md: 0.05 % and 3.7 %); the room is for other weights and clips.
"""


JudgedPrecision = Precision | Literal["bf16"]
"""A file is never exported in bf16; a provider may compute a float32 file in it."""


@dataclass(frozen=True)
class PrecisionTolerance:
    """What a file of that precision may differ from PyTorch by, and where the figures come from.

    ``p99_px`` in pixels of 256×256; ``flip_share`` of all points and frames.
    """

    precision: JudgedPrecision
    p99_px: float
    flip_share: float
    origin: str


BFLOAT16_TOLERANCE = PrecisionTolerance(
    "bf16",
    p99_px=0.25,
    flip_share=0.02,
    origin=(
        "what a provider may cost a float32 file in bf16; b0-tiny was measured at 0.04 to 0.18 px "
        "(docs/providers.md)"
    ),
)
"""A float32 file on a provider that computes in bf16 (``openvino:precision=bf16``)."""


@dataclass(frozen=True, eq=False)
class PrecisionCase:
    """One pair of inputs.

    ``pixels`` (K,) are distances in pixels of 256×256 where PyTorch says a point is visible,
    infinite where the file has no number; ``medians_px`` has their median in each batch entry, NaN
    where nothing is visible. ``unusable`` counts points and frames without a number in any output;
    ``compared`` is how many there are.
    """

    name: str
    batch: int
    frames: int
    points: int
    pixels: NDArray[np.float64]
    medians_px: tuple[float, ...]
    flips: int
    unusable: int
    compared: int


@dataclass(frozen=True, eq=False)
class PrecisionGroup:
    """Inputs of one kind, judged together.

    ``held`` False: too few points for a 99th percentile, and awkward ones on purpose. Then the
    median of each batch entry has to be within the limit, which any fault of a shape is beyond.
    """

    name: str
    cases: tuple[PrecisionCase, ...]
    tolerance: PrecisionTolerance
    held: bool = True

    @property
    def passed(self) -> bool:
        """Whether the file keeps its limits here; comparing nothing proves nothing."""
        if self.unusable or not self.compared:
            return False
        if not self.held:
            medians = [median for case in self.cases for median in case.medians_px]
            return not any(median > self.tolerance.p99_px for median in medians)
        within = self.p99_px <= self.tolerance.p99_px  # NaN, where nothing is visible, is not
        return within and self.flip_share <= self.tolerance.flip_share

    @property
    def visible(self) -> int:
        """Points and frames whose distance counts."""
        return sum(case.pixels.size for case in self.cases)

    @property
    def compared(self) -> int:
        """Points and frames."""
        return sum(case.compared for case in self.cases)

    @property
    def flips(self) -> int:
        """Points and frames visible in one and hidden in the other."""
        return sum(case.flips for case in self.cases)

    @property
    def flip_share(self) -> float:
        """Of all points and frames."""
        return self.flips / self.compared if self.compared else math.nan

    @property
    def unusable(self) -> int:
        """Points and frames without a number."""
        return sum(case.unusable for case in self.cases)

    @property
    def p50_px(self) -> float:
        """The median distance."""
        return _quantile(self._pixels(), 0.5)

    @property
    def p99_px(self) -> float:
        """What 99 % of the distances are below."""
        return _quantile(self._pixels(), 0.99)

    @property
    def max_px(self) -> float:
        """The largest distance."""
        return _quantile(self._pixels(), 1.0)

    def _pixels(self) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(0), *(case.pixels for case in self.cases)])


@dataclass(frozen=True)
class PrecisionParity:
    """All groups. ``placement`` is (provider, nodes), ``exported_p99_px`` what the file says."""

    groups: tuple[PrecisionGroup, ...]
    tolerance: PrecisionTolerance
    provider: str
    placement: tuple[tuple[str, int], ...]
    exported_p99_px: float | None = None

    @property
    def passed(self) -> bool:
        """True where every group keeps its limits, and one of them was held to them."""
        return any(group.held for group in self.groups) and all(g.passed for g in self.groups)

    @property
    def p99_px(self) -> float:
        """The largest of the groups that are held to the limit; NaN where there is none."""
        return _largest([group.p99_px for group in self.groups if group.held])

    @property
    def worst_px(self) -> float:
        """The largest distance of all, in pixels of 256×256."""
        return _largest([group.max_px for group in self.groups])

    @property
    def cases(self) -> tuple[PrecisionCase, ...]:
        """Of all groups, in order."""
        return tuple(case for group in self.groups for case in group.cases)

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The distinct (batch, frames, points) that were tried, in order."""
        return tuple(dict.fromkeys((c.batch, c.frames, c.points) for c in self.cases))


def precision_tolerance(
    precision: Precision, p99_px: float, origin: str, flip_share: float
) -> PrecisionTolerance:
    """A limit of ``p99_px`` px, and of the flips that the export measured and a few more."""
    allowed, most = flip_share + FLIP_ROOM, FLIP_LIMITS[precision]
    origin += f"; flips: {flip_share:.2%} measured on export and {FLIP_ROOM:.0%} more"
    if not 0 <= allowed <= most:  # NaN is not
        allowed, origin = most, f"{origin}, at most {most:.0%}"
    return PrecisionTolerance(precision, p99_px, allowed, origin)


def compare_precision(
    name: str,
    reference: TrackOutputs,
    candidate: TrackOutputs,
    resolution_hw: tuple[int, int],
) -> PrecisionCase:
    """Compare a file's answers with PyTorch's; tracks are in pixels of ``resolution_hw``."""
    batch, points, frames = reference.occlusion.shape
    said, _ = visible_from_logits(reference.occlusion, reference.expected_dist)
    pairs = (
        (reference.tracks_xy, candidate.tracks_xy),
        (reference.occlusion, candidate.occlusion),
        (reference.expected_dist, candidate.expected_dist),
    )
    if any(expected.shape != found.shape for expected, found in pairs):
        pixels = np.full(int(said.sum()), np.inf)
        return PrecisionCase(
            name,
            batch,
            frames,
            points,
            pixels,
            (math.inf,) * batch,
            said.size,
            said.size,
            said.size,
        )
    height, width = resolution_hw
    scale = np.array([SCORED_HW[1] / width, SCORED_HW[0] / height])
    apart = (candidate.tracks_xy.astype(np.float64) - reference.tracks_xy) * scale
    distances = np.sqrt(np.square(apart).sum(-1))
    usable = np.isfinite(distances)
    for _, found in pairs[1:]:
        usable &= np.isfinite(found)
    distances = np.where(usable, distances, np.inf)
    says, _ = visible_from_logits(candidate.occlusion, candidate.expected_dist)
    return PrecisionCase(
        name=name,
        batch=batch,
        frames=frames,
        points=points,
        pixels=distances[said],
        medians_px=tuple(_quantile(d[s], 0.5) for d, s in zip(distances, said, strict=True)),
        flips=int((said != says).sum()),
        unusable=int((~usable).sum()),
        compared=said.size,
    )


def _quantile(pixels: NDArray[np.float64], share: float) -> float:
    # "higher" picks a value that occurs: interpolating with infinity gives NaN.
    return float(np.quantile(pixels, share, method="higher")) if pixels.size else math.nan


def _largest(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return max(known) if known else math.nan
