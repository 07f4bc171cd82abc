"""Which nodes go into 8 bits, on a small graph that carries the names of an export."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from locoexport.contract.profile import IntegerForm
from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.tracker.quantisation import quantise

BLOCK = "/encoder/net/_blocks.1"
MIXER = "/refinement_0/torch_pips_mixer/transformer/layers.0"
CMDTOP = "/refinement_0/correlation_hires/cmdtop/cmdtop.0"


def weight(name: str, *shape: int) -> onnx.TensorProto:
    random = np.random.default_rng(len(name))
    values = random.standard_normal(shape).astype(np.float32) / np.float32(shape[-1]) ** 0.5
    return numpy_helper.from_array(values, name)


def small_tracker(scope: str = "") -> onnx.ModelProto:
    """An encoder's block with its gate, a product of cmdtop, one of the mixer, and the move."""
    node = helper.make_node
    nodes = [
        node("Conv", ["video", "expand"], ["a"], f"{scope}{BLOCK}/_expand_conv/Conv"),
        node("Sigmoid", ["a"], ["b"], f"{scope}{BLOCK}/Sigmoid"),
        node("Mul", ["a", "b"], ["c"], f"{scope}{BLOCK}/Mul"),
        node("ReduceMean", ["c"], ["d"], f"{scope}{BLOCK}/ReduceMean", axes=[2, 3]),
        node("Conv", ["d", "reduce"], ["e"], f"{scope}{BLOCK}/_se_reduce/Conv"),
        node("Sigmoid", ["e"], ["f"], f"{scope}{BLOCK}/Sigmoid_1"),
        node("Mul", ["f", "c"], ["g"], f"{scope}{BLOCK}/Mul_1"),
        node("Conv", ["g", "project"], ["h"], f"{scope}{BLOCK}/_project_conv/Conv"),
        node("Flatten", ["h"], ["i"], "/between/Flatten"),
        node("Gemm", ["i", "first", "bias"], ["j"], f"{scope}{CMDTOP}/first/Gemm"),
        node("MatMul", ["j", "dense"], ["k"], f"{scope}{MIXER}/dense/MatMul"),
        node("MatMul", ["k", "move"], ["tracks"], f"{scope}/refinement_0/output_proj/MatMul"),
    ]
    weights = [
        *(weight("expand", 8, 3, 1, 1), weight("reduce", 8, 8, 1, 1), weight("first", 128, 16)),
        *(weight("project", 8, 8, 1, 1), weight("dense", 16, 16), weight("move", 16, 2)),
        weight("bias", 16),
    ]
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("video", float32, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("tracks", float32, [1, 2])],
        weights,
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def clips() -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    return [{"video": random.standard_normal((1, 3, 4, 4)).astype(np.float32)} for _ in range(3)]


# Random products of 16 numbers lose a tenth in 8 bits; other weights would be another answer.
def answers(model: onnx.ModelProto, video: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"video": video})[0]


def test_the_products_by_weights_are_dynamic() -> None:
    float32 = small_tracker()
    model = quantise(float32, IntegerForm(("transformer", "cmdtop"), 8))
    ops = Counter(node.op_type for node in model.graph.node)
    assert (ops["MatMulInteger"], ops["MatMul"]) == (2, 1)  # the one that moves positions
    assert (ops["Conv"], ops["QuantizeLinear"]) == (3, 0)
    moved = next(n for n in model.graph.node if n.op_type == "MatMul")
    assert "output_proj" in moved.name
    video = clips()[0]["video"]
    expected, found = answers(float32, video), answers(model, video)
    assert 0 < np.abs(found - expected).max() < 0.25 * np.abs(expected).max()


def test_the_silu_is_inside_and_the_gate_outside() -> None:
    float32 = small_tracker()
    model = quantise(float32, IntegerForm(("encoder",), 8), clips())
    makers = {name: node for node in model.graph.node for name in node.output}

    def reads_eight_bits(name: str) -> bool:
        node = next(node for node in model.graph.node if node.name == name)
        return makers[node.input[0]].op_type == "DequantizeLinear"

    inside = ("_expand_conv/Conv", "Sigmoid", "Mul", "Mul_1", "_project_conv/Conv")
    for name in inside:
        assert reads_eight_bits(f"{BLOCK}/{name}") or name == "Mul_1", name
    assert not reads_eight_bits(f"{BLOCK}/Sigmoid_1")
    reduce = next(n for n in model.graph.node if n.name == f"{BLOCK}/_se_reduce/Conv")
    assert reduce.input[1] == "reduce"  # its weights are float32 still
    video = clips()[0]["video"]
    expected, found = answers(float32, video), answers(model, video)
    assert 0 < np.abs(found - expected).max() < 0.25 * np.abs(expected).max()


@pytest.mark.parametrize(("bits", "most"), [(8, 127), (7, 64)])
def test_weights_use_as_many_bits_as_the_processor_adds(bits, most: int) -> None:
    model = quantise(small_tracker(), IntegerForm(("transformer",), bits))
    stored = [
        numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2
    ]
    assert len(stored) == 1
    assert most - 1 <= np.abs(stored[0].astype(int)).max() <= most


def test_a_graph_without_our_names_is_refused() -> None:
    foreign = small_tracker("/somewhere")
    with pytest.raises(GraphCheckFailedError, match="no product of the cmdtop has a name"):
        quantise(foreign, IntegerForm(("cmdtop",), 8))


def test_nothing_is_printed(capfd) -> None:
    quantise(small_tracker(), IntegerForm(("transformer", "encoder"), 8), clips())
    assert capfd.readouterr() == ("", "")
