"""Which part of the model a node belongs to, told from the names that the exporter left.

What a name of our own graphs says is in ``locoexport.contract.scopes``. Optimisers give new nodes
new names (``Gemm_241``, ``ReorderOutput_token_332``): those belong where the value that they write,
the value that they read, or the node that reads from them belongs. A node that stands in no scope
at all is between the parts; what cannot be told is unattributed, and said to be.

Foreign graphs are divided by the first segment of their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import onnx

from locoexport.contract.scopes import BETWEEN, TRACKER_SCOPE, Part, tracker_part

__all__ = ["BETWEEN", "UNATTRIBUTED", "Part", "assign_parts", "is_tracker", "part_of_initializer"]

UNATTRIBUTED = Part("unattributed")


def is_tracker(nodes: Iterable[onnx.NodeProto]) -> bool:
    """Whether the graph carries the scopes of our own tracker."""
    return any(TRACKER_SCOPE.match(node.name) for node in nodes)


def assign_parts(nodes: Sequence[onnx.NodeProto]) -> list[Part]:
    """The part of every node; ``nodes`` are in the order in which they run."""
    part_of_name = tracker_part if is_tracker(nodes) else _foreign_part
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
