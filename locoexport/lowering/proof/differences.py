"""How far what two models make is apart: arrays of every type, sequences and optionals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["Value", "count_values", "in_double", "told_difference", "worst_difference"]

_LARGEST = float(np.finfo(np.float32).max)

Value = NDArray[np.generic] | list["Value"] | None
"""A tensor; a sequence of values; or an optional that holds nothing."""


def worst_difference(expected: Sequence[Value], found: Sequence[Value]) -> float:
    """The largest difference of any value; infinite where types, shapes, lengths or NaNs differ.

    Numbers of every type are told apart in double; what is no number (strings, truth values) is
    equal or infinitely far. Zero and minus zero are equal, and so are infinity and the largest
    float32: where ONNX masks with the one, ONNX Runtime's Attention masks with the other.
    """
    if len(expected) != len(found):
        return math.inf
    pairs = zip(expected, found, strict=True)
    return max((_difference(first, second) for first, second in pairs), default=0.0)


def told_difference(expected: Sequence[Value], found: Sequence[Value]) -> str:
    """In words, what keeps two results from being compared number by number; empty where nothing
    does."""
    if len(expected) != len(found):
        return f"it makes {len(found)} values, and the original {len(expected)}"
    for first, second in zip(expected, found, strict=True):
        if not math.isinf(_difference(first, second)):
            continue
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            if (first.dtype, first.shape) != (second.dtype, second.shape):
                return f"it makes {_told(second)}, and the original {_told(first)}"
            if first.dtype.kind in "OUb":
                return "text or truth values differ"
            return "one side is infinite or NaN where the other is not"
        if isinstance(first, list) and isinstance(second, list):
            return told_difference(first, second) or "an element of a sequence differs"
        return "one side makes a tensor and the other does not"
    return ""


def count_values(values: Sequence[Value]) -> int:
    """How many numbers there are in all."""
    return sum(
        count_values(value) if isinstance(value, list) else 0 if value is None else value.size
        for value in values
    )


def _difference(first: Value, second: Value) -> float:
    if isinstance(first, list) and isinstance(second, list):
        return worst_difference(first, second)
    if not isinstance(first, np.ndarray) or not isinstance(second, np.ndarray):
        return 0.0 if first is None and second is None else math.inf
    if first.dtype.kind == "U" or second.dtype.kind == "U":  # the reference evaluator's text
        first, second = first.astype(object), second.astype(object)
    if first.shape != second.shape or first.dtype != second.dtype:
        return math.inf
    equal = first == second
    if np.all(equal):
        return 0.0
    kind = first.dtype.kind
    if kind in "iu":
        # Integers beyond 2**53 may be equal in double and are not.
        return max(1.0, _largest(first.astype(np.float64), second.astype(np.float64), equal))
    if kind == "c":
        wide = (first.astype(np.complex128), second.astype(np.complex128))
        parts = [(one.view(np.float64), other.view(np.float64)) for one, other in [wide]]
        return max(_largest(one, other, one == other) for one, other in parts)
    if kind not in "fV":  # V: bfloat16 and the small types of ml_dtypes
        return math.inf
    one, other = in_double(first), in_double(second)
    return _largest(one, other, one == other)


def in_double(floats: NDArray[np.generic]) -> NDArray[np.float64]:
    """The same values in double, those of the largest float32 as infinity."""
    wide = floats.astype(np.float64)
    if floats.dtype != np.float32:
        return wide
    return np.where(np.abs(wide) == _LARGEST, np.copysign(np.inf, wide), wide)


def _largest(one: NDArray[np.float64], other: NDArray[np.float64], equal: object) -> float:
    same = cast("NDArray[np.bool_]", equal)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other)[~(same | (np.isnan(one) & np.isnan(other)))]
    return math.inf if np.isnan(apart).any() else float(apart.max(initial=0.0))


def _told(value: NDArray[np.generic]) -> str:
    return f"{value.dtype} of shape {value.shape}"
