"""Which points and frames an index of tracks means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError

__all__ = ["frame_slice", "kept_axis", "kept_numbers"]


def kept_axis(index: Any) -> Any:
    """An index that keeps its axis: of a number, a list of it."""
    return [int(index)] if isinstance(index, int | np.integer) else index


def frame_slice(index: Any, frames: int) -> slice:
    """Frames as a slice from a number that is not negative.

    Raises:
        IndexError: there is no such frame.
        UsageError: it is neither a number nor a slice that goes forwards.
    """
    if isinstance(index, int | np.integer) and not isinstance(index, bool):
        if not -frames <= index < frames:
            raise IndexError(f"There is no frame {index}; there are {frames}.")
        first = int(index) % frames
        return slice(first, first + 1)
    if not isinstance(index, slice) or (index.step is not None and index.step < 1):
        raise UsageError("Frames of tracks are chosen by a number or a slice that goes forwards.")
    return slice(*index.indices(frames))


def kept_numbers(numbers: NDArray[np.int64] | None, kept: slice) -> NDArray[np.int64] | None:
    """Of frames those that are kept, by their numbers among the kept ones."""
    if numbers is None:
        return None
    step = kept.step or 1
    inside = (numbers >= kept.start) & (numbers < kept.stop) & ((numbers - kept.start) % step == 0)
    chosen: NDArray[np.int64] = (numbers[inside] - kept.start) // step
    return chosen
