"""What every format writes of a point: where it was seen, its name, and a number as text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["decimal", "point_name", "runs", "seen"]


def seen(tracks: Tracks) -> NDArray[np.bool_]:
    """Bool (points, frames): visible, and at a place that a number can say."""
    return tracks.visible & np.isfinite(tracks.xy).all(axis=-1)


def point_name(index: int) -> str:
    """The name of a point where a format has names: ASCII, no spaces, counted from 0."""
    return f"point_{index}"


def decimal(number: float) -> str:
    """A number with at most six decimals, as short as that can be, never with an exponent."""
    text = f"{number:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The stretches of True in ``flags`` (frames,) as (first, behind the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
