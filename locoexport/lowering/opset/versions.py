"""A model at an older opset: the same nodes, where every one of them allows it.

Replaces: the opset import of a model and of its functions by a lower one; the spellings of
GridSample (``linear`` → ``bilinear``, ``cubic`` → ``bicubic``) below 20; attributes that the older
opset does not have, where they hold their default; the ``axes`` of reductions (18) and the ``axis``
of DFT (20) from an input back to an attribute. Operators that the older opset does not have are
``newer_operators``'.

Identity: an operator whose every version between the two opsets differs in element types alone (as
the schemas of the installed onnx tell) means the same in both. Versions that changed more are
listed here with the condition under which a node is untouched by the change; every other node is a
reason to refuse.

Why: runtimes lag behind; TensorRT reads opset-20 ``linear`` as ``nearest`` (TensorRT#4646). onnx's
own version converter lacks adapters, and leaves a file at its old opset without saying so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import onnx
from onnx import defs, numpy_helper

from locoexport.errors import GraphCheckFailedError, UsageError
from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.schemas import (
    attributes_of,
    first_version,
    schema_at,
    versions_between,
)
from locoexport.graphs.values.known_values import constants_of
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.lowering.opset.element_types import TypeTable, types_of
from locoexport.lowering.volumetric.samplers.node import respelled_mode

__all__ = ["LOWEST_OPSET", "LoweredNode", "LoweredOpset", "default_opset", "lower_opset"]

LOWEST_OPSET = 16
_SPELLINGS = {"bilinear": "linear", "bicubic": "cubic"}
_MODES = ("linear", "cubic", "nearest")
_AXES_AS_INPUT = 18
_DFT_AXIS_AS_INPUT = 20
_NOT_RECORDED = ("Constant", "If", "Loop", "Scan")
_NEVER = {
    ("GroupNormalization", 21),
    ("Attention", 24),
    ("Attention", 25),
    ("OptionalHasElement", 18),
    ("OptionalGetElement", 18),
}
"""Versions that changed the meaning of nodes that look the same in both."""

_AT_THE_CALL = object()
"""An attribute of a function's node that each call of the function tells: equal to nothing."""

_Condition = Callable[[onnx.NodeProto], bool]


@dataclass(frozen=True)
class LoweredNode:
    """A node whose operator has another version at the new opset; ``after`` is what stands there.

    Not recorded: Constant, which is its own value, and control flow, whose bodies are walked.
    """

    before: onnx.NodeProto
    after: onnx.NodeProto
    version_before: int
    version_after: int

    @property
    def rewritten(self) -> bool:
        """False where the text is the same and only its reading is another version's."""
        return bool(self.before != self.after)


@dataclass(frozen=True)
class LoweredOpset:
    """The model at the new opset, and what is read by another version of its operator there."""

    model: onnx.ModelProto
    nodes: tuple[LoweredNode, ...]


def default_opset(model: onnx.ModelProto | onnx.FunctionProto) -> int | None:
    """The version of the default domain that is imported; None where none is."""
    versions = [entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAINS]
    return versions[0] if versions else None


def lower_opset(
    model: onnx.ModelProto, opset: int, readable: onnx.ModelProto | None = None
) -> LoweredOpset:
    """A copy of ``model`` at ``opset``; the same object where it is there already.

    ``readable`` is the same model with small tensors of other files read in, where it has such:
    constants are read from it, and what is written keeps referring to the files.

    Precondition: every GridSample is of rank 4. Postcondition: the opset import is ``opset``, and
    every node of the default domain has a schema there that takes its inputs, attributes and (where
    they are known) types.

    Raises:
        UsageError: the model is below ``opset``: only lowering is exact.
        GraphCheckFailedError: nodes do not allow it; the message lists them all.
    """
    current = default_opset(model)
    if current is None or current < opset:
        raise UsageError(
            f"The model is at opset {current}; it can be brought down, not up to {opset}. "
            "Leave --opset out."
        )
    if current == opset:
        return LoweredOpset(model, ())
    lowered = onnx.ModelProto()
    lowered.CopyFrom(model)
    types, constants = types_of(readable or model), constants_of(readable or model)
    reasons: dict[str, int] = {}
    nodes = []
    inputs_before = _names_taken(lowered)
    for node in iterate_nodes(lowered):
        if node.domain in DEFAULT_DOMAINS:
            before = _recorded(node, current, opset)
            for reason in _lower_node(node, current, opset, types, constants):
                reasons[reason] = reasons.get(reason, 0) + 1
            if before is not None:
                nodes.append(replace(before, after=node))
    if reasons:
        listed = "; ".join(f"{reason} ({count}×)" for reason, count in sorted(reasons.items()))
        raise GraphCheckFailedError(
            f"The model cannot be brought from opset {current} down to {opset}; these operators do "
            f"not allow it: {listed}."
        )
    for graph in (lowered, *lowered.functions):
        for entry in graph.opset_import:
            if entry.domain in DEFAULT_DOMAINS:
                entry.version = min(entry.version, opset)
    _drop_constants(lowered, inputs_before - _names_taken(lowered))
    return LoweredOpset(lowered, tuple(nodes))


def _names_taken(model: onnx.ModelProto) -> set[str]:
    names = {name for node in iterate_nodes(model) for name in node.input}
    for graph in iterate_graphs(model):
        names |= {value.name for value in graph.output}
    return names | {name for function in model.functions for name in function.output}


def _drop_constants(model: onnx.ModelProto, unused: set[str]) -> None:
    """Constants that nothing reads since they became attributes: ONNX Runtime warns of each."""
    if not unused:
        return
    for body in (*iterate_graphs(model), *model.functions):
        for node in list(body.node):
            if node.op_type == "Constant" and node.output[0] in unused:
                body.node.remove(node)
        if isinstance(body, onnx.GraphProto):
            inputs = {value.name for value in body.input}
            for tensor in list(body.initializer):
                if tensor.name in unused - inputs:
                    body.initializer.remove(tensor)


def _recorded(node: onnx.NodeProto, current: int, opset: int) -> LoweredNode | None:
    """The node as it is now, where its operator's version is another one at ``opset``."""
    new, old = schema_at(node.op_type, current), schema_at(node.op_type, opset)
    if new is None or old is None or new.since_version == old.since_version:
        return None
    if node.op_type in _NOT_RECORDED:
        return None
    before = onnx.NodeProto()
    before.CopyFrom(node)
    return LoweredNode(before, node, new.since_version, old.since_version)


def _lower_node(
    node: onnx.NodeProto,
    current: int,
    opset: int,
    types: TypeTable,
    constants: Mapping[str, onnx.TensorProto],
) -> Iterator[str]:
    """Change the node to what it is at ``opset``; yields the reasons against it."""
    name = node.op_type
    new = schema_at(name, current)
    old = schema_at(name, opset)
    if new is None:
        yield f"{name}: unknown at opset {current}"
        return
    if old is None:
        yield f"{name}: new in opset {first_version(name)}"
        return
    if new.since_version == old.since_version:
        return
    if name.startswith("Reduce") and old.since_version < _AXES_AS_INPUT <= new.since_version:
        yield from _axes_to_attribute(node, constants)
    if name == "DFT" and old.since_version < _DFT_AXIS_AS_INPUT <= new.since_version:
        yield from _dft_axis_to_attribute(node, constants)
    if name == "GridSample":
        yield from _respell(node, opset)
    for version in versions_between(name, old.since_version, new.since_version):
        yield from _objections(node, version)
    yield from _unknown_to(old, node)
    yield from types.objections(node, old)


def _objections(node: onnx.NodeProto, version: int) -> Iterator[str]:
    """Reasons why a node is not the same in ``version`` of its operator and the one before."""
    key = (node.op_type, version)
    condition = _UNTOUCHED.get(key)
    if key in _NEVER or (condition is not None and not condition(node)):
        yield f"{node.op_type}: changed in opset {version}"


def _unknown_to(schema: defs.OpSchema, node: onnx.NodeProto) -> Iterator[str]:
    """Attributes that ``schema`` lacks: dropped at their default, else a reason."""
    older = attributes_of(node.op_type, schema.since_version)
    newest = attributes_of(node.op_type, defs.onnx_opset_version())
    for attribute in list(node.attribute):
        if attribute.name in older:
            continue
        known = newest.get(attribute.name)
        if known is not None and _is_default_value(attribute, known.default_value):
            node.attribute.remove(attribute)
        else:
            yield f"{node.op_type}: attribute {attribute.name} is newer"
    used = max((index + 1 for index, name in enumerate(node.input) if name), default=0)
    if used > schema.max_input:
        yield f"{node.op_type}: input {used} is newer"


def _is_default_value(attribute: onnx.AttributeProto, default: onnx.AttributeProto) -> bool:
    if attribute.type != default.type or attribute.ref_attr_name:
        return False
    value = onnx.helper.get_attribute_value
    return bool(value(attribute) == value(default))


def _respell(node: onnx.NodeProto, opset: int) -> Iterator[str]:
    """Write the mode out: its default has another name on each side of 20, and one meaning."""
    found = [attribute for attribute in node.attribute if attribute.name == "mode"]
    mode = str(_attribute(node, "mode", "linear"))
    mode = _SPELLINGS.get(mode, mode)
    if mode not in _MODES:
        yield f"GridSample: mode {mode[:20]!r} is not one that ONNX knows"
        return
    spelled = respelled_mode(mode, opset)
    if found:
        found[0].s = spelled.encode()
    elif spelled != "linear":  # the default's new name, which is better left unsaid: see planar.py
        node.attribute.append(onnx.helper.make_attribute("mode", spelled))


def _axes_to_attribute(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]
) -> Iterator[str]:
    axes = node.input[1] if len(node.input) > 1 else ""
    if not axes:
        return
    if axes not in constants:
        yield f"{node.op_type}: axes are computed, an input since opset {_AXES_AS_INPUT}"
        return
    values = numpy_helper.to_array(constants[axes]).reshape(-1)
    if not values.size:
        yield f"{node.op_type}: empty axes"
        return
    del node.input[1:]
    node.attribute.append(onnx.helper.make_attribute("axes", [int(axis) for axis in values]))
    for attribute in list(node.attribute):
        if attribute.name == "noop_with_empty_axes":
            node.attribute.remove(attribute)  # the axes are not empty


def _dft_axis_to_attribute(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]
) -> Iterator[str]:
    """The default was axis 1 and is -2: it is written out."""
    axis = node.input[2] if len(node.input) > 2 else ""
    if axis and axis not in constants:
        yield f"DFT: the axis is computed, an input since opset {_DFT_AXIS_AS_INPUT}"
        return
    if axis and math.prod(constants[axis].dims) != 1:
        yield "DFT: the axis is not one number"
        return
    value = int(numpy_helper.to_array(constants[axis]).reshape(())) if axis else -2
    del node.input[2:]
    node.attribute.append(onnx.helper.make_attribute("axis", value))


def _attribute(node: onnx.NodeProto, name: str, default: object) -> object:
    for attribute in node.attribute:
        if attribute.name == name:
            if attribute.ref_attr_name:
                return _AT_THE_CALL
            value = onnx.helper.get_attribute_value(attribute)
            return value.decode(errors="replace") if isinstance(value, bytes) else value
    return default


def _floors_sizes(node: onnx.NodeProto) -> bool:
    """Pooling's ``ceil_mode`` has been defined anew twice; without it nothing changed."""
    return not _attribute(node, "ceil_mode", 0)


_UNTOUCHED: dict[tuple[str, int], _Condition] = {
    ("AveragePool", 19): _floors_sizes,
    ("AveragePool", 22): _floors_sizes,
    ("MaxPool", 22): _floors_sizes,
    ("LpPool", 18): _floors_sizes,
    ("Pad", 18): lambda node: len(node.input) < 4 or not node.input[3],
    ("Pad", 19): lambda node: _attribute(node, "mode", "constant") != "wrap",
    ("Split", 18): lambda node: len(node.input) > 1 and bool(node.input[1]),
    ("Resize", 18): lambda node: (
        not _attribute(node, "antialias", 0)
        and not _attribute(node, "axes", [])
        and _attribute(node, "keep_aspect_ratio_policy", "stretch") == "stretch"
    ),
    ("Resize", 19): lambda node: (
        _attribute(node, "coordinate_transformation_mode", "half_pixel") != "half_pixel_symmetric"
    ),
    ("ScatterElements", 18): lambda node: (
        _attribute(node, "reduction", "none") in ("none", "add", "mul")
    ),
    ("DFT", 20): lambda node: (
        not (_attribute(node, "inverse", 0) and _attribute(node, "onesided", 0))
    ),
    ("ScatterND", 18): lambda node: _attribute(node, "reduction", "none") in ("none", "add", "mul"),
    **{
        (f"Reduce{name}", _AXES_AS_INPUT): lambda node: (
            not _attribute(node, "noop_with_empty_axes", 0)
        )
        for name in (
            *("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"),
        )
    },
}
"""Versions that changed more than types, and what a node must be to be the same in both."""
