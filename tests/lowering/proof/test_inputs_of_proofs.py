"""What cut-outs are tried on: the shapes that the model tells, and values that mean something."""

import math

import numpy as np
import pytest
from onnx import TensorProto, helper

from locoexport.graphs.values.known_values import Dimension, KnownValue
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError, cut_out
from locoexport.lowering.proof.inputs import MOST_VALUES, count_trials, inputs_of, shapes_tried
from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def subject(
    operator: str,
    *inputs: tuple[int, tuple[Dimension, ...]],
    tolerance: ProofTolerance = EXACT,
    **attributes: object,
) -> CutOut:
    names = [f"x{number}" for number in range(len(inputs))]
    side = ([helper.make_node(operator, names, ["y"], **attributes)], 20)
    known = {name: KnownValue(*one) for name, one in zip(names, inputs, strict=True)}
    return cut_out(side, side, (["y"], ["y"]), known, {}, tolerance=tolerance)


def test_fixed_lengths_are_tried_once() -> None:
    assert shapes_tried(subject("Relu", (FLOAT, (2, 3)))) == [((2, 3),)]


def test_open_lengths_are_tried_apart_then_as_2_and_as_1() -> None:
    add = subject("Add", (FLOAT, ("n", 4, "m")), (FLOAT, ("n", 4, None)))
    assert shapes_tried(add) == [
        ((3, 4, 5), (3, 4, 3)),
        ((2, 4, 2), (2, 4, 2)),
        ((1, 4, 1), (1, 4, 1)),
    ]


def test_open_axes_of_a_pooling_hold_a_window() -> None:
    pool = subject("AveragePool", (FLOAT, ("n", 2, "h", 9)), kernel_shape=[6, 3], dilations=[2, 1])
    assert [shape[0][2:] for shape in shapes_tried(pool)] == [(11, 9)] * 3


@pytest.mark.parametrize("fixed", ["volume", "grid", "neither"])
def test_a_grid_has_the_batch_of_what_it_samples(fixed: str) -> None:
    volume = (4 if fixed == "volume" else "n", 2, 5, 6)
    grid = (4 if fixed == "grid" else None, 3, 3, 2)
    for first, second in shapes_tried(subject("GridSample", (FLOAT, volume), (FLOAT, grid))):
        assert first[0] == second[0]
        assert fixed == "neither" or first[0] == 4


def test_as_many_lists_of_inputs_as_are_counted_and_the_same_again() -> None:
    for one in (
        subject("Add", (FLOAT, ("n", 3)), (FLOAT, ("n", 3))),
        subject("Gather", (FLOAT, (4, 3)), (INT64, ("k",)), axis=0),
        subject("Relu", (FLOAT, (2,)), tolerance=ProofTolerance(1e-5, "a test's")),
    ):
        first, again = list(inputs_of(one)), list(inputs_of(one))
        assert len(first) == count_trials(one)
        for arrays, others in zip(first, again, strict=True):
            for array, other in zip(arrays, others, strict=True):
                np.testing.assert_array_equal(array, other)


def test_what_may_be_apart_is_tried_more_often() -> None:
    exact, apart = (
        count_trials(subject("Relu", (FLOAT, (8,)), tolerance=one))
        for one in (EXACT, ProofTolerance(1e-5, "a test's"))
    )
    assert apart > exact


def test_integers_are_mixed_then_zeros_then_ones() -> None:
    kinds = [arrays[1] for arrays in inputs_of(subject("Gather", (FLOAT, (4, 3)), (INT64, (64,))))]
    assert [set(kind.tolist()) for kind in kinds] == [{0, 1}, {0}, {1}]


def test_a_reshape_is_told_a_shape_that_fits() -> None:
    for values, shape in inputs_of(subject("Reshape", (FLOAT, (2, 6)), (INT64, (3,)))):
        assert values.reshape(shape).size == 12


def test_coordinates_lie_on_borders_and_beyond() -> None:
    sample = subject("GridSample", (FLOAT, (1, 1, 4, 4)), (FLOAT, (1, 16, 16, 2)))
    grid = next(iter(inputs_of(sample)))[1]
    assert {-1.0, 0.0, 1.0, -3.0, 3.0} <= set(grid.reshape(-1).tolist())
    assert np.abs(grid).max() > 1


def test_sizes_of_an_affine_grid_begin_with_the_batch() -> None:
    affine = subject("AffineGrid", (FLOAT, ("n", 2, 3)), (INT64, (4,)))
    assert {tuple(sizes) for _, sizes in inputs_of(affine)} == {
        (batch, 2, 3, 5) for batch in (3, 2, 1)
    }


def test_random_floats_are_of_several_sizes() -> None:
    spreads = [float(arrays[0].std()) for arrays in inputs_of(subject("Relu", (FLOAT, ("n", 999))))]
    assert len(spreads) == 3
    assert max(spreads) > 10 * min(spreads)


def test_what_is_too_large_is_not_proven() -> None:
    side = math.isqrt(MOST_VALUES) + 1
    with pytest.raises(NotProvenError, match="over"):
        next(inputs_of(subject("Relu", (FLOAT, (side, side)))))
