"""How a long function tells its caller what it is doing, without knowing who listens.

Warnings are data too: ``noting`` keeps them for a report, whoever listens or does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Listener", "Notice", "counted", "ignore", "noting"]


@dataclass(frozen=True)
class Notice:
    """One message: a step that begins, or a warning. ``done`` of ``total`` where it counts.

    The text names what counts, and stays the same while it does; ``figures`` is what changes
    meanwhile, such as a loss. ``detail`` marks what only ``--verbose`` shows, ``live`` a count for
    a moving bar alone, which no log needs.
    """

    text: str
    done: int | None = None
    total: int | None = None
    warning: bool = False
    detail: bool = False
    live: bool = False
    figures: str = ""


Listener = Callable[[Notice], None]


def ignore(notice: Notice) -> None:
    """Listen to nothing."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 point``, ``2 points``: a number and its noun; ``plural`` where no -s makes it."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def noting(warnings: list[str], notify: Listener, *, once: bool = False) -> Listener:
    """A listener that passes all on, and keeps each warning's text once in ``warnings``.

    With ``once`` a warning that is kept already is not passed on either.
    """

    def listen(notice: Notice) -> None:
        if notice.warning and notice.text in warnings:
            if once:
                return
        elif notice.warning:
            warnings.append(notice.text)
        notify(notice)

    return listen
