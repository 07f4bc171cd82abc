"""How a long function tells its caller what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Listener", "Notice", "ignore"]


@dataclass(frozen=True)
class Notice:
    """One message: a step that begins, or a warning. ``done`` of ``total`` where it counts.

    ``detail`` marks what only ``--verbose`` shows.
    """

    text: str
    done: int | None = None
    total: int | None = None
    warning: bool = False
    detail: bool = False


Listener = Callable[[Notice], None]


def ignore(notice: Notice) -> None:
    """Listen to nothing."""
