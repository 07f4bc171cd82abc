"""Outputs of two whole models against each other, and against how far one is from itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.lowering.proof.differences import in_double, worst_difference

__all__ = ["Comparison", "compare_outputs", "worst_of"]

Arrays = Sequence[NDArray[np.generic]]

_TIMES = 16
"""The rewritten models moved at most 2.0 times as far as the original itself: measured on 22
outputs of MONAI's VoxelMorph and DVF2DDF (gather) and of the built-in model, whole and live (opset
17 to 16). The rest is for other models and processors."""
_FLOOR, _HALF_FLOOR = 2e-5, 4e-3
"""Of an output's largest value: what is allowed to one sampler (``volumetric.proof``)."""
_MOST_OF_SPREAD = 0.05
"""No allowance is above this share of an output's standard deviation: it would hide a wrong batch.
"""
_NOISE = 1e-6
"""An output below it that cancels from values of about 1 is nothing but their rounding."""
_SHARE, _MOST_SHARE = 2e-3, 0.05
"""Of values that are no floats (classes, masks): how many may be others, and where it is too many
for the rest to say anything."""
_ORIGIN = (
    f"{_TIMES} times what the original itself moves, by inputs moved some units in the last place "
    "and by ONNX Runtime's optimiser; at least what is allowed to one sampler"
)
_SHARE_ORIGIN = "a share of the values, 4 times what the original itself changes and 0.002"


@dataclass(frozen=True)
class Comparison:
    """One output, or the worst of all: how far apart, and what is allowed.

    ``unstable`` says why a difference that is over the allowance proves nothing, ``empty`` that the
    output says nothing.
    """

    difference: float
    allowed: float
    values: int
    origin: str
    unstable: str = ""
    empty: bool = False

    @property
    def passed(self) -> bool:
        """Whether the difference is allowed."""
        return self.difference <= self.allowed


def compare_outputs(
    made: Arrays, own: Sequence[Arrays], found: Arrays, *, half: bool
) -> Comparison:
    """The worst output of a rewritten model beside the original's.

    Args:
        made: what the original makes.
        own: what it makes of nearly the same, or runs nearly the same way.
        found: what the rewritten model makes.
        half: whether the models compute in 16 bits.
    """
    if len(made) != len(found):
        return Comparison(math.inf, 0.0, 0, "another number of outputs")
    alike = [one for one in own if len(one) == len(made)]
    outputs = [
        _compare(value, [one[index] for one in alike], found[index], half=half)
        for index, value in enumerate(made)
    ]
    return worst_of(outputs)


def worst_of(compared: Sequence[Comparison]) -> Comparison:
    """The one that is furthest from its allowance, with what all have in common."""
    if not compared:
        return Comparison(0.0, 0.0, 0, "", empty=True)
    worst = max(compared, key=lambda one: (not one.passed and not one.unstable, _ratio(one)))
    return Comparison(
        difference=worst.difference,
        allowed=worst.allowed,
        values=sum(one.values for one in compared),
        origin=worst.origin,
        unstable=worst.unstable,
        empty=all(one.empty for one in compared),
    )


def _ratio(one: Comparison) -> float:
    if one.difference == 0:
        return 0.0
    return math.inf if one.allowed == 0 else one.difference / one.allowed


def _compare(
    made: NDArray[np.generic], own: Arrays, found: NDArray[np.generic], *, half: bool
) -> Comparison:
    if made.shape != found.shape or made.dtype != found.dtype:
        return Comparison(math.inf, 0.0, made.size, "another shape or element type")
    if made.dtype.kind not in "fV":
        return _compare_shares(made, own, found)
    values = in_double(made)
    values = values[np.isfinite(values)]
    scale = float(np.abs(values).max(initial=0.0))
    spread = float(values.std()) if values.size > 1 else scale
    # Either of what the original makes, as it is and optimised, is what its users have.
    ways = [made, *(one for one in own[1:] if one.shape == made.shape)]
    difference = min(worst_difference([way], [found]) for way in ways)
    most = _MOST_OF_SPREAD * spread
    coarse = half or made.dtype.itemsize == 2
    floor = (_HALF_FLOOR if coarse else _FLOOR) * scale
    if spread == 0 or max(scale, difference) < _NOISE:
        return Comparison(difference, max(floor, _FLOOR), made.size, _ORIGIN, empty=True)
    moves = _moves(made, own, most)
    allowed = min(max(floor, _TIMES * moves), most)
    if allowed < difference <= _TIMES * moves:
        unstable = (
            f"inputs that differ in their last places move an output by {moves:.1e}, and its "
            f"values spread by {spread:.1e}"
        )
        return Comparison(difference, allowed, made.size, _ORIGIN, unstable=unstable)
    return Comparison(difference, allowed, made.size, _ORIGIN)


def _moves(made: NDArray[np.generic], own: Arrays, most: float) -> float:
    """How far the original is from itself. An optimiser that computes something else (it folds a
    shape that is stated and not true, say) is no measure of rounding.
    """
    apart = [worst_difference([made], [one]) for one in own]
    return max([*apart[:1], *(one for one in apart[1:] if _TIMES * one <= most)], default=0.0)


def _compare_shares(
    made: NDArray[np.generic], own: Arrays, found: NDArray[np.generic]
) -> Comparison:
    moves = max((_share(made, one) for one in own[:1]), default=0.0)
    own_share = _SHARE + 4 * moves
    allowed = min(own_share, _MOST_SHARE)
    difference = min(_share(one, found) for one in (made, *own[1:]))
    if allowed < difference <= own_share and found.shape == made.shape:
        unstable = f"inputs that differ in their last places change {moves:.0%} of an output"
        return Comparison(difference, allowed, made.size, _SHARE_ORIGIN, unstable=unstable)
    return Comparison(difference, allowed, made.size, _SHARE_ORIGIN)


def _share(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Which share of the values is another; all of them in another shape."""
    if one.shape != other.shape:
        return 1.0
    return float(np.mean(one != other)) if one.size else 0.0
