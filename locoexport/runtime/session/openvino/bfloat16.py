"""A file's graph as OpenVINO read it, made to compute in bf16 where that is safe, in place.

OpenVINO's own hint lowers the whole graph: positions move by whole pixels, and the softmax's bias
loses what is added to it. It has a mark that keeps a node in float32 (``precise`` in its IR, the
attribute DisablePrecisionConversion), but each transformation that replaces a node drops it: with
every node marked, 236 of OpenVINO 2026.4 still ran in bf16, the clamps of positions among them. So
the choice is written into the types: what may compute in bf16 reads and writes bf16 between two
Converts, the hint stays float32, and nothing else can become bf16.

Two parts that float16 lowers stay float32 here, as bf16 has 8 bits where float16 has 11 (measured:
docs/providers.md):

- the encoder and the cost volume: features that are 0.6 to 1.3 % off pick another of two nearly
  equal peaks of the heatmap;
- the first refinement: what it gets wrong decides where the others look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from locoexport.contract.scopes import TRACKER_SCOPE, in_refinement_network, is_island
from locoexport.machine.telemetry import load_openvino

__all__ = ["carries_our_names", "computes_in_bfloat16", "lower_to_bfloat16"]

_PRODUCTS = frozenset(("Convolution", "GroupConvolution", "MatMul"))
_BETWEEN = frozenset(
    (
        *("Add", "Concat", "Divide", "Erf", "Broadcast", "Gather", "Gelu", "Multiply", "Pad"),
        *("Relu", "Reshape", "Sigmoid", "Slice", "Split", "Squeeze", "StridedSlice", "Tanh"),
        *("Transpose", "Unsqueeze", "VariadicSplit"),
    )
)
_FIRST_REFINEMENT = re.compile(r"/refinement_0/")
_BODIES = ("Loop", "TensorIterator")


def carries_our_names(model: Any) -> bool:
    """Whether an ``openvino.Model`` was exported by us: without names nothing is known of it."""
    return any(TRACKER_SCOPE.match(node.get_friendly_name()) for node in _nodes(model))


def computes_in_bfloat16(home: str, op_type: str) -> bool:
    """Whether a node of that home (see ``_homes``) and OpenVINO's type may compute in bf16."""
    if is_island(home) or not in_refinement_network(home) or _FIRST_REFINEMENT.match(home):
        return False
    return op_type in _PRODUCTS | _BETWEEN


def lower_to_bfloat16(model: Any) -> int:
    """Lower an ``openvino.Model`` in place; the number of nodes that compute in bf16 since.

    Bodies are left alone: only the encoder of an export is in one.
    """
    lowering = _Lowering()
    homes = _homes(model)
    lowered = 0
    for node in model.get_ordered_ops():
        chosen = computes_in_bfloat16(homes[node.get_friendly_name()], node.get_type_name())
        if chosen and lowering.writes_float(node):
            lowering.lower(node)
            lowered += 1
        else:
            lowering.keep(node)
    model.validate_nodes_and_infer_types()
    return lowered


class _Lowering:
    """Which values are bf16 by now, and the Converts of each."""

    def __init__(self) -> None:
        openvino = load_openvino()
        from openvino import opset13

        self._single, self._brain = openvino.Type.f32, openvino.Type.bf16
        self._convert = opset13.convert
        self._written: set[tuple[str, int]] = set()
        self._converted: dict[tuple[str, int], Any] = {}

    def writes_float(self, node: Any) -> bool:
        """Indices and shapes are computed in the same scopes, and stay whole numbers."""
        return any(output.get_element_type() == self._single for output in node.outputs())

    def lower(self, node: Any) -> None:
        """Have ``node`` read bf16 in place of float32; what it writes follows."""
        for read in node.inputs():
            source = read.get_source_output()
            if source.get_element_type() == self._single:
                read.replace_source_output(self._as(source, "bf16"))
        node.validate_and_infer_types()
        self._written.update(
            _key(output) for output in node.outputs() if output.get_element_type() == self._brain
        )

    def keep(self, node: Any) -> None:
        """Have ``node`` read float32, whatever was lowered before it."""
        for read in node.inputs():
            source = read.get_source_output()
            if _key(source) in self._written and node.get_type_name() != "ShapeOf":
                read.replace_source_output(self._as(source, "f32"))
        node.validate_and_infer_types()

    def _as(self, source: Any, to: str) -> Any:
        key = _key(source)
        # What was read as bf16 is no value that was written as bf16: one Convert for each.
        if key not in self._converted:
            self._converted[key] = self._convert(source, to).output(0)
        return self._converted[key]


def _homes(model: Any) -> Mapping[str, str]:
    """The home of every node by its name, as ``lowering.tracker.node_homes`` tells it.

    A node that carries a scope of the trace, or writes a tensor that does, stands there; one that
    a simplifier or OpenVINO's reader named stands where its reader stands.
    """
    readers: dict[str, str] = {}
    homes: dict[str, str] = {}
    for node in reversed(model.get_ordered_ops()):
        name = node.get_friendly_name()
        tensors = (tensor for output in node.outputs() for tensor in sorted(output.get_names()))
        home = next((text for text in (name, *tensors) if text.startswith("/")), None)
        if home is None:
            home = readers.get(name, "")
        homes[name] = home
        for read in node.inputs():
            source = read.get_source_output().get_node()
            readers.setdefault(source.get_friendly_name(), home)
    return homes


def _nodes(model: Any) -> Iterator[Any]:
    """Of the model and of the bodies in it."""
    for node in model.get_ordered_ops():
        yield node
        if node.get_type_name() in _BODIES:
            yield from _nodes(node.get_function())


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_friendly_name(), output.get_index()
