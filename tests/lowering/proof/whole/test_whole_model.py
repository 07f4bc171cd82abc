"""Whole models side by side: what is wrong is found, what is right passes, the rest is told."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper, parser

from locoexport.lowering.proof.whole import whole_model
from locoexport.lowering.proof.whole.whole_model import (
    WholeModelProof,
    prove_whole_model,
    traits_of,
)

GIVEN = "float[n, 3, d, h, w] x, float[n, a, b, c, 3] g"


def made(body: str, given: str = GIVEN, outputs: str = "y", stated: str = "") -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 20, "theirs" : 1]> g ({given}) => ({outputs})'
    return parser.parse_model(f"{text} <{stated}> {{ {body} }}")


def prove(original: onnx.ModelProto, rewritten: onnx.ModelProto) -> WholeModelProof:
    sides = (original.SerializeToString(), rewritten.SerializeToString())
    return prove_whole_model(*sides, traits=traits_of(original))


SAMPLED = "xi = Relu(x) y = GridSample(xi, g)"
# What a rewrite writes that takes the stated batch of 1 for true: the first volume serves for all.
BATCH_BAKED_IN = """zero = Constant<value_ints = [0]>() one = Constant<value_ints = [1]>()
    xi = Relu(x) first = Slice(xi, zero, one, zero) shape = Shape(xi) all = Expand(first, shape)
    y = GridSample(all, g)"""
ARGMAX = "i = ArgMax<axis = 1>(y)"


def test_equal_models_pass_at_two_sizes_that_differ_in_every_open_axis() -> None:
    proof = prove(made(SAMPLED), made(SAMPLED.replace("Relu(x)", "LeakyRelu<alpha = 0.0>(x)")))
    assert proof.passed
    assert not proof.unproven
    assert proof.complete
    assert proof.allowed < 1e-3
    first, second = ({*size.split(", ")} for size in proof.sizes)
    assert "n=2" in first
    assert "n=3" in second
    assert not first & second
    assert len({one.split("=")[1] for one in first}) == len(first) == 7, "all lengths distinct"


@pytest.mark.parametrize("tail", ["", ARGMAX, "z = ReduceSum(y)"])
def test_a_batch_that_was_baked_in_fails(tail: str) -> None:
    outputs = {"": "y", ARGMAX: "int64[n, 1, a, b, c] i"}.get(tail, "z")
    original, wrong = (made(body + tail, outputs=outputs) for body in (SAMPLED, BATCH_BAKED_IN))
    proof = prove(original, wrong)
    assert not proof.passed
    assert proof.worst_difference > 10 * proof.allowed
    assert prove(original, original).passed


def test_a_length_that_was_baked_in_fails_to_run() -> None:
    shape = "s = Constant<value_ints = [1, 3, 4, 5, 6]>()"
    proof = prove(made(SAMPLED), made(f"{shape} xi = Relu(x) xr = Reshape(xi, s) y = Neg(xr)"))
    assert not proof.passed
    assert "n=2" in proof.failure


def test_an_output_of_another_shape_fails() -> None:
    flat = made("z = Relu(x) y = Flatten(z)")
    assert prove(made("y = Relu(x)"), flat).worst_difference == np.inf


def test_a_small_error_that_no_rounding_explains_fails() -> None:
    off = "c = Constant<value_float = 1.001>() z = Relu(x) y = Mul(z, c)"
    assert not prove(made("y = Relu(x)"), made(off)).passed


def test_a_model_that_amplifies_is_allowed_what_it_moves_itself() -> None:
    grow = "k = Constant<value_float = 1e4>() z = Mul(x, k) y = Sin(z)"
    near = "k = Constant<value_float = 1e4>() o = Constant<value_float = 1.0000001>() "
    near += "v = Mul(x, o) z = Mul(v, k) y = Sin(z)"
    proof = prove(made(grow), made(near))
    assert proof.passed
    assert not proof.unproven
    assert proof.worst_difference > 1e-4


def test_a_chaotic_model_is_not_proven() -> None:
    grow = "k = Constant<value_float = 1e9>() z = Mul(x, k) y = Sin(z)"
    near = grow.replace("z = Mul(x, k)", "o = Constant<value_float = 1.000001>() v = Mul(x, o) ")
    proof = prove(made(grow), made(near.replace("v = Mul(x, o) ", "v = Mul(x, o) z = Mul(v, k)")))
    assert "unstable" in proof.unproven
    assert proof.passed


def test_sizes_are_found_that_the_model_takes() -> None:
    # Halved and doubled three times, and added to what it was: multiples of 8 alone.
    down = " ".join(
        f"d{i + 1} = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(d{i})" for i in range(3)
    )
    up = f"d0 = Relu(x) {down} s = Constant<value_floats = [1.0, 1.0, 8.0, 8.0]>() "
    body = up + 'u = Resize<mode = "nearest">(d3, , s) y = Add(u, x)'
    proof = prove(made(body, "float[n, c, h, w] x"), made(body, "float[n, c, h, w] x"))
    assert proof.passed
    assert len(proof.sizes) == 2
    assert all(int(one.split("=")[1]) % 8 == 0 for one in proof.sizes[0].split(", ")[2:])


def test_a_batch_that_the_original_forces_is_told() -> None:
    body = "s = Constant<value_ints = [1, 3, -1]>() r = Reshape(x, s) y = Add(r, x)"
    proof = prove(made(body, "float[n, 3, h] x"), made(body, "float[n, 3, h] x"))
    assert [size.split(", ")[0] for size in proof.sizes] == ["n=1", "n=1"]
    assert "other lengths" in proof.note
    assert not proof.complete


def test_an_open_axis_that_weights_fix_is_found() -> None:
    original = made("y = MatMul(w, x)", "float[n, c, h] x")
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    original.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    proof = prove(original, original)
    assert all("c=3" in size for size in proof.sizes)
    assert not proof.unproven


def test_fixed_sizes_are_run_once() -> None:
    proof = prove(made("y = Relu(x)", "float[2, 3] x"), made("y = Relu(x)", "float[2, 3] x"))
    assert proof.sizes == ("the fixed sizes",)
    assert proof.complete
    assert proof.values == 6


@pytest.mark.parametrize(
    ("original", "reason"),
    [
        (made("y = theirs.Novel(x)"), "does not load"),
        (made("y = Identity(x)", "bfloat16[n] x"), "bfloat16"),
        (made("y = Neg(x)", "float[8192, 8192] x"), "too large"),
        (made("i = Constant<value_int = 7>() y = Gather<axis = 1>(x, i)"), "ran at no size"),
        (made("z = Constant<value_float = 0.0>() y = Mul(x, z)"), "constant"),
    ],
)
def test_what_cannot_be_run_is_told(original: onnx.ModelProto, reason: str) -> None:
    proof = prove(original, original)
    assert reason in proof.unproven
    assert proof.passed


def test_what_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_model, "_RUN_SECONDS", 0.2)
    endless = """m = Constant<value_int = 1152921504606846976>() t = Constant<value_int = 1>()
        on = Cast<to = 9>(t) y = Loop (m, on, x) <
        body = b (int64 i, bool c, float[n] s) => (bool d, float[n] e)
            { d = Identity(c) e = Neg(s) }
    >"""
    proof = prove(made(endless, "float[n] x"), made(endless, "float[n] x"))
    assert "longer" in proof.unproven
    assert proof.exhausted


def test_an_original_whose_shapes_are_folded_wrongly_is_taken_as_it_computes() -> None:
    # ONNX Runtime's optimiser believes the stated batch of 1, and the unoptimised run does not.
    body = """xi = Relu(x) s = Shape(xi) zero = Constant<value_ints = [0]>() n = Gather(s, zero)
        k = Cast<to = 1>(n) y = Mul(xi, k)"""
    stale = made(body, "float[n, 3] x", stated="float[1, 3] xi")
    proof = prove(stale, made(body, "float[n, 3] x"))
    assert proof.passed
    assert not proof.unproven


def test_half_precision_is_seen_wherever_it_is() -> None:
    assert not traits_of(made("y = Relu(x)")).half
    assert traits_of(made("h = Cast<to = 10>(x) y = Cast<to = 1>(h)")).half
    weights = made("y = Relu(x)")
    weights.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float16), "w"))
    assert traits_of(weights).half
    stated = made("y = Relu(x)")
    stated.graph.value_info.append(helper.make_tensor_value_info("v", 16, [1]))
    assert traits_of(stated).half


def test_an_output_that_cancels_to_nothing_tells_nothing() -> None:
    # A window of one point: 0.42 - 0.5 + 0.08, of which rounding is left.
    proof = prove(*(made(f"k = Constant<value_float = {k}>() y = Mul(x, k)") for k in (2e-8, 1e-8)))
    assert proof.passed
    assert proof.unproven


def test_a_model_that_pools_averages_is_tried_at_lengths_of_many_windows() -> None:
    body = "y = AveragePool<kernel_shape = [9, 9], strides = [9, 9]>(x)"
    proof = prove(*(made(body, "float[n, 3, h, w] x"),) * 2)
    assert proof.sizes == ("n=2, h=16, w=32", "n=3, h=48, w=64")


def test_the_rewritten_model_alone_shares_buffers_as_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[tuple[bytes, bool]] = []
    load = whole_model.onnxruntime.InferenceSession

    def recorded(given: bytes, options: object, **kept: object) -> object:
        opened.append((given, options.enable_mem_reuse))  # type: ignore[attr-defined]
        return load(given, options, **kept)

    monkeypatch.setattr(whole_model.onnxruntime, "InferenceSession", recorded)
    first, second = made("y = Relu(x)"), made("y = LeakyRelu<alpha = 0.0>(x)")
    assert prove(first, second).passed
    sides = (first.SerializeToString(), second.SerializeToString())
    assert opened == [(sides[0], False), (sides[0], False), (sides[1], True)]
