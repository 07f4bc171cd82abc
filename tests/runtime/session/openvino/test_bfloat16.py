"""What OpenVINO computes in bf16 is written into the types, and nothing else is."""

import numpy as np
import onnxruntime
import pytest

from locoexport.errors import ModelFileError, ProviderUnavailableError
from locoexport.runtime.session.openvino.bfloat16 import (
    carries_our_names,
    computes_in_bfloat16,
    lower_to_bfloat16,
)
from locoexport.runtime.session.openvino.compiled import check_bfloat16
from locoexport.runtime.session.providers import OPENVINO_PROVIDER, require_provider
from locoexport.runtime.session.single import open_session

openvino = pytest.importorskip("openvino")
from openvino import opset13 as operators  # noqa: E402

MIXER = "/refinement_1/torch_pips_mixer"
BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
NATIVE = OPENVINO_PROVIDER not in onnxruntime.get_available_providers()
needs_bf16 = pytest.mark.skipif(not (BF16 and NATIVE), reason="OpenVINO has no bf16 here")


def small_graph(scope: str):
    """A product, a norm's product behind it, and a product on its own indices."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(16, 16)).astype(np.float32)
    read = operators.parameter([-1, 16], np.float32, name="x")
    product = operators.matmul(read, weights, False, False, name=f"{scope}/in_proj/MatMul")
    gelu = operators.relu(product, name=f"{scope}/Relu")
    norm = operators.multiply(gelu, gelu, name=f"{scope}/ln_out/Mul")
    moved = operators.matmul(norm, weights, False, False, name=f"{scope}/output_proj/MatMul")
    return openvino.Model([operators.result(moved, name="y")], [read], "small")


def types(model) -> dict[str, str]:
    return {
        node.get_friendly_name(): node.get_output_element_type(0).get_type_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() != "Constant"
    }


def test_only_what_is_chosen_is_bf16() -> None:
    model = small_graph(MIXER)
    assert carries_our_names(model)
    assert lower_to_bfloat16(model) == 2
    found = types(model)
    assert found[f"{MIXER}/in_proj/MatMul"] == found[f"{MIXER}/Relu"] == "bf16"
    assert found[f"{MIXER}/ln_out/Mul"] == found[f"{MIXER}/output_proj/MatMul"] == "f32"
    assert found["x"] == found["y"] == "f32"


def test_a_graph_without_our_names_is_left_alone() -> None:
    model = small_graph("block")
    assert not carries_our_names(model)
    assert lower_to_bfloat16(model) == 0
    assert set(types(model).values()) == {"f32"}


@pytest.mark.parametrize(
    ("home", "op_type", "chosen"),
    [
        (f"{MIXER}/transformer/layers.3/attn/qkv/MatMul", "MatMul", True),
        ("/refinement_2/correlation_hires/cmdtop/cmdtop.0/first/MatMul", "MatMul", True),
        (f"{MIXER}/transformer/layers.3/attn/Add", "Add", False),  # the bias of -1e9
        (f"{MIXER}/transformer/layers.3/attn/Softmax", "Softmax", False),
        (f"{MIXER}/transformer/layers.3/Add_1", "Add", False),  # the residual stream
        (f"{MIXER}/transformer/layers.3/layer_norm1/Mul", "Multiply", False),
        (f"{MIXER}/output_proj/MatMul", "MatMul", False),
        ("/refinement_0/correlation_hires/sampling/MatMul", "MatMul", False),
        ("/refinement_0/Add", "Add", False),  # positions
        ("/refinement_0/torch_pips_mixer/transformer/layers.0/mlp/MatMul", "MatMul", False),
        ("/cost_volume/MatMul", "MatMul", False),
        ("/encoder/resnet/layer1/conv1/Conv", "Convolution", False),
        ("", "MatMul", False),
    ],
)
def test_what_may_compute_in_bf16(home: str, op_type: str, chosen: bool) -> None:
    assert computes_in_bfloat16(home, op_type) is chosen


class WithoutBfloat16:
    """A core of OpenVINO on an older processor."""

    def get_property(self, device: str, name: str):
        return {"OPTIMIZATION_CAPABILITIES": ["FP32", "INT8"], "FULL_DEVICE_NAME": "old"}[name]


def test_a_processor_without_bf16_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"AVX512_BF16 or AMX.*\(old\).*precision=f32"):
        check_bfloat16(WithoutBfloat16(), "CPU")


@pytest.mark.skipif(not NATIVE, reason="this ONNX Runtime has OpenVINO itself")
def test_another_device_is_refused_in_words() -> None:
    with pytest.raises(ProviderUnavailableError, match="precision=bf16 is for device=CPU"):
        require_provider("openvino:device=GPU,precision=bf16")


@needs_bf16
def test_a_file_without_our_names_is_refused(make_model) -> None:
    with pytest.raises(ModelFileError, match="none of its nodes has a name that an export gives"):
        open_session(make_model(), "openvino:precision=bf16")


@needs_bf16
def test_kernels_ran_as_the_types_say(tmp_path) -> None:
    path = tmp_path / "small.xml"
    openvino.save_model(small_graph(MIXER), path, compress_to_fp16=False)
    whole, lowered = openvino.Core().read_model(path), openvino.Core().read_model(path)
    lower_to_bfloat16(lowered)
    inputs = np.random.default_rng(1).normal(size=(40, 16)).astype(np.float32)
    exact, found = (
        openvino.Core().compile_model(m, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(inputs)[0]
        for m in (whole, lowered)
    )
    assert found.dtype == np.float32
    apart = np.abs(found - exact).max() / np.abs(exact).max()
    # Two roundings of 8 bits: 2^-9 each; in float32 it would be 1e-7.
    assert 1e-5 < apart < 2e-2
