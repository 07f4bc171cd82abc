"""How a node of one file differs from the node of another file that makes the same value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from locoexport.graphs.walking import iterate_bodies, iterate_graphs

__all__ = ["NodeIndex", "differences", "index_nodes"]


@dataclass(frozen=True)
class NodeIndex:
    """Nodes by the values that they make, in order, and constants by name, bodies included."""

    makers: Mapping[str, onnx.NodeProto]
    constants: Mapping[str, onnx.TensorProto]

    def ancestors(self, value: str, known: Iterable[str]) -> set[str]:
        """Values that ``value`` is computed from and itself, as far as the ``known`` ones."""
        borders = set(known)
        found: set[str] = set()
        waiting = [value]
        while waiting:
            name = waiting.pop()
            if name in found or name in borders or name not in self.makers:
                continue
            found.add(name)
            waiting += reads_of(self.makers[name])
        return found


def reads_of(node: onnx.NodeProto) -> list[str]:
    """What a node reads, and the values that its bodies give out."""
    bodies = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return [*filter(None, node.input), *(value.name for body in bodies for value in body.output)]


def index_nodes(model: onnx.ModelProto) -> NodeIndex:
    """Index a model."""
    makers = {
        name: node for nodes in iterate_bodies(model) for node in nodes for name in node.output
    }
    constants = {
        tensor.name: tensor for graph in iterate_graphs(model) for tensor in graph.initializer
    }
    for name, node in makers.items():
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[name] = attribute.t
    return NodeIndex(makers, constants)


def differences(value: str, ours: NodeIndex, theirs: NodeIndex) -> Iterator[str]:
    """How the node of ``ours`` that makes ``value`` differs from that of ``theirs``, in words."""
    node, other = ours.makers.get(value), theirs.makers.get(value)
    if node is None or other is None:
        return
    if node.op_type != other.op_type:
        yield f"it is a {node.op_type} where a fresh export has a {other.op_type}"
        return
    yield from _attributes(node, other)
    reads, others = list(node.input), list(other.input)
    if reads != others and sorted(reads) == sorted(others):
        yield f"its inputs are swapped: {', '.join(reads)}; expected {', '.join(others)}"
        return
    for index, (name, due) in enumerate(zip(reads, others, strict=False)):
        weight, good = ours.constants.get(name), theirs.constants.get(due)
        if weight is not None and good is not None:
            yield from _constants(name, onnx.numpy_helper.to_array(weight), good)
        elif name != due:
            maker = ours.makers.get(name)
            what = f" (made by {maker.op_type})" if maker is not None else ""
            yield f"its input {index} is {name}{what}; expected {due}"
    if len(reads) != len(others):
        yield f"it has {len(reads)} inputs; expected {len(others)}"


def _attributes(node: onnx.NodeProto, other: onnx.NodeProto) -> Iterator[str]:
    found, due = ({a.name: a for a in n.attribute if not a.HasField("g")} for n in (node, other))
    for name in sorted(found.keys() | due.keys()):
        ours, theirs = _text(found.get(name)), _text(due.get(name))
        if ours != theirs:
            yield f"its {name} is {ours} where a fresh export has {theirs}"


def _text(attribute: onnx.AttributeProto | None) -> str:
    if attribute is None:
        return "absent"
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        return str(onnx.numpy_helper.to_array(value).tolist())[:80]
    return str(list(value) if hasattr(value, "__len__") and not isinstance(value, str) else value)


def _constants(name: str, ours: NDArray[np.generic], good: onnx.TensorProto) -> Iterator[str]:
    theirs = onnx.numpy_helper.to_array(good)
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        yield (
            f"its weight {name} is {ours.dtype} of shape {ours.shape} where a fresh export has "
            f"{theirs.dtype} of shape {theirs.shape}"
        )
        return
    unequal = (ours != theirs) & ~((ours != ours) & (theirs != theirs))
    if unequal.any():
        index = tuple(int(i) for i in np.argwhere(unequal)[0])
        yield (
            f"its weight {name} differs in {int(unequal.sum())} of {unequal.size} numbers, first "
            f"at {index}: {ours[index]} where a fresh export has {theirs[index]}"
        )
