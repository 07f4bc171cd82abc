"""Progress where there is no terminal: plain lines for logs, a few a minute."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locoexport.cli.terminal.escaping import escape_controls, shorten

if TYPE_CHECKING:
    from locoexport.notices import Listener, Notice

__all__ = ["EVERY_S", "describe_rate", "plain_lines"]

EVERY_S = 10.0
"""A task that counts is told of so often, and when it ends."""


@dataclass
class _Task:
    """Something that counts: what it had done when, and when a line last told of it."""

    text: str
    began_s: float
    began_at: int
    told_s: float
    done: int | None = 0
    total: int | None = None
    figures: str = ""

    def line(self, now_s: float) -> str:
        if self.done is None:  # a step that does not count
            return f"{self.text}: {now_s - self.began_s:.0f} s"
        done = f"{self.done}" if self.total is None else f"{self.done} of {self.total}"
        spent_s = now_s - self.began_s
        rate = (self.done - self.began_at) / spent_s if spent_s > 0 else 0.0
        named = f"{self.text}, {self.figures}" if self.figures else self.text
        return f"{named}: {done}, {describe_rate(rate)}, {spent_s:.0f} s"

    @property
    def ended(self) -> bool:
        return self.done is not None and self.done == self.total


def describe_rate(a_second: float) -> str:
    """``12.5/s``, or ``8.8 s each`` where the former would have one digit only."""
    return f"{1 / a_second:.1f} s each" if 0 < a_second < 0.95 else f"{a_second:.1f}/s"


@contextmanager
def plain_lines(every_s: float = EVERY_S) -> Iterator[Listener]:
    """A listener that writes lines to stderr, of a task that counts at most one every ``every_s``.

    A line comes too while nothing is told: a window of a large model takes longer than that.
    """
    lines = _Lines(every_s)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every_s / 4):
            lines.remind()

    thread = threading.Thread(target=watch, name="locoexport-log", daemon=True)
    thread.start()
    try:
        yield lines.listen
    finally:
        stop.set()
        thread.join()


class _Lines:
    """What was told, and the one task that is under way. Threads may tell at once."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._lock = threading.Lock()
        self._task: _Task | None = None

    def listen(self, notice: Notice) -> None:
        text = shorten(escape_controls(notice.text))
        with self._lock:
            if notice.warning:
                _write(f"warning: {text}")
            elif notice.done is None:
                _write(text)
                self._begin_quietly(text, None)
            elif not notice.live:
                figures = shorten(escape_controls(notice.figures))
                self._count(text, notice.done, notice.total, figures)
            elif self._task is None or self._task.done is None:
                self._begin_quietly(text, notice.done)
            elif self._task.text == text:
                self._task.done, self._task.total = notice.done, notice.total

    def remind(self) -> None:
        with self._lock:
            if self._task is not None:
                self._tell(self._task)

    def _begin_quietly(self, text: str, done: int | None) -> None:
        """Of this a line comes only when nothing else was told for half as long again."""
        now_s = time.monotonic()
        self._task = _Task(text, now_s, done or 0, now_s + self._every_s / 2, done)

    def _count(self, text: str, done: int, total: int | None, figures: str) -> None:
        now_s = time.monotonic()
        if self._task is None or self._task.text != text:
            self._task = _Task(text, now_s, done, now_s)
        task = self._task
        task.done, task.total, task.figures = done, total, figures
        if task.ended:
            _write(f"{text}: {done} of {total}")
            self._task = None
        else:
            self._tell(task)

    def _tell(self, task: _Task) -> None:
        now_s = time.monotonic()
        if now_s - task.told_s >= self._every_s:
            task.told_s = now_s
            _write(task.line(now_s))


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
