"""Which nodes compute in float16, and that the casts around them are right."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.half_precision import computes_in_half, to_half_precision

_MIXER = "/refinement_2/torch_pips_mixer/transformer/layers.0"


@pytest.mark.parametrize(
    ("name", "op_type", "half"),
    [
        ("/encoder/efficientnet_feature_extractor/_blocks.0/_se_expand/Conv", "Conv", True),
        ("/encoder/efficientnet_feature_extractor/_blocks.0/Sigmoid", "Sigmoid", True),
        ("/encoder/ReduceSum", "ReduceSum", False),
        ("/encoder/Div", "Div", False),
        ("/query_sampling/MatMul", "MatMul", False),
        ("/cost_volume/MatMul_1", "MatMul", True),
        ("/cost_volume/cost_conv/Conv", "Conv", False),
        ("/cost_volume/occ_linear/Gemm", "Gemm", False),
        ("/refinement_0/Sin", "Sin", False),
        ("/refinement_0/Add", "Add", False),
        ("/refinement_0/correlation_hires/sampling/MatMul", "MatMul", False),
        ("/refinement_0/correlation_hires/cmdtop/cmdtop.0/first/MatMul", "MatMul", True),
        ("/refinement_0/correlation_hires/cmdtop/cmdtop.0/norms.0/Mul", "Mul", False),
        ("/refinement_0/correlation_hires/cmdtop/cmdtop.0/head/Mul", "Mul", False),
        ("/refinement_0/correlation_hires/cmdtop/cmdtop.0/head/convolution/Gemm", "Gemm", True),
        (f"{_MIXER}/attn/query_proj/MatMul", "MatMul", True),
        (f"{_MIXER}/attn/query_proj/Add", "Add", True),
        (f"{_MIXER}/attn/Add", "Add", False),
        (f"{_MIXER}/attn/Softmax", "Softmax", False),
        (f"{_MIXER}/layer_norm1/LayerNormalization", "LayerNormalization", False),
        (f"{_MIXER}/layer_norm2/Mul", "Mul", False),
        (f"{_MIXER}/dense/dense.1/Erf", "Erf", True),
        (f"{_MIXER}/Add_1", "Add", False),
        ("/refinement_2/torch_pips_mixer/transformer/ln_out/Add", "Add", False),
        ("/refinement_2/torch_pips_mixer/output_proj/MatMul", "MatMul", False),
        ("/refinement_2/torch_pips_mixer/input_proj/MatMul", "MatMul", True),
    ],
)
def test_the_islands(name: str, op_type: str, half: bool) -> None:
    assert computes_in_half(name, op_type) is half


def graph(scale: float = 1.0, scope: str = "/encoder/net") -> onnx.ModelProto:
    """Two products in float16 with a sigmoid between, an output of the first, a square after."""
    random = np.random.default_rng(0)
    weight = (scale * random.standard_normal((4, 4))).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name=f"{scope}/MatMul"),
        helper.make_node("Sigmoid", ["a"], ["b"], name=f"{scope}/Sigmoid"),
        helper.make_node("MatMul", ["b", "w"], ["y"], name=f"{scope}/MatMul_1"),
        helper.make_node("Mul", ["y", "y"], ["z"], name="/encoder/Mul"),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y", "z")
    ]
    return helper.make_model(
        helper.make_graph(
            nodes, "g", values[:1], values[1:], [numpy_helper.from_array(weight, "w")]
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})


def test_inputs_and_outputs_stay_float32_and_casts_are_few() -> None:
    lowered = to_half_precision(graph())
    onnx.checker.check_model(lowered, full_check=True)
    assert [value.name for value in (*lowered.graph.input, *lowered.graph.output)] == [
        "x",
        "y",
        "z",
    ]
    types = {v.type.tensor_type.elem_type for v in (*lowered.graph.input, *lowered.graph.output)}
    assert types == {TensorProto.FLOAT}
    # x to half; y back, once for the output and the square together.
    assert [node.op_type for node in lowered.graph.node].count("Cast") == 2
    (weight,) = lowered.graph.initializer
    assert weight.data_type == TensorProto.FLOAT16
    names = [node.name for node in lowered.graph.node]
    assert len(set(names)) == len(names)
    x = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    for before, after in zip(run(graph(), x), run(lowered, x), strict=True):
        assert after.dtype == np.float32
        assert 0 < np.abs(before - after).max() < 2e-2


def test_a_weight_beyond_float16_is_refused() -> None:
    with pytest.raises(
        GraphCheckFailedError, match=r"the weight w holds .*largest float16 is 65504"
    ):
        to_half_precision(graph(scale=1e5))


def test_a_graph_without_our_names_is_refused() -> None:
    with pytest.raises(GraphCheckFailedError, match="no node has a name"):
        to_half_precision(graph(scope="/somewhere"))
