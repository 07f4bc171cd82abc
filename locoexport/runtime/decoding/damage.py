"""What to do about a film of which frames are lost."""

from __future__ import annotations

from typing import Literal, get_args

from locoexport.errors import UsageError

__all__ = ["OnDamage", "check_on_damage", "describe_beginning", "describe_damage"]

OnDamage = Literal["stop", "continue"]
"""Whether a damaged film ends before the damage, or goes on: then the last good frame stands in
place of each that is lost."""


def check_on_damage(value: str) -> OnDamage:
    """Raises UsageError where it is neither ``stop`` nor ``continue``."""
    for each in get_args(OnDamage):
        if value == each:
            known: OnDamage = each
            return known
    raise UsageError(f"on_damage is {value!r}; it is stop or continue.")


def describe_beginning(name: str, dropped: int, *, spoilt: bool) -> list[str]:
    """What is to be said of a film whose first frames cannot be decoded, or are damaged."""
    texts = []
    if dropped:
        texts.append(
            f"{name} begins between key frames: {dropped} frames that cannot be decoded were left "
            "out, and frame 0 is the first after them."
        )
    if spoilt:
        texts.append(
            f"{name} is damaged at its beginning: its first frames were left out, and frame 0 is "
            "the first good one."
        )
    return texts


def describe_damage(
    name: str, count: int, reason: str, lost: int | None, on_damage: OnDamage
) -> str:
    """What is to be said of frames that are lost behind the first ``count``.

    ``lost`` is how many they are, None where nobody knows.
    """
    found = f"{name} is damaged after {count} frames ({reason})"
    if on_damage == "stop":
        return (
            f"{found}. The frames before that were read; --on-damage continue also reads those "
            "after it."
        )
    if lost is None:
        return (
            f"{found}. The frames before that were read: the file does not say how many frames "
            "were lost, so the frames after them would have wrong numbers."
        )
    return f"{found}: the last good frame replaces {lost} that {'is' if lost == 1 else 'are'} lost."
