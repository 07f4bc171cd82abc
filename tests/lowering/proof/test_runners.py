"""What runs a small model for a proof, and how far its values are from others'."""

import math

import ml_dtypes
import numpy as np
import onnx.parser
import pytest

from locoexport.lowering.proof.differences import worst_difference
from locoexport.lowering.proof.runners import (
    CannotRunError,
    StumbledError,
    on_onnxruntime,
    on_reference,
)

LOADERS = {
    "plain": lambda model: on_onnxruntime(model, optimised=False),
    "optimised": lambda model: on_onnxruntime(model, optimised=True),
    "reference": on_reference,
}


def serialised(node: str, opset: int = 17) -> bytes:
    """A model of one node: two inputs ``a`` and ``b``, float vectors of any length."""
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[n] a, float[m] b) => (y)'
    return onnx.parser.parse_model(f"{text} {{ {node} }}").SerializeToString()


@pytest.fixture(params=list(LOADERS))
def load(request):
    """Each way to run a model."""
    return LOADERS[request.param]


def test_inputs_are_given_in_the_order_of_the_graph(load) -> None:
    run = load(serialised("y = Sub(a, b)"))
    (found,) = run([np.float32([5, 7]), np.float32([1, 2])])
    np.testing.assert_array_equal(found, [4, 5])
    assert found.dtype == np.float32


@pytest.mark.parametrize("model", [serialised("y = NoSuchOperator(a, b)"), b"no model at all"])
def test_a_model_that_no_runtime_takes_is_told_in_one_line(load, model: bytes) -> None:
    # The reference evaluator may take what it cannot run, and say so when it runs.
    with pytest.raises(CannotRunError) as refused:
        load(model)([np.float32([1]), np.float32([2])])
    assert not isinstance(refused.value, StumbledError)
    assert 0 < len(str(refused.value)) <= 200
    assert "\n" not in str(refused.value)


def test_onnxruntime_refuses_before_anything_runs() -> None:
    with pytest.raises(CannotRunError, match="NoSuchOperator"):
        on_onnxruntime(serialised("y = NoSuchOperator(a, b)"), optimised=False)


def test_what_a_runtime_says_on_many_lines_is_told_on_one(monkeypatch) -> None:
    def refuse(*given, **options):
        raise RuntimeError("no kernel\n   for\tit\n" + "and more " * 100)

    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    with pytest.raises(CannotRunError) as refused:
        on_onnxruntime(serialised("y = Add(a, b)"), optimised=False)
    assert str(refused.value).startswith("no kernel for it and more and")
    assert len(str(refused.value)) == 200


@pytest.mark.parametrize("load", [LOADERS["plain"], LOADERS["optimised"]])
def test_a_model_that_fails_on_its_inputs_stumbles(load) -> None:
    run = load(serialised("y = Add(a, b)"))
    with pytest.raises(StumbledError) as stumbled:
        run([np.zeros(2, np.float32), np.zeros(3, np.float32)])
    assert 0 < len(str(stumbled.value)) <= 200
    assert "\n" not in str(stumbled.value)
    (found,) = run([np.zeros(2, np.float32), np.ones(2, np.float32)])  # and it goes on
    np.testing.assert_array_equal(found, [1, 1])


def test_the_reference_evaluator_that_fails_cannot_run() -> None:
    run = on_reference(serialised("y = Add(a, b)"))
    with pytest.raises(CannotRunError):
        run([np.zeros(2, np.float32), np.zeros(3, np.float32)])


@pytest.mark.parametrize(
    ("dtype", "one", "other"),
    [
        (np.float32, 1.5, 1.75),
        (np.float64, 1.5, 1.75),
        (np.float16, 1.5, 1.75),
        (np.int64, 3, 5),
        (np.uint8, 3, 5),  # a difference in uint8 itself would be 254
        (ml_dtypes.bfloat16, 1.5, 1.75),
        (ml_dtypes.float8_e4m3fn, 1.5, 1.75),
        (ml_dtypes.float8_e5m2, 1.5, 1.75),
    ],
)
def test_numbers_of_every_type_are_told_apart(dtype, one: float, other: float) -> None:
    first, second = np.array([0, one], dtype), np.array([0, other], dtype)
    assert worst_difference([first], [first.copy()]) == 0
    assert worst_difference([first], [second]) == other - one
    assert worst_difference([second], [first]) == other - one


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_nan_is_equal_to_nan_alone(dtype) -> None:
    nan, number = np.array([np.nan, 1], dtype), np.array([2, 1], dtype)
    assert worst_difference([nan], [nan.copy()]) == 0
    assert worst_difference([nan], [np.array([np.nan, 3], dtype)]) == 2
    assert worst_difference([nan], [number]) == math.inf
    assert worst_difference([number], [nan]) == math.inf


def test_infinity_is_equal_to_itself_alone() -> None:
    up, down = np.array([np.inf, 1]), np.array([-np.inf, 1])
    assert worst_difference([up], [up.copy()]) == 0
    assert worst_difference([up], [down]) == math.inf
    assert worst_difference([up], [np.array([5.0, 1])]) == math.inf
    assert worst_difference([up], [np.array([np.inf, 3])]) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([np.zeros(2)], [np.zeros((2, 1))]),
        ([np.zeros(1)], [np.zeros(())]),
        ([np.zeros(2, np.float32)], [np.zeros(2, np.float64)]),
        ([np.zeros(2, np.int32)], [np.zeros(2, np.int64)]),
        ([np.zeros(2)], []),
        ([np.zeros(2)], [np.zeros(2), np.zeros(2)]),
    ],
)
def test_other_shapes_types_and_numbers_of_outputs_are_infinitely_far(first, second) -> None:
    assert worst_difference(first, second) == math.inf
    assert worst_difference(second, first) == math.inf


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array(["a", "b"], object), np.array(["a", "c"], object)),
        (np.array([True, False]), np.array([True, True])),
    ],
)
def test_what_is_no_number_is_equal_or_infinitely_far(one, other) -> None:
    assert worst_difference([one], [one.copy()]) == 0
    assert worst_difference([one], [other]) == math.inf


def test_the_worst_of_all_outputs_counts() -> None:
    zeros = [np.zeros(2), np.zeros(2), np.zeros(0)]
    assert worst_difference(zeros, [np.ones(2), np.array([0.0, -4.0]), np.zeros(0)]) == 4
    assert worst_difference([], []) == 0
