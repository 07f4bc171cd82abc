"""Where the seconds of a run go, over all its threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up seconds by name. Threads may use it at once, so the sum can exceed the wall's."""

    def __init__(self) -> None:
        """Start the wall clock."""
        self._started = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._firsts: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the block's seconds under ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - began
            with self._lock:
                self._seconds[name] = self._seconds.get(name, 0.0) + took

    def mark(self, name: str) -> None:
        """Note when something happened for the first time."""
        with self._lock:
            self._firsts.setdefault(name, self.wall)

    @property
    def wall(self) -> float:
        """Seconds since this was made."""
        return time.perf_counter() - self._started

    def seconds(self, name: str) -> float:
        """The seconds counted under a name; 0 where there are none."""
        with self._lock:
            return self._seconds.get(name, 0.0)

    def first(self, name: str) -> float | None:
        """When ``mark(name)`` was first called, in seconds since the start."""
        with self._lock:
            return self._firsts.get(name)

    def shares(self) -> tuple[tuple[str, float], ...]:
        """(name, seconds), most first."""
        with self._lock:
            return tuple(sorted(self._seconds.items(), key=lambda item: -item[1]))
