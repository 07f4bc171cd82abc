"""How far a run is, told to whoever asked: each state once."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "ProgressReport"]

Progress = Callable[[int, int | None], None]
"""Called with frames done and frames in all, None where that is not known."""


class ProgressReport:
    """Calls ``progress``, where there is one, when its two numbers change."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        """``total``: about how many frames there will be; None where nobody knows."""
        self._progress = progress
        self._total = total
        self._told: tuple[int, int | None] | None = None

    def tell(self, done: int) -> None:
        """That many frames are done."""
        state = (done, self._total)
        if self._progress is not None and self._told != state:
            self._told = state
            self._progress(*state)

    def tell_end(self, frames: int) -> None:
        """All are done, and it is known now how many there are."""
        self._total = frames
        self.tell(frames)
