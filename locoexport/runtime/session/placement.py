"""Which node ran on which provider, from the session's own profile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locoexport.contract.scopes import tracker_part
from locoexport.runtime.session.openvino.compiled import OpenVinoSession
from locoexport.runtime.session.provider_options import provider_name
from locoexport.runtime.session.providers import PROVIDERS

__all__ = [
    "Elsewhere",
    "PlacedNode",
    "Placement",
    "count_placed",
    "placed_elsewhere",
    "placed_nodes",
    "short_name",
]

_KERNEL = "_kernel_time"


@dataclass(frozen=True)
class PlacedNode:
    """A node of the graph as the provider made it, and the short name of where it ran."""

    name: str
    op_type: str
    provider: str


@dataclass(frozen=True)
class Elsewhere:
    """Nodes of one kind in one part of the model that ran on another provider than was asked."""

    part: str
    op_type: str
    provider: str
    count: int


@dataclass(frozen=True)
class Placement:
    """Where the nodes of a file ran when one provider was asked for, from a profile.

    ``nodes`` is how many ran on which provider, most first; ``elsewhere`` those that ran on another
    one. ``failure`` says why it did not run at all, and is empty where it did.
    """

    asked: str
    nodes: tuple[tuple[str, int], ...]
    elsewhere: tuple[Elsewhere, ...]
    failure: str = ""


def placed_nodes(session: Any) -> tuple[PlacedNode, ...]:
    """Every node that ran in a profiled session, once; ends the profile."""
    if isinstance(session, OpenVinoSession):
        return tuple(PlacedNode(name, kind, "openvino") for name, kind in session.executed_nodes())
    profile = Path(session.end_profiling())
    with open(profile, encoding="utf-8") as file:
        events = json.load(file)
    # A node in a Loop, or of a session run twice, has one event a run: count names, not events.
    found = {
        (event["name"], event["args"].get("node_index")): PlacedNode(
            event["name"].removesuffix(_KERNEL),
            event["args"].get("op_name", ""),
            short_name(event["args"]["provider"]),
        )
        for event in events
        if event.get("name", "").endswith(_KERNEL) and "provider" in event.get("args", {})
    }
    return tuple(found.values())


def count_placed(nodes: Iterable[PlacedNode]) -> tuple[tuple[str, int], ...]:
    """How many nodes ran on which provider, most first."""
    return tuple(Counter(node.provider for node in nodes).most_common())


def placed_elsewhere(nodes: Iterable[PlacedNode], asked: str) -> tuple[Elsewhere, ...]:
    """Nodes that ran on another provider than the one asked for, put together, most first."""
    name = provider_name(asked)
    counts = Counter(
        (str(tracker_part(node.name) or "unattributed"), node.op_type, node.provider)
        for node in nodes
        if node.provider != name
    )
    return tuple(Elsewhere(*key, count) for key, count in counts.most_common())


def short_name(provider: str) -> str:
    """The short name of a provider that ONNX Runtime names; the name itself where it has none."""
    return next((short for short, name in PROVIDERS.items() if name == provider), provider)
