"""Which part of the model a node belongs to, told from the names that the exporter left.

Our own graphs carry the scopes of ``locotrack.tracker``: ``/encoder/…``, ``/query_sampling/…``,
``/cost_volume/…``, ``/refinement_2/correlation_hires/sampling/…`` and so on. Optimisers give new
nodes new names (``Gemm_241``, ``ReorderOutput_token_332``): those belong where the value that they
write, the value that they read, or the node that reads from them belongs. A node that stands in
no scope at all is between the parts; what cannot be told is unattributed, and said to be.

Foreign graphs are divided by the first segment of their names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx

__all__ = ["BETWEEN", "UNATTRIBUTED", "Part", "assign_parts", "is_tracker", "part_of_initializer"]

_TRACKER = re.compile(r"/(encoder|query_sampling|cost_volume|refinement_\d+)/")
_SCOPES = {"encoder": "backbone", "query_sampling": "query sampling", "cost_volume": "cost volume"}
_NETWORK = re.compile(r"/cmdtop\.\d+/")
_FIRST_LAYER = re.compile(r"/cmdtop\.\d+/first/")
"""The rewrite ``correlation-products`` computes the correlation within cmdtop's first layer."""


@dataclass(frozen=True, order=True)
class Part:
    """A part of a model; ``iteration`` counts refinements from 0 and is None outside them."""

    name: str
    iteration: int | None = None

    def __str__(self) -> str:
        return self.name if self.iteration is None else f"refinement {self.iteration}: {self.name}"


BETWEEN = Part("between the parts")
UNATTRIBUTED = Part("unattributed")


def is_tracker(nodes: Iterable[onnx.NodeProto]) -> bool:
    """Whether the graph carries the scopes of our own tracker."""
    return any(_TRACKER.match(node.name) for node in nodes)


def assign_parts(nodes: Sequence[onnx.NodeProto]) -> list[Part]:
    """The part of every node; ``nodes`` are in the order in which they run."""
    part_of_name = _tracker_part if is_tracker(nodes) else _foreign_part
    parts: list[Part | None] = [
        next(filter(None, map(part_of_name, (node.name, *node.output))), None) for node in nodes
    ]
    _inherit_from_inputs(nodes, parts)
    _inherit_from_readers(nodes, parts)
    return [part or UNATTRIBUTED for part in parts]


def part_of_initializer(name: str, readers: Iterable[Part]) -> Part:
    """The part that a weight belongs to: that of its readers, iterations put together."""
    names = {reader.name for reader in readers if reader not in (BETWEEN, UNATTRIBUTED)}
    if len(names) == 1:
        return Part(names.pop())
    if names:
        return Part("shared by several parts")
    head, dot, _ = name.partition(".")
    return Part(head) if dot else UNATTRIBUTED


def _tracker_part(name: str) -> Part | None:
    segments = name.split("/")
    if len(segments) < 2 or segments[0]:
        return None
    root, rest = segments[1], segments[2:]
    if not rest:
        return BETWEEN
    if root in _SCOPES:
        return Part(_SCOPES[root])
    if re.fullmatch(r"refinement_\d+", root):
        return Part(_step(name, rest), int(root.removeprefix("refinement_")))
    return None


def _step(name: str, scopes: list[str]) -> str:
    """The step of a refinement; ``scopes`` are those below it and the operation's own name."""
    if scopes[0] == "torch_pips_mixer":
        return "transformer"
    if not scopes[0].startswith("correlation_"):
        return "inputs and updates"
    if _FIRST_LAYER.search(name):
        return "correlation with first layer"
    if _NETWORK.search(name):
        return "cmdtop"
    # Beside the two scopes there is only the scaling of positions to the grid.
    return "correlation" if scopes[1] == "cmdtop" else "sampling"


def _foreign_part(name: str) -> Part | None:
    segments = [segment for segment in name.split("/") if segment]
    return Part(segments[0]) if len(segments) > 1 else None


def _inherit_from_inputs(nodes: Sequence[onnx.NodeProto], parts: list[Part | None]) -> None:
    producers: dict[str, Part | None] = {}
    for index, node in enumerate(nodes):
        if parts[index] is None:
            parts[index] = _commonest(producers, node.input)
        producers.update(dict.fromkeys(node.output, parts[index]))


def _inherit_from_readers(nodes: Sequence[onnx.NodeProto], parts: list[Part | None]) -> None:
    readers: dict[str, Part | None] = {}
    for index in reversed(range(len(nodes))):
        if parts[index] is None:
            parts[index] = _commonest(readers, nodes[index].output)
        if parts[index] is not None:
            for name in nodes[index].input:
                readers.setdefault(name, parts[index])


def _commonest(known: Mapping[str, Part | None], names: Iterable[str]) -> Part | None:
    found = [part for name in names if (part := known.get(name)) is not None]
    return Counter(found).most_common(1)[0][0] if found else None
