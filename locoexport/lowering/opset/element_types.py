"""Element types of a model's values, against what an operator takes at an opset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import defs

from locoexport.graphs.values.inference import infer_from_inputs
from locoexport.graphs.walking import iterate_scopes

__all__ = ["TypeTable", "types_of"]


@dataclass(frozen=True)
class TypeTable:
    """Tensor types by value name, as schemas write them: ``tensor(float)``.

    A name that scopes share with two types is not in it, nor are values inside functions.
    """

    by_name: dict[str, str]

    def objections(self, node: onnx.NodeProto, schema: defs.OpSchema) -> Iterator[str]:
        """Types of the node's inputs and outputs that ``schema`` does not take."""
        allowed = {
            constraint.type_param_str: constraint.allowed_type_strs
            for constraint in schema.type_constraints
        }
        for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs)):
            for index, name in enumerate(names):
                formal = formals[min(index, len(formals) - 1)] if formals else None
                known = self.by_name.get(name)
                if formal is None or known is None:
                    continue
                types = allowed.get(formal.type_str, [formal.type_str])
                if known not in types:
                    yield f"{node.op_type}: {known} is newer"


def types_of(model: onnx.ModelProto) -> TypeTable:
    """The types that inference knows, in the main graph and in bodies."""
    found: dict[str, set[str]] = {}
    for graph in iterate_scopes(infer_from_inputs(model).graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            kind = value.type.tensor_type.elem_type
            if kind:
                found.setdefault(value.name, set()).add(_type_string(kind))
        for tensor in graph.initializer:
            found.setdefault(tensor.name, set()).add(_type_string(tensor.data_type))
    return TypeTable({name: types.pop() for name, types in found.items() if len(types) == 1})


def _type_string(elem_type: int) -> str:
    return f"tensor({onnx.TensorProto.DataType.Name(elem_type).lower()})"
