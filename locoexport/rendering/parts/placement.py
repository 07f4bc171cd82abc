"""What a file ran on, who chose that, and where its nodes ran → text. Imports data types only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from locoexport.notices import counted

if TYPE_CHECKING:
    from locoexport.runtime.session.placement import Elsewhere
    from locoexport.runtime.session.provider_options import ChosenBy, RunChoice

__all__ = ["choice_facts", "choice_text", "chosen_text", "elsewhere_text", "nodes_text"]

_GROUPS_SHOWN = 8
_CHOSEN: Mapping[ChosenBy, str] = {
    "user": "",
    "default": "",
    "tune": "chosen by tune",
    "fallback": "tune's choice does not work here",
}


def choice_text(choice: RunChoice) -> str:
    """``openvino, 2 threads (chosen by tune)``."""
    threads = "" if choice.threads is None else f", {counted(choice.threads, 'thread')}"
    return f"{choice.provider}{threads}{chosen_text(choice.chosen_by)}"


def chosen_text(chosen_by: ChosenBy) -> str:
    """What to add to a provider, where it is not simply what was asked for or is usual."""
    return f" ({_CHOSEN[chosen_by]})" if _CHOSEN[chosen_by] else ""


def choice_facts(choice: RunChoice) -> dict[str, Any]:
    """The same for a JSON document; ``threads`` null is the usual number."""
    return {
        "provider": choice.provider,
        "provider_chosen_by": choice.chosen_by,
        "threads": choice.threads,
    }


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
