"""A tiny ONNX graph with the input and the outputs of a face parser."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_face_parser(
    path: Path,
    *,
    size: tuple[int | str, int | str] = (32, 48),
    classes: int = 19,
    limits: tuple[float, float, float] = (1.2, 1.2, 1.2),
    stride: int = 1,
    batch: int | str = 1,
    channels: int = 3,
    flat: bool = False,
) -> Path:
    """Class 0 where no colour is above its limit (of normalised values).

    Class 1 (skin) is the red that is above, class 17 (hair) the green and class 10 (nose) the blue.
    """
    weight = np.zeros((classes, channels, 1, 1), np.float32)
    bias = np.full(classes, -100, np.float32)
    bias[0] = 0
    for index, (colour, limit) in enumerate(zip((1, 17, 10), limits, strict=True)):
        if colour < classes and index < channels:
            weight[colour, index], bias[colour] = 1, -limit
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["conv"], strides=[stride, stride])]
    last = helper.make_node("Flatten", ["conv"], ["logits"]) if flat else None
    nodes.append(last or helper.make_node("Identity", ["conv"], ["logits"]))
    nodes.append(helper.make_node("Neg", ["conv"], ["aux"]))
    shape = None if flat else [None] * 4
    graph = helper.make_graph(
        nodes,
        "face_parser",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, channels, *size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("logits",)]
        + [helper.make_tensor_value_info("aux", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path
