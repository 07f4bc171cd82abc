"""A tracker that never answers, in 2 kB more."""

import onnx
from onnx import TensorProto, helper


def endless(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a Loop of 2**62 rounds behind its output ``occlusion``."""
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "occlusion":
                node.output[index] = "occlusion_once"
        for index, name in enumerate(node.input):
            if name == "occlusion":
                node.input[index] = "occlusion_once"
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["again"], ["again_out"]),
            helper.make_node("Cos", ["value"], ["value_out"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value_out", TensorProto.FLOAT, None),
        ],
    )
    model.graph.initializer.append(helper.make_tensor("rounds", TensorProto.INT64, [], [2**62]))
    model.graph.initializer.append(helper.make_tensor("true", TensorProto.BOOL, [], [True]))
    loop = helper.make_node("Loop", ["rounds", "true", "occlusion_once"], ["occlusion"], body=body)
    model.graph.node.append(loop)
    return model
