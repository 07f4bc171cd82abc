"""What every exported file promises, checked on the graph that is written."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto

from locoexport.contract.interface import GraphInterface
from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.walking import iterate_bodies, iterate_graphs, iterate_nodes
from locoexport.lowering.tracker.coordinates import coordinate_faults

__all__ = ["check_promises"]

_ELEMENTS = {"float32": "FLOAT", "uint8": "UINT8"}


def check_promises(
    model: onnx.ModelProto, *, opset: int, interface: GraphInterface
) -> onnx.ModelProto:
    """Check every promise; returns the model with inferred shapes.

    Promises: valid to ``onnx.checker`` (full check), the opset that was asked for, the default
    domain only, no GridSample of rank 5 or unknown rank, every Squeeze with exactly one axis, no
    BatchNormalization, no float64, inputs and outputs with their types and named axes, no index or
    coordinate that passes through float16 or 8-bit integers.

    Raises:
        GraphCheckFailedError: a promise is broken; all broken ones are listed.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise GraphCheckFailedError(f"The graph is not valid ONNX: {error}") from error
    broken = [
        *_opset_faults(inferred, opset),
        *_node_faults(inferred),
        *_double_faults(inferred),
        *_axis_faults(inferred, interface),
        *coordinate_faults(inferred),
    ]
    if broken:
        raise GraphCheckFailedError("The graph breaks what it promises:\n- " + "\n- ".join(broken))
    return inferred


def _opset_faults(model: onnx.ModelProto, opset: int) -> Iterator[str]:
    written = {entry.domain: entry.version for entry in model.opset_import}
    if written != {"": opset}:
        yield f"opset imports are {written}, not the default domain at {opset} alone"


def _node_faults(model: onnx.ModelProto) -> Iterator[str]:
    ranks = _ranks(model)
    constants = _constant_sizes(model)
    for node in iterate_nodes(model):
        name = node.name or node.output[0]
        if node.domain not in DEFAULT_DOMAINS:
            yield f"{node.op_type} {name} is of the domain {node.domain!r}"
        if node.op_type == "GridSample" and ranks.get(node.input[0]) != 4:
            yield f"GridSample {name} has rank {ranks.get(node.input[0], 'unknown')}, not 4"
        if node.op_type == "Squeeze" and not (
            len(node.input) == 2 and constants.get(node.input[1]) == 1
        ):
            yield f"Squeeze {name} does not have exactly one constant axis"
        if node.op_type == "BatchNormalization":
            yield f"BatchNormalization {name} is not folded"


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    ranks = {}
    for graph in iterate_graphs(model):
        for value in (*graph.value_info, *graph.input, *graph.output):
            if value.type.tensor_type.HasField("shape"):
                ranks[value.name] = len(value.type.tensor_type.shape.dim)
        for tensor in graph.initializer:
            ranks[tensor.name] = len(tensor.dims)
    return ranks


def _constant_sizes(model: onnx.ModelProto) -> dict[str, int]:
    """How many numbers each constant holds, by name."""
    sizes = {}
    for graph in iterate_graphs(model):
        for tensor in graph.initializer:
            sizes[tensor.name] = _count(tensor.dims)
    for nodes in iterate_bodies(model):
        for node in nodes:
            if node.op_type == "Constant":
                attribute = node.attribute[0]
                if attribute.name == "value":
                    sizes[node.output[0]] = _count(attribute.t.dims)
                else:
                    sizes[node.output[0]] = max(len(attribute.ints), len(attribute.floats), 1)
    return sizes


def _count(dims: object) -> int:
    count = 1
    for size in dims:  # type: ignore[attr-defined]
        count *= size
    return count


def _double_faults(model: onnx.ModelProto) -> Iterator[str]:
    for graph in iterate_graphs(model):
        for value in (*graph.value_info, *graph.input, *graph.output):
            if value.type.tensor_type.elem_type == TensorProto.DOUBLE:
                yield f"{value.name} is float64"
        for tensor in graph.initializer:
            if tensor.data_type == TensorProto.DOUBLE:
                yield f"initializer {tensor.name} is float64"
    for node in iterate_nodes(model):
        for attribute in node.attribute:
            casts_to_double = (
                node.op_type == "Cast"
                and attribute.name == "to"
                and attribute.i == TensorProto.DOUBLE
            )
            if casts_to_double or attribute.t.data_type == TensorProto.DOUBLE:
                yield f"{node.op_type} {node.name} makes float64"


def _axis_faults(model: onnx.ModelProto, interface: GraphInterface) -> Iterator[str]:
    expected = {name: list(shape) for name, shape in interface.shapes.items()}
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    if list(found) != list(expected):
        yield f"inputs and outputs are {list(found)}, not {list(expected)}"
    for name, shape in expected.items():
        if name in found and found[name] != shape:
            yield f"{name} has shape {found[name]}, not {shape}"
    for value in (*model.graph.input, *model.graph.output):
        kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        due = _ELEMENTS[interface.type_of(value.name)]
        if kind != due:
            yield f"{value.name} holds {kind}, not {due}"
