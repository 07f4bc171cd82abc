"""Shape inference that says less where it cannot, instead of failing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx

from locoexport.graphs.structure import is_element_type
from locoexport.graphs.walking import iterate_graphs, iterate_nodes

__all__ = ["crashes_without_type", "infer_shapes"]

_MOST_PROPAGATED = 1 << 20
_UNLISTED_INITIALIZERS = 4
"""IR version from which an initializer need not be an input; before, inference passes it over."""
_CRASHING = {
    ("", "RegexFullMatch"),
    ("ai.onnx.ml", "DictVectorizer"),
    ("ai.onnx.ml", "LabelEncoder"),
}


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that ONNX can infer; the model itself where inference fails.

    GridSample's inference is by rank at every opset, so that the out-of-spec volumetric nodes at
    16 to 19, which ONNX Runtime's kernel accepts, get shapes too.
    """
    if any(crashes_without_type(node) for node in _reading_unknown(model)):
        return model
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=_propagates_little(model))
    except Exception:  # noqa: BLE001, RUF100 - its errors have no common class
        return model
    for graph in iterate_graphs(inferred):
        for value in (*graph.value_info, *graph.output):
            # A Cast to a type that does not exist makes values of it.
            if not is_element_type(value.type.tensor_type.elem_type):
                value.type.tensor_type.ClearField("elem_type")
    return inferred


def crashes_without_type(node: onnx.NodeProto) -> bool:
    """Whether onnx's inference (1.23.2) dies of this operator where its first input has no type."""
    return (node.domain, node.op_type) in _CRASHING


def _reading_unknown(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Nodes whose first input is told no type by the file itself."""
    typed = {
        value.name
        for graph in iterate_graphs(model)
        for value in (*graph.input, *graph.value_info)
        if value.type.WhichOneof("value")
    }
    if model.ir_version >= _UNLISTED_INITIALIZERS:
        typed |= {tensor.name for graph in iterate_graphs(model) for tensor in graph.initializer}
    return (node for node in iterate_nodes(model) if not {*node.input[:1]} & typed)


def _propagates_little(model: onnx.ModelProto) -> bool:
    """Whether values that inference follows stay small: a Concat of a value with itself doubles it,
    and sixty of those fill any memory.
    """
    sizes: dict[str, int] = {}
    for graph in iterate_graphs(model):
        rows = (tensor for tensor in graph.initializer if len(tensor.dims) < 2)
        sizes.update((tensor.name, math.prod(tensor.dims)) for tensor in rows)
    for node in iterate_nodes(model):
        together = sum if node.op_type == "Concat" else max
        size = together([sizes.get(name, 1) for name in node.input] or [1])
        if node.op_type == "Concat" and size > _MOST_PROPAGATED:
            return False
        sizes.update(dict.fromkeys(node.output, size))
    return True
