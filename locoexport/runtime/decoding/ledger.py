"""What the first reading of a film gave, so that no later one gives anything else."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ledger"]


class Ledger:
    """The time, time stamp and checksum of every frame read so far, by its number.

    Attributes:
        findable: whether a frame is known by its time stamp: all have one, each another, and
            none was repeated or lost.
    """

    def __init__(self) -> None:
        """With no frames."""
        self.findable = True
        self._times_s = array("d")
        self._sums = array("L")
        self._stamps = array("q")
        self._numbers: dict[int, int] = {}

    def __len__(self) -> int:
        """How many frames are known."""
        return len(self._times_s)

    def check(
        self, number: int, time_s: float, stamp: int | None, image: NDArray[np.uint8]
    ) -> bool:
        """Note frame ``number``, where it is new; returns whether it is what was noted before."""
        checksum = _checksum(image)
        if number < len(self):
            return self._sums[number] == checksum and self._times_s[number] == time_s
        if stamp is None or stamp in self._numbers:
            self.findable = False
        self._numbers[-1 if stamp is None else stamp] = number
        self._stamps.append(-1 if stamp is None else stamp)
        self._times_s.append(time_s)
        self._sums.append(checksum)
        return True

    def number_at(self, time_s: float) -> int:
        """The number of the first frame that is shown at that time or later."""
        return bisect_left(self._times_s, time_s)

    def number_of(self, stamp: int | None, image: NDArray[np.uint8]) -> int | None:
        """The number of the frame of that stamp; None where there is none, or it was another."""
        number = None if stamp is None else self._numbers.get(stamp)
        if number is None or self._sums[number] != _checksum(image):
            return None
        return number

    def stamp(self, number: int) -> int:
        """The time stamp of a frame."""
        return self._stamps[number]

    def time_s(self, number: int) -> float:
        """When a frame is shown."""
        return self._times_s[number]


def _checksum(image: NDArray[np.uint8]) -> int:
    return zlib.crc32(np.ascontiguousarray(image).data)
