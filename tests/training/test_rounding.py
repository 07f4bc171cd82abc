"""Rounding as the exported file rounds: against ONNX Runtime's own quantiser."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from locoexport.models.locotrack import create_model
from locoexport.training.rounding import (
    imitating,
    round_to_bfloat16,
    round_to_int8,
    round_to_uint8,
)

VIDEO = 2 * torch.rand((1, 3, 64, 64, 3), generator=torch.Generator().manual_seed(3)) - 1
QUERIES = torch.tensor([[[0.0, 20, 30], [1, 40, 10]]])


def quantised_product(folder: Path, weight: np.ndarray) -> onnxruntime.InferenceSession:
    """x · weight, as `export --precision int8` writes it."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, weight.shape[1]])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "float.onnx")
    quantize_dynamic(
        folder / "float.onnx",
        folder / "int8.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return onnxruntime.InferenceSession(folder / "int8.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("shift", [0.0, 3.0, -3.0])
def test_a_product_is_rounded_as_onnx_runtime_rounds_it(tmp_path, shift) -> None:
    random = np.random.default_rng(0)
    weight = (random.standard_normal((24, 10)) * np.geomspace(0.01, 10, 10)).astype(np.float32)
    x = (random.standard_normal((50, 24)) + shift).astype(np.float32)
    expected = quantised_product(tmp_path, weight).run(None, {"x": x})[0]
    rounded = round_to_uint8(torch.from_numpy(x)) @ round_to_int8(torch.from_numpy(weight.T)).T
    # The sums differ in their order alone: measured at most 2.7e-7 of the largest product.
    np.testing.assert_allclose(rounded, expected, atol=2e-6 * np.abs(expected).max())
    exact = x @ weight
    assert np.abs(exact - expected).max() > 1e-4 * np.abs(expected).max()


def test_every_output_of_a_weight_has_a_scale_of_its_own() -> None:
    weight = torch.tensor([[1.0, 0.5], [1000.0, 501.0]])
    rounded = round_to_int8(weight)
    assert rounded[0].tolist() == pytest.approx([1.0, 64 / 127])
    assert rounded[1].tolist() == pytest.approx([1000.0, 64000 / 127])


@pytest.mark.parametrize(
    "values", [torch.zeros(4), torch.full((4,), 2.5), torch.tensor([-1e-30, 1e-30])]
)
def test_ranges_of_nothing_give_no_nan(values) -> None:
    assert round_to_uint8(values).tolist() == pytest.approx(values.tolist(), abs=1e-6)
    assert round_to_int8(values[None]).isfinite().all()


def test_bfloat16_keeps_eight_bits() -> None:
    assert round_to_bfloat16(torch.tensor([1.00390625])).item() == 1.0
    assert round_to_bfloat16(torch.tensor([1.0078125])).item() == 1.0078125


@pytest.mark.parametrize("round_values", [round_to_int8, round_to_uint8, round_to_bfloat16])
def test_gradients_pass_as_if_nothing_was_rounded(round_values) -> None:
    values = torch.linspace(-1, 3, 12).reshape(3, 4).requires_grad_()
    (round_values(values) * torch.arange(12.0).reshape(3, 4)).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == torch.arange(12.0).reshape(3, 4).tolist()


@pytest.mark.parametrize("rounding", ["int8", "bf16"])
def test_only_the_refining_networks_are_rounded(rounding) -> None:
    model = create_model("b0-tiny")
    with torch.no_grad():
        exact = model(VIDEO, QUERIES)
        with imitating(model, rounding):
            rounded = model(VIDEO, QUERIES)
        after = model(VIDEO, QUERIES)
    # The first state is the encoder's and the cost volume's.
    assert torch.equal(exact.unrefined_tracks[0], rounded.unrefined_tracks[0])
    assert not torch.equal(exact.unrefined_tracks[1], rounded.unrefined_tracks[1])
    assert torch.equal(exact.tracks, after.tracks)


def test_the_projection_that_moves_positions_stays_exact() -> None:
    model = create_model("b0-tiny")
    hidden = torch.rand((2, model.config.transformer.dim))
    projection = model.torch_pips_mixer.output_proj
    with imitating(model, "int8"), torch.no_grad():
        assert torch.equal(
            projection(hidden),
            torch.nn.functional.linear(hidden, projection.weight.clone(), projection.bias),
        )
        entering = model.torch_pips_mixer.input_proj
        x = torch.rand((2, entering.in_features))
        plain = torch.nn.functional.linear(x, entering.weight.clone(), entering.bias)
        assert not torch.equal(entering(x), plain)


def test_float32_is_computed_as_it_is() -> None:
    model = create_model("b0-tiny")
    with torch.no_grad(), imitating(model, "float32"):
        inside = model(VIDEO, QUERIES).tracks
    with torch.no_grad():
        assert torch.equal(inside, model(VIDEO, QUERIES).tracks)
