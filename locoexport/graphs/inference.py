"""Shape inference that says less where it cannot, instead of failing."""

from __future__ import annotations

import onnx

from locoexport.graphs.structure import is_element_type
from locoexport.graphs.walking import iterate_graphs

__all__ = ["infer_shapes"]


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that ONNX can infer; the model itself where inference fails.

    GridSample's inference is by rank at every opset, so that the out-of-spec volumetric nodes at
    16 to 19, which ONNX Runtime's kernel accepts, get shapes too.
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001, RUF100 - its errors have no common class
        return model
    for graph in iterate_graphs(inferred):
        for value in (*graph.value_info, *graph.output):
            # A Cast to a type that does not exist makes values of it.
            if not is_element_type(value.type.tensor_type.elem_type):
                value.type.tensor_type.ClearField("elem_type")
    return inferred
