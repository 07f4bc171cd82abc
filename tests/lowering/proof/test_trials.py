"""What both sides of a cut-out are tried on, and when a proof passes."""

from __future__ import annotations

import math
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, parser

from locoexport.graphs.values.known_values import KnownValue
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError
from locoexport.lowering.proof.runners import CannotRunError, StumbledError
from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance
from locoexport.lowering.proof.trials import check_affordable, prove_cut_out

FLOATS = KnownValue(TensorProto.FLOAT, ("n", 3, None))


def serialised(body: str, given: str = "float[n, 3, m] i0", opset: int = 17) -> bytes:
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({given}) => (o0) {{ {body} }}'
    return parser.parse_model(text).SerializeToString()


def beside(before: str, after: str, *inputs: KnownValue, given: str = "", **more) -> CutOut:
    given = given or "float[n, 3, m] i0"
    known = inputs or (FLOATS,)
    subject = CutOut(
        serialised(before, given), serialised(after, given), known, None, None, None, EXACT
    )
    return replace(subject, **more)


class Recorder:
    """In place of ONNX Runtime: answers with its inputs end to end, and keeps them."""

    def __init__(self) -> None:
        self.seen: list[list[np.ndarray]] = []

    def __call__(self, model: bytes, *, optimised: bool):
        assert not optimised

        def run(inputs):
            self.seen.append(list(inputs))
            return [np.concatenate([np.ravel(value) for value in inputs])]

        return run


@pytest.fixture
def recorder(monkeypatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("locoexport.lowering.proof.settings.on_onnxruntime", recorder)
    return recorder


def test_a_difference_is_held_to_the_tolerance() -> None:
    near = beside("o0 = Identity(i0)", "c = Constant<value_float = 0.5>() o0 = Add(i0, c)")
    proof = prove_cut_out(near)
    assert proof.worst_error == pytest.approx(0.5, abs=1e-6)
    assert not proof.passed
    assert not proof.reduced
    assert prove_cut_out(replace(near, tolerance=ProofTolerance(0.51, "for this test"))).passed
    assert not prove_cut_out(replace(near, tolerance=ProofTolerance(0.49, "for this test"))).passed


def test_bfloat16_is_told_apart_as_numbers(monkeypatch) -> None:
    known = KnownValue(TensorProto.BFLOAT16, (4,))

    def load(model: bytes, *, optimised: bool):
        step = 0.25 if model == b"after" else 0
        return lambda inputs: [np.full(3, 1 + step, ml_dtypes.bfloat16)]

    monkeypatch.setattr("locoexport.lowering.proof.settings.on_onnxruntime", load)
    subject = CutOut(b"before", b"after", (known,), None, None, None, EXACT)
    assert prove_cut_out(subject).worst_error == 0.25
    assert prove_cut_out(replace(subject, after=b"before")).passed


def test_a_replacement_that_fails_is_infinitely_far() -> None:
    stumbles = "c = Constant<value_ints = [7, 7, 7]>() o0 = Reshape(i0, c)"
    for after in (stumbles, "o0 = NoSuchOperator(i0)"):
        proof = prove_cut_out(beside("o0 = Neg(i0)", after))
        assert proof.worst_error == math.inf
        assert not proof.passed


def test_the_worst_of_all_trials_counts() -> None:
    # Its values are about 1, 4 and 0.1 in turn, and it is the difference.
    proof = prove_cut_out(beside("o0 = Identity(i0)", "o0 = Add(i0, i0)"))
    assert proof.worst_error > 3


@pytest.mark.parametrize("error", [CannotRunError, StumbledError])
def test_an_original_that_runs_nowhere_is_not_proven(monkeypatch, error) -> None:
    def load(model: bytes, *, optimised: bool = False):
        def run(inputs):
            raise error("no kernel")

        return run

    monkeypatch.setattr("locoexport.lowering.proof.settings.on_onnxruntime", load)
    monkeypatch.setattr("locoexport.lowering.proof.settings.on_reference", load)
    with pytest.raises(NotProvenError) as refused:
        prove_cut_out(beside("o0 = Neg(i0)", "o0 = Neg(i0)"))
    assert str(refused.value) == "ONNX Runtime CPU: no kernel; ONNX reference: no kernel"


def test_what_onnxruntime_lacks_is_run_by_the_reference_evaluator(monkeypatch) -> None:
    def load(model: bytes, *, optimised: bool):
        raise CannotRunError("no kernel")

    monkeypatch.setattr("locoexport.lowering.proof.settings.on_onnxruntime", load)
    proof = prove_cut_out(beside("o0 = Neg(i0)", "o0 = Neg(i0)"))
    assert (proof.runtime, proof.passed) == ("ONNX reference", True)
    assert not prove_cut_out(beside("o0 = Neg(i0)", "o0 = Abs(i0)")).passed


def test_trials_that_the_original_refuses_are_left_out() -> None:
    # Only the length of 2 fits the constant: one trial of three is told, and compared.
    body = "c = Constant<value_ints = [4, 3]>() o0 = Reshape(i0, c)"
    proof = prove_cut_out(beside(body, body))
    assert proof.shapes == (((2, 3, 2),),)
    assert proof.points == 12
    assert proof.passed


def test_a_random_original_is_not_proven() -> None:
    body = "o0 = RandomNormalLike(i0)"
    with pytest.raises(NotProvenError, match="ONNX Runtime CPU: it is random"):
        prove_cut_out(beside(body, body))


def test_open_lengths_are_one_for_each_name_then_two_then_one(recorder) -> None:
    first = KnownValue(TensorProto.FLOAT, ("n", "m", None))
    second = KnownValue(TensorProto.FLOAT, ("m", 6))
    proof = prove_cut_out(CutOut(b"", b"", (first, second), None, None, None, EXACT))
    assert proof.shapes == (((3, 5, 3), (5, 6)), ((2, 2, 2), (2, 6)), ((1, 1, 1), (1, 6)))
    assert proof.points == (45 + 30) + (8 + 12) + (1 + 6)


def test_inputs_too_large_to_try_are_not_proven(recorder, monkeypatch) -> None:
    large = KnownValue(TensorProto.FLOAT, (2**12, 2**12 + 1))
    monkeypatch.setattr("locoexport.lowering.proof.settings.on_reference", lambda model: None)
    with pytest.raises(NotProvenError, match="its inputs have over 16777216 values"):
        prove_cut_out(CutOut(b"", b"", (large,), None, None, None, EXACT))
    assert recorder.seen == []


def test_floats_are_tried_large_and_small(recorder) -> None:
    floats = KnownValue(TensorProto.FLOAT16, ("n", 3000))
    prove_cut_out(CutOut(b"", b"", (floats,), None, None, None, EXACT))
    spreads = {float(np.std(value.astype(np.float64))) for (value,) in recorder.seen}
    assert sorted(spreads) == pytest.approx([0.1, 1, 4], rel=0.05)
    assert {value.dtype for (value,) in recorder.seen} == {np.dtype(np.float16)}


def test_integers_are_tried_mixed_then_zeros_then_ones(recorder) -> None:
    integers, floats = KnownValue(TensorProto.INT64, (64,)), KnownValue(TensorProto.FLOAT, (2,))
    prove_cut_out(CutOut(b"", b"", (integers, floats), None, None, None, EXACT))
    tried = [set(value.tolist()) for value, _ in recorder.seen]
    # The original runs twice at first, to find what is random, and the replacement once.
    assert tried == [{0, 1}] * 3 + [{0}] * 2 + [{1}] * 2


def test_inputs_with_a_meaning_are_values_that_have_it(recorder) -> None:
    image = KnownValue(TensorProto.FLOAT, (2, 2))
    grid = KnownValue(TensorProto.FLOAT, ("n", 500))
    integers = KnownValue(TensorProto.INT64, (3,))
    prove_cut_out(CutOut(b"", b"", (image, grid, integers), 1, 2, None, EXACT))
    for _, coordinates, shape in recorder.seen:
        assert shape.tolist() == [-1, 1, 1]
        # No spread: where the image ends is at -1 and 1, whatever the trial.
        assert {-1.0, 0.0, 1.0, -3.0, 3.0} < set(coordinates.reshape(-1).tolist())
        assert np.abs(coordinates).max() == 3
    recorder.seen.clear()
    theta = KnownValue(TensorProto.FLOAT, ("n", 2, 3))
    size = KnownValue(TensorProto.INT64, (4,))
    prove_cut_out(CutOut(b"", b"", (theta, size), None, None, 1, EXACT))
    assert {tuple(sizes.tolist()) for _, sizes in recorder.seen} == {
        (3, 2, 3, 5),
        (2, 2, 3, 5),
        (1, 2, 3, 5),
    }
    assert all(sizes[0] == len(thetas) for thetas, sizes in recorder.seen)


def test_a_stated_tolerance_is_tried_on_more_values(recorder) -> None:
    floats = KnownValue(TensorProto.FLOAT, (4,))
    subject = CutOut(b"", b"", (floats,), None, None, None, EXACT)
    prove_cut_out(subject)
    assert len({value.tobytes() for (value,) in recorder.seen}) == 1
    recorder.seen.clear()
    prove_cut_out(replace(subject, tolerance=ProofTolerance(1e-3, "for this test")))
    assert len({value.tobytes() for (value,) in recorder.seen}) == 8


def test_strings_are_tried_as_strings(recorder) -> None:
    strings = KnownValue(TensorProto.STRING, (40,))
    assert prove_cut_out(CutOut(b"", b"", (strings,), None, None, None, EXACT)).passed
    assert {letter for (value,) in recorder.seen for letter in value} == {"a", "b", "c"}


def test_strings_that_differ_are_infinitely_far() -> None:
    known, given = KnownValue(TensorProto.STRING, (40,)), "string[40] i0"
    upper = 'o0 = StringNormalizer<case_change_action = "UPPER">(i0)'
    assert prove_cut_out(beside(upper, upper, known, given=given)).passed
    proof = prove_cut_out(beside("o0 = Identity(i0)", upper, known, given=given))
    assert proof.worst_error == math.inf


def test_what_makes_too_many_values_is_told_before_it_is_run() -> None:
    # Floats of one as 2²⁸ of them: its inputs are small.
    one = KnownValue(TensorProto.FLOAT, (1, 1))
    for lengths, fits in (([4096, 4096], True), ([16384, 16384], False)):
        expand = f"s = Constant<value_ints = {lengths}>() o0 = Expand(i0, s)"
        subject = beside(expand, expand, one, given="float[1, 1] i0")
        if fits:
            check_affordable(subject)
            continue
        with pytest.raises(NotProvenError, match="its outputs have over 16777216 values"):
            check_affordable(subject)
