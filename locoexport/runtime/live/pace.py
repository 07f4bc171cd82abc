"""How many frames are looked at, so that a rate of frames is kept: from what pushes took."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from locoexport.errors import UsageError

__all__ = ["Pace"]

_SMALLEST = 2
"""docs/live.md: a window of 1 has no memory, and loses points that 2 frames keep."""
_MEASURED = 5
"""Pushes of which the median decides."""
_GROWTH = 1.9
"""A window of twice the frames takes at most so many times as long (measured: 0.9 to 1.1 up to 16
frames, where an earlier form of the file took up to 1.7)."""
_ROOM = 0.9
"""Of the time for a frame, what a larger window may be expected to take."""


class Pace:
    """Chooses the window: 2, 4, 8, ... up to the largest, by what the last pushes took.

    It begins with the largest. The first push with another window, or with another number of
    points, is not measured: memory is taken then.
    """

    def __init__(self, largest: int, target_fps: float | None, *, fixed: bool) -> None:
        """``fixed``: the file takes no other window than the largest.

        Raises:
            UsageError: the target is not a positive number.
        """
        if target_fps is not None and not (0 < target_fps < math.inf):
            raise UsageError(f"target_fps is {target_fps}; it is a number of frames above 0.")
        self.allowed_ms = math.inf if target_fps is None else 1000 / target_fps
        doubled = [] if fixed or target_fps is None else _doubled(largest)
        self._windows = [*doubled, largest]
        self._chosen = len(self._windows) - 1
        self._points = -1
        self._taken_ms: deque[float] = deque(maxlen=_MEASURED)

    @property
    def window(self) -> int:
        """Frames that the next push looks at."""
        return self._windows[self._chosen]

    def observe(self, latency_ms: float, points: int) -> float:
        """Learn what a push took; returns by how many ms that was too long, or 0."""
        behind_ms = max(0.0, latency_ms - self.allowed_ms)
        if points != self._points:
            self._points = points
            self._taken_ms.clear()
            return behind_ms
        self._taken_ms.append(latency_ms)
        if len(self._taken_ms) == _MEASURED:
            self._choose(median(self._taken_ms))
        return behind_ms

    def _choose(self, usual_ms: float) -> None:
        if usual_ms > self.allowed_ms and self._chosen > 0:
            self._change(-1)
        elif usual_ms * _GROWTH < _ROOM * self.allowed_ms and self._chosen + 1 < len(self._windows):
            self._change(1)

    def _change(self, step: int) -> None:
        self._chosen += step
        self._points = -1


def _doubled(largest: int) -> list[int]:
    """2, 4, 8, ... below the largest."""
    windows = []
    window = _SMALLEST
    while window < largest:
        windows.append(window)
        window *= 2
    return windows
