"""Everything that a file says of itself, and what it costs at the sizes asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from locoexport.graphs.domains import qualified_name
from locoexport.graphs.structure import bits_of, is_length
from locoexport.graphs.walking import iterate_nodes, iterate_scopes
from locoexport.graphs.weights.external_data import is_external
from locoexport.inspection.costs import Flops, PeakMemory, count_flops, peak_activations
from locoexport.inspection.labels import label_node
from locoexport.inspection.lint import Finding, lint
from locoexport.inspection.parts import Part, assign_parts, part_of_initializer
from locoexport.inspection.shapes import (
    GraphShapes,
    dynamic_axes,
    resolve_shapes,
)

__all__ = ["Costs", "ModelFacts", "Parameters", "Port", "inspect_model", "measure_costs"]

_FLOATING = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
)
_ELEMENT_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}


@dataclass(frozen=True)
class Port:
    """An input or output: sizes are numbers, names of open axes, or ``?``; None is no shape."""

    name: str
    element_type: str
    shape: tuple[int | str, ...] | None


@dataclass(frozen=True)
class Parameters:
    """Weights: floating-point elements, those of 8 bits and fewer, and bytes of all constants."""

    total: int
    quantised: int
    size_bytes: int
    by_part: Mapping[Part, int]


@dataclass(frozen=True)
class Costs:
    """What one run costs with the open axes bound to ``axes``.

    ``unresolved`` are nodes with an output of unknown size: ``flops`` and ``memory`` lack them.
    """

    axes: Mapping[str, int]
    unbound: tuple[str, ...]
    flops: Flops
    memory: PeakMemory
    nodes: int
    unresolved: tuple[str, ...]


@dataclass(frozen=True)
class ModelFacts:
    """What is true of an .onnx file; ``operators`` counts subgraphs and local functions too."""

    ir_version: int
    opsets: Mapping[str, int]
    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    dynamic_axes: tuple[str, ...]
    operators: Mapping[str, int]
    functions: int
    metadata: Mapping[str, str]
    external_files: tuple[str, ...]
    parameters: Parameters
    costs: Costs
    findings: tuple[Finding, ...]


def inspect_model(model: onnx.ModelProto, axes: Mapping[str, int]) -> ModelFacts:
    """Facts, costs at ``axes`` (sizes by the names of open axes) and findings.

    Raises:
        UsageError: ``axes`` names an axis that the graph does not have.
    """
    shapes = resolve_shapes(model, axes)
    parts = assign_parts(shapes.nodes)
    weights = {tensor.name for tensor in model.graph.initializer}
    return ModelFacts(
        ir_version=model.ir_version,
        opsets={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))),
        inputs=tuple(_port(value) for value in model.graph.input if value.name not in weights),
        outputs=tuple(_port(value) for value in model.graph.output),
        dynamic_axes=dynamic_axes(model),
        operators=_count_operators(model),
        functions=len(model.functions),
        metadata={entry.key: entry.value for entry in model.metadata_props},
        external_files=_external_files(model.graph.initializer),
        parameters=_parameters(model, shapes.nodes, parts),
        costs=_costs(model, shapes, parts, axes),
        findings=lint(model, shapes),
    )


def measure_costs(model: onnx.ModelProto, axes: Mapping[str, int]) -> Costs:
    """The costs alone; raises as ``inspect_model`` does."""
    shapes = resolve_shapes(model, axes)
    return _costs(model, shapes, assign_parts(shapes.nodes), axes)


def _costs(
    model: onnx.ModelProto, shapes: GraphShapes, parts: Sequence[Part], axes: Mapping[str, int]
) -> Costs:
    return Costs(
        axes=dict(axes),
        unbound=tuple(name for name in dynamic_axes(model) if name not in axes),
        flops=count_flops(shapes, parts),
        memory=peak_activations(shapes, model.graph),
        nodes=len(shapes.nodes) + len(shapes.hidden),
        unresolved=tuple(label_node(node, every_output=True) for node in shapes.unresolved()),
    )


def _port(value: onnx.ValueInfoProto) -> Port:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return Port(value.name, str(value.type.WhichOneof("value")), None)
    shape = None
    if kind.HasField("shape"):
        shape = tuple(
            dim.dim_value if is_length(dim) else dim.dim_param or "?" for dim in kind.shape.dim
        )
    name = TensorProto.DataType.Name(kind.elem_type)
    return Port(value.name, _ELEMENT_NAMES.get(name, name.lower()), shape)


def _count_operators(model: onnx.ModelProto) -> dict[str, int]:
    counts = Counter(qualified_name(node) for node in iterate_nodes(model))
    return dict(counts.most_common())


def _external_files(tensors: Iterable[TensorProto]) -> tuple[str, ...]:
    files = [
        entry.value
        for tensor in tensors
        if is_external(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    ]
    return tuple(dict.fromkeys(files))


def _parameters(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], parts: Sequence[Part]
) -> Parameters:
    readers: dict[str, list[Part]] = {}
    for node, part in zip(nodes, parts, strict=True):
        for name in node.input:
            readers.setdefault(name, []).append(part)
    by_part: Counter[Part] = Counter()
    total = quantised = size = 0
    for name, tensor in _constants(model):
        elements = math.prod(tensor.dims)
        size += _stored_bytes(tensor, elements)
        if tensor.data_type in _FLOATING:
            total += elements
            by_part[part_of_initializer(name, readers.get(name, ()))] += elements
        elif bits_of(tensor.data_type) <= 8 and tensor.data_type != TensorProto.BOOL:
            quantised += elements
    return Parameters(total, quantised, size, dict(by_part.most_common()))


def _constants(model: onnx.ModelProto) -> Iterator[tuple[str, TensorProto]]:
    """Initializers and the tensors of Constant nodes, bodies included."""
    for graph in iterate_scopes(model.graph):
        yield from ((tensor.name, tensor) for tensor in graph.initializer)
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and node.output and attribute.HasField("t"):
                    yield node.output[0], attribute.t


def _stored_bytes(tensor: TensorProto, elements: int) -> int:
    return len(tensor.raw_data) or elements * bits_of(tensor.data_type) // 8
