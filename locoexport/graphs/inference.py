"""Shape inference that says less where it cannot, instead of failing."""

from __future__ import annotations

import onnx

__all__ = ["infer_shapes"]


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that ONNX can infer; the model itself where inference fails.

    GridSample's inference is by rank at every opset, so that the out-of-spec volumetric nodes at
    16 to 19, which ONNX Runtime's kernel accepts, get shapes too.
    """
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001, RUF100 - its errors have no common class
        return model
