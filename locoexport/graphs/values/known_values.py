"""What a model tells of its values: element types, shapes, constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.structure import is_length
from locoexport.graphs.values.inference import UNLISTED_INITIALIZERS, infer_from_inputs
from locoexport.graphs.walking import bodies_of, iterate_nodes, iterate_scopes

__all__ = ["Dimension", "KnownValue", "constants_of", "is_float", "known_values", "read_constant"]

Dimension = int | str | None
"""A length, the name of one that is open, or nothing known."""


@dataclass(frozen=True)
class KnownValue:
    """A tensor's element type (``onnx.TensorProto``) and shape; None is a rank nobody knows."""

    elem_type: int
    shape: tuple[Dimension, ...] | None

    @property
    def type_string(self) -> str:
        """As schemas write it: ``tensor(float)``."""
        return f"tensor({onnx.TensorProto.DataType.Name(self.elem_type).lower()})"


def known_values(model: onnx.ModelProto) -> dict[str, KnownValue]:
    """Tensors by name, in the main graph and in bodies, as inference knows them.

    A name that scopes share with two types or shapes is not in it, or with one that is not known;
    nor are values in functions.
    """
    found: dict[str, set[KnownValue | None]] = {}
    for graph in iterate_scopes(infer_from_inputs(model).graph):
        for name, known in _values_of(graph).items():
            found.setdefault(name, set()).update(known or {None})
    agreed = ((name, next(iter(values))) for name, values in found.items() if len(values) == 1)
    return {name: known for name, known in agreed if known is not None}


def constants_of(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Constants by name. Left out are external ones, a name that two scopes share (in the other it
    may be computed), and initializers that a caller may override (inputs of the graph).
    """
    found: dict[str, onnx.TensorProto] = {}
    seen = _names_given(model)
    tensors = [(tensor.name, tensor) for tensor in model.graph.initializer]
    for node in iterate_nodes(model):
        for body in bodies_of(node):
            tensors += [(tensor.name, tensor) for tensor in body.initializer]
        stated = list(_constant_tensor(node)) if _is_constant(node) else []
        tensors += [(node.output[0], tensor) for tensor in stated]
        if not stated:
            seen.update(node.output)
    for name, tensor in tensors:
        if name in seen:
            found.pop(name, None)
        elif tensor.data_location != onnx.TensorProto.EXTERNAL:
            found[name] = tensor
        seen.add(name)
    return found


def read_constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    """The value where it is constant and in the model itself; None where it is not, or a caller may
    override it."""
    if value is None or value.is_graph_input():
        return None
    tensor = ir.convenience.get_const_tensor(value)
    # Asked for its values, one in another file would open that by a path from here.
    return None if isinstance(tensor, ir.ExternalTensor) else tensor


def _values_of(graph: onnx.GraphProto) -> dict[str, set[KnownValue]]:
    """What one graph says of its own values, of some nothing; bodies are left out."""
    found: dict[str, set[KnownValue]] = {name: set() for node in graph.node for name in node.output}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor_type = value.type.tensor_type
        if tensor_type.elem_type:
            known = KnownValue(tensor_type.elem_type, _shape(tensor_type))
            found.setdefault(value.name, set()).add(known)
    for tensor in graph.initializer:
        # An input of the same name only repeats it.
        found[tensor.name] = {KnownValue(tensor.data_type, tuple(tensor.dims))}
    return found


def _names_given(model: onnx.ModelProto) -> set[str]:
    """Names of what callers, nodes with bodies and calls of functions hand in."""
    given = {value.name for value in model.graph.input}
    if model.ir_version < UNLISTED_INITIALIZERS:
        given -= {tensor.name for tensor in model.graph.initializer}
    for node in iterate_nodes(model):
        given.update(value.name for body in bodies_of(node) for value in body.input)
    return given.union(*(function.input for function in model.functions))


def _is_constant(node: onnx.NodeProto) -> bool:
    return node.op_type == "Constant" and node.domain in DEFAULT_DOMAINS and bool(node.output)


def _constant_tensor(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        if attribute.name == "value":
            yield attribute.t
        elif attribute.name == "value_ints":
            yield numpy_helper.from_array(np.array(attribute.ints, dtype=np.int64))
        elif attribute.name == "value_int":
            yield numpy_helper.from_array(np.array(attribute.i, dtype=np.int64))
        elif attribute.name == "value_floats":
            yield numpy_helper.from_array(np.array(attribute.floats, dtype=np.float32))
        elif attribute.name == "value_float":
            yield numpy_helper.from_array(np.array(attribute.f, dtype=np.float32))


def _shape(tensor_type: onnx.TypeProto.Tensor) -> tuple[Dimension, ...] | None:
    if not tensor_type.HasField("shape"):
        return None
    return tuple(
        dimension.dim_value if is_length(dimension) else dimension.dim_param or None
        for dimension in tensor_type.shape.dim
    )


def is_float(known: KnownValue) -> bool:
    """True for values of 16, 32 or 64 bits of floating point."""
    return known.elem_type in (
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
    )
