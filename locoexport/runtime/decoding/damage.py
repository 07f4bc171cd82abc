"""What to do about a film of which frames are lost."""

from __future__ import annotations

from typing import Literal, get_args

from locoexport.errors import UsageError

__all__ = ["OnDamage", "check_on_damage"]

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
