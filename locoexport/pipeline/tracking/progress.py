"""What tracking tells while it goes: counts as a bar; of many clips a line now and then as well."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from locoexport.batch.jobs import ClipOutcome
from locoexport.notices import Listener, Notice, counted
from locoexport.runtime.video.sources import FrameSource

__all__ = ["ClipProgress", "make_counter", "tell_of_reading"]

_REPORT_EVERY_S = 10.0


def make_counter(notify: Listener) -> Callable[[str, int, int | None], None]:
    """A function that tells how many are done, of how many where that is known."""

    def count(what: str, done: int, total: int | None) -> None:
        # A file's own count may be too low; the last report is exact.
        notify(Notice(what, done=done, total=None if total is None else max(done, total)))

    return count


def tell_of_reading(source: FrameSource, notify: Listener, *, live: bool = True) -> None:
    """Tell of frames as they are read: all that moves while the first window is in the model.

    ``live`` where something else that counts goes on beside it, of which a log hears.
    """
    total = source.frames_hint

    def tell(done: int) -> None:
        known = None if total is None else max(done, total)
        notify(Notice("reading frames", done=done, total=known, live=live))

    source.on_read = tell


@dataclass(eq=False)
class ClipProgress:
    """Counts of a run, and what is told of them.

    Attributes:
        total: clips that are to be done.
        not_tracked: clips that failed, in earlier runs too.
        started: when the run began, in seconds of ``time.monotonic``.
        notify: is told.
        done: clips that have ended.
    """

    total: int
    not_tracked: int
    started: float
    notify: Listener
    done: int = 0
    _frames: int = 0
    _under_way: dict[int, int] = field(default_factory=dict)
    _shown: int = -1
    _told: float = -math.inf
    _end_told: bool = False

    def come_to(self, index: int, frames: int) -> None:
        """The clip at that place has come so far, in frames."""
        self._under_way[index] = frames

    def lose(self, index: int) -> None:
        """The clip at that place will be begun again."""
        self._under_way.pop(index, None)

    def end(self, index: int, outcome: ClipOutcome) -> None:
        """The clip at that place has ended."""
        self._under_way.pop(index, None)
        self.done += 1
        self.not_tracked += outcome.outcome != "tracked"
        self._frames += 0 if outcome.skipped else outcome.frames

    def tell(self, *, now: bool = False) -> None:
        """The bar where it moved; the line when it is time for one, or ``now``."""
        if self._shown != self.done:
            self._shown = self.done
            self.notify(Notice("clips", done=self.done, total=self.total, live=True))
        clock = time.monotonic()
        if (now or clock - self._told >= _REPORT_EVERY_S) and not self._end_told:
            self._told, self._end_told = clock, self.done == self.total
            self.notify(Notice(self._line(clock - self.started)))

    def _line(self, seconds: float) -> str:
        frames = self._frames + sum(self._under_way.values())
        rate = frames / max(seconds, 1e-9)
        text = f"{self.done} of {counted(self.total, 'clip')}, {rate:.1f} frames/s, "
        text += f"{self.not_tracked} not tracked"
        if 0 < self.done < self.total:
            left = seconds / self.done * (self.total - self.done)
            text += f", {_duration(left)} left"
        return text


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
