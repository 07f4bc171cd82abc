"""When each frame is shown: seconds that rise, whatever the time stamps do."""

from __future__ import annotations

from collections import deque
from statistics import median

__all__ = ["Timeline"]

_TICK_S = 1 / 90000
"""What a frame that repeats the time of the one before is moved by: a tick of MPEG's clock."""
_JUMP_S = 10.0


class Timeline:
    """Turns time stamps into times.

    A stamp that is not later than the one before is moved a tick behind it. A clock that was set
    back, as where recordings were joined, goes on where it was. So does one that leaps ahead by
    more than 10 s, in the streams that can be joined.
    """

    def __init__(self, fps: float, *, joinable: bool) -> None:
        """``fps`` is what to count by where there are no stamps."""
        self._fps = fps
        self._joinable = joinable
        self._offset_s = 0.0
        self._steps: deque[float] = deque(maxlen=9)
        self._last_s: float | None = None
        self.joined = False

    @property
    def last_s(self) -> float | None:
        """When the last frame is shown that was placed; None before the first."""
        return self._last_s

    @property
    def step_s(self) -> float:
        """How long a frame is shown at present."""
        return median(self._steps) if self._steps else 1 / self._fps

    def place(self, stamp_s: float | None) -> float:
        """When the next frame is shown, whose stamp that is; None where it has none."""
        if stamp_s is None:
            time_s = 0.0 if self._last_s is None else self._last_s + 1 / self._fps
        else:
            time_s = self._continued(stamp_s)
        if self._last_s is not None:
            time_s = max(time_s, self._last_s + _TICK_S)
            self._steps.append(time_s - self._last_s)
        self._last_s = time_s
        return time_s

    def end_step(self, step_s: float) -> None:
        """Say how long the last step really was, of which a part was lost."""
        if self._steps:
            self._steps[-1] = step_s

    def _continued(self, stamp_s: float) -> float:
        time_s = stamp_s + self._offset_s
        if self._last_s is None:
            return time_s
        step = time_s - self._last_s
        if step < -1.5 * self.step_s or (self._joinable and step > _JUMP_S):
            self.joined = True
            time_s = self._last_s + self.step_s
            self._offset_s = time_s - stamp_s
        return time_s
