"""Shapes of every value of a graph once its dynamic axes are bound.

``onnx.shape_inference`` alone loses the thread where a shape is computed (Range, Floor, Where, …):
on our own graphs it leaves two thirds of the nodes open. Here each node is inferred by itself with
the VALUES of its small inputs, and small values are computed along with ``onnx.reference``, so a
Reshape whose target hangs on ten integer operations is resolved. What stays open is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, TypeProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from locoexport.errors import ModelFileError, UsageError
from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.structure import is_element_type, is_length
from locoexport.graphs.values.inference import crashes_without_type, infer_shapes
from locoexport.graphs.walking import bodies_of, named_bodies
from locoexport.inspection.small_values import Array, evaluate, is_followed, small_constant

__all__ = [
    "GraphShapes",
    "Shape",
    "dynamic_axes",
    "operand",
    "resolve_shapes",
]

Shape = tuple[int, ...]

_MOST_ELEMENTS = 2**63
"""No tensor has as many: a shape that says so is not one."""
_SCAN_OVER_FIRST_AXIS = 9
"""Before, a Scan's first axis was a batch."""


@dataclass
class GraphShapes:
    """Nodes that run, in order, with the types and small values of what they read and write.

    ``nodes`` are those of the main graph, of local functions (inlined), of the branches that are
    known to be taken, and of Scan bodies (after their Scan) whose length is known; ``trips`` says
    how often each runs. ``hidden`` are those of bodies and branches that nothing is known about.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)
    """First outputs of the Scans whose bodies are among ``nodes``."""
    hidden: list[onnx.NodeProto] = field(default_factory=list)
    types: dict[str, TypeProto] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)

    def shape(self, name: str) -> Shape | None:
        """A value's shape, or None where any of its sizes is unknown."""
        dims = self._dims(name)
        if dims is None or not all(is_length(dim) for dim in dims):
            return None
        shape = tuple(dim.dim_value for dim in dims)
        return shape if math.prod(filter(None, shape)) < _MOST_ELEMENTS else None

    def rank(self, name: str) -> int | None:
        """How many axes a value has, or None where that is unknown."""
        dims = self._dims(name)
        return None if dims is None else len(dims)

    def element_type(self, name: str) -> int:
        """``TensorProto.FLOAT`` and the like; ``TensorProto.UNDEFINED`` where unknown."""
        kind = self.types.get(name)
        return TensorProto.UNDEFINED if kind is None else int(kind.tensor_type.elem_type)

    def size_bytes(self, name: str) -> int | None:
        """Bytes of a value, or None where its shape or type is unknown."""
        shape, element = self.shape(name), self.element_type(name)
        if shape is None or element in (TensorProto.UNDEFINED, TensorProto.STRING):
            return None
        return math.prod(shape) * helper.tensor_dtype_to_np_dtype(element).itemsize

    def unresolved(self) -> Iterator[onnx.NodeProto]:
        """Nodes with an output of unknown size, and all those inside bodies."""
        for node in self.nodes:
            if any(name and self.shape(name) is None for name in node.output):
                yield node
        yield from self.hidden

    def _dims(self, name: str) -> Sequence[onnx.TensorShapeProto.Dimension] | None:
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        dims: Sequence[onnx.TensorShapeProto.Dimension] = kind.tensor_type.shape.dim
        return dims


def dynamic_axes(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the open axes of the inputs; a nameless one is ``INPUT[INDEX]``."""
    names = [
        _axis_name(value.name, index, dim)
        for value in _inputs(model.graph)
        for index, dim in enumerate(value.type.tensor_type.shape.dim)
        if not is_length(dim)
    ]
    return tuple(dict.fromkeys(names))


def resolve_shapes(model: onnx.ModelProto, axes: Mapping[str, int]) -> GraphShapes:
    """Bind the open axes of the inputs to ``axes`` and follow every shape through the graph.

    Raises:
        UsageError: ``axes`` names an axis that the graph does not have.
    """
    open_axes = dynamic_axes(model)
    for name in axes:
        if name not in open_axes:
            raise UsageError(
                f"The graph has no open axis {name!r}; its open axes are "
                f"{', '.join(open_axes) or 'none'}."
            )
    bound = _bind(model, axes)
    resolver = _Resolver(bound)
    resolver.follow_graph(bound.graph)
    return resolver.found


class _Resolver:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.found = GraphShapes()
        self._opsets = {entry.domain: entry.version for entry in model.opset_import}
        self._imports = list(model.opset_import)
        self._ir_version = model.ir_version
        self._whole = _whole_graph_types(model)
        self._trips = 1

    def follow_graph(self, graph: onnx.GraphProto) -> None:
        found = self.found
        for tensor in graph.initializer:
            found.constants.add(tensor.name)
            found.types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            constant = small_constant(tensor)
            if constant is not None:
                found.values[tensor.name] = constant
        for value in graph.input:
            found.types.setdefault(value.name, value.type)
        for node in graph.node:
            self._follow(node)

    def _follow(self, node: onnx.NodeProto) -> None:
        branch = self._taken_branch(node)
        if branch is not None:
            self.follow_graph(branch)
            for inner, outer in zip(branch.output, node.output, strict=True):
                self._alias(inner.name, outer)
            return
        self.found.nodes.append(node)
        self.found.trips.append(self._trips)
        if self._follow_scan(node):
            return
        for body in bodies_of(node):
            self.found.hidden.extend(_all_nodes(body.node))
        alone = self._infer(node)
        self._evaluate(node, alone)

    def _taken_branch(self, node: onnx.NodeProto) -> onnx.GraphProto | None:
        if node.op_type != "If" or node.domain not in DEFAULT_DOMAINS:
            return None
        condition = self.found.values.get(node.input[0])
        if condition is None:
            return None
        wanted = "then_branch" if bool(np.all(condition)) else "else_branch"
        return next(body for name, body in named_bodies(node) if name == wanted)

    def _follow_scan(self, node: onnx.NodeProto) -> bool:
        """Follow the body of a Scan over the first axis; False where it cannot be followed."""
        attributes = {attribute.name: attribute for attribute in node.attribute}
        plain = set(attributes) <= {"body", "num_scan_inputs"}
        if node.op_type != "Scan" or node.domain not in DEFAULT_DOMAINS or not plain:
            return False
        if self._version(node) < _SCAN_OVER_FIRST_AXIS:
            return False
        body, count = attributes["body"].g, attributes["num_scan_inputs"].i
        states = len(node.input) - count
        shapes = [self.found.shape(name) for name in node.input[states:]]
        if not shapes or any(not shape for shape in shapes):
            return False
        length = (shapes[0] or (0,))[0]
        if self._trips * length >= _MOST_ELEMENTS:
            return False
        for outer, inner in zip(node.input[:states], body.input, strict=False):
            self._alias(outer, inner.name)
        for outer, inner, shape in zip(
            node.input[states:], body.input[states:], shapes, strict=True
        ):
            element = self.found.element_type(outer)
            self.found.types[inner.name] = helper.make_tensor_type_proto(element, (shape or ())[1:])
        outside, self._trips = self._trips, self._trips * length
        self.follow_graph(body)
        self._trips = outside
        for index, (inner, outer) in enumerate(zip(body.output, node.output, strict=True)):
            if index < states:
                self._alias(inner.name, outer)
            elif (shape := self.found.shape(inner.name)) is not None:
                element = self.found.element_type(inner.name)
                self.found.types[outer] = helper.make_tensor_type_proto(element, (length, *shape))
        self.found.followed.update(node.output[:1])
        return True

    def _alias(self, inner: str, outer: str) -> None:
        if inner in self.found.types:
            self.found.types[outer] = self.found.types[inner]
        if inner in self.found.values:
            self.found.values[outer] = self.found.values[inner]

    def _infer(self, node: onnx.NodeProto) -> Mapping[str, TypeProto]:
        """Learn the types of the node's outputs: inferred alone, else as part of the whole graph.

        Returns those that were inferred alone, from what is known of the inputs' values.
        """
        types = {name: self._whole[name] for name in node.output if name in self._whole}
        alone = self._infer_alone(node)
        for name, kind in alone.items():
            if _known_sizes(kind) >= _known_sizes(types.get(name)):
                types[name] = kind
        self.found.types.update(types)
        return alone

    def _infer_alone(self, node: onnx.NodeProto) -> Mapping[str, TypeProto]:
        version, found = self._version(node), self.found
        if not onnx.defs.has(node.op_type, version, node.domain):
            return {}
        if crashes_without_type(node) and operand(node, 0) not in found.types:
            return {}
        inputs = dict.fromkeys(node.input)
        try:
            alone: Mapping[str, TypeProto] = onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op_type, version, node.domain),
                node,
                {name: found.types[name] for name in inputs if name in found.types},
                {
                    name: numpy_helper.from_array(found.values[name], name)
                    for name in inputs
                    if name in found.values
                },
                opset_imports=self._imports,
                ir_version=self._ir_version,
            )
        except Exception:  # noqa: BLE001, RUF100 - what it makes nothing of stays unknown
            return {}
        return {
            name: kind
            for name, kind in alone.items()
            if is_element_type(kind.tensor_type.elem_type)
        }

    def _version(self, node: onnx.NodeProto) -> int:
        return int(self._opsets.get(node.domain, self._opsets.get("ai.onnx", 0)))

    def _evaluate(self, node: onnx.NodeProto, types: Mapping[str, TypeProto]) -> None:
        """Follow the values of small outputs whose inputs are all known."""
        found = self.found
        if node.domain not in DEFAULT_DOMAINS:
            return
        if node.op_type == "Shape":
            shape = found.shape(operand(node, 0))
            if shape is not None:
                lengths = np.array(shape[_shape_range(node, len(shape))], np.int64)
                found.values.update(dict.fromkeys(node.output, lengths))
            return
        if is_followed(node, found.values, types):
            inputs = {name: found.values[name] for name in node.input if name}
            for name, value in evaluate(node, inputs, self._opsets):
                found.values[name] = value
                if node.op_type == "Constant":
                    found.constants.add(name)


def _bind(model: onnx.ModelProto, axes: Mapping[str, int]) -> onnx.ModelProto:
    """A copy with bound inputs, without local functions and without shapes stated elsewhere."""
    bound = onnx.ModelProto()
    bound.CopyFrom(_without_functions(model))
    for value in _inputs(bound.graph):
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            size = axes.get(_axis_name(value.name, index, dim))
            if size is not None and not is_length(dim):
                dim.dim_value = size
    for output in bound.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    del bound.graph.value_info[:]
    return bound


def _without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    if not model.functions:
        return model
    try:
        return inline_local_functions(model)
    except Exception as error:  # its errors have no common class
        raise ModelFileError(f"The model's functions cannot be written out: {error}.") from error


def _whole_graph_types(model: onnx.ModelProto) -> dict[str, TypeProto]:
    inferred = infer_shapes(model)
    if inferred is model:
        return {}
    return {
        value.name: value.type for value in (*inferred.graph.value_info, *inferred.graph.output)
    }


def _inputs(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """Inputs that a caller feeds: old files list their weights among the inputs as well."""
    weights = {tensor.name for tensor in graph.initializer}
    return (value for value in graph.input if value.name not in weights)


def _axis_name(value: str, index: int, dim: onnx.TensorShapeProto.Dimension) -> str:
    return dim.dim_param or f"{value}[{index}]"


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for body in bodies_of(node):
            yield from _all_nodes(body.node)


def operand(node: onnx.NodeProto, index: int) -> str:
    """The name of a node's input, empty where it is left out."""
    return str(node.input[index]) if index < len(node.input) else ""


def _known_sizes(kind: TypeProto | None) -> int:
    """How much a type says: -1 nothing, 0 no shape, else 1 and the number of known sizes."""
    if kind is None:
        return -1
    if not kind.tensor_type.HasField("shape"):
        return 0
    return 1 + sum(1 for dim in kind.tensor_type.shape.dim if is_length(dim))


def _shape_range(node: onnx.NodeProto, rank: int) -> slice:
    given = {attribute.name: attribute.i for attribute in node.attribute}
    return slice(*slice(given.get("start", 0), given.get("end")).indices(rank)[:2])
