"""Where nodes ran → text. Imports data types only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locoexport.runtime.session.placement import Elsewhere

__all__ = ["elsewhere_text", "nodes_text"]

_GROUPS_SHOWN = 8


def nodes_text(nodes: Sequence[tuple[str, int]]) -> str:
    """``1200 on cuda, 30 on cpu``."""
    return ", ".join(f"{count} on {provider}" for provider, count in nodes)


def elsewhere_text(groups: Sequence[Elsewhere]) -> str:
    """Which nodes the provider left to another one, by part of the model."""
    shown = [
        f"{group.count} {group.op_type} of {group.part} on {group.provider}"
        for group in groups[:_GROUPS_SHOWN]
    ]
    rest = len(groups) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more kinds (--json has all)" if rest > 0 else "")
