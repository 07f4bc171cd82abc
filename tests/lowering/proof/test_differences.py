"""Values of every type told apart: as numbers where they are numbers."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from locoexport.lowering.proof.differences import told_difference, worst_difference

LARGEST = np.finfo(np.float32).max


def apart(first: object, second: object, dtype: object = np.float32) -> float:
    return worst_difference([np.array(first).astype(dtype)], [np.array(second).astype(dtype)])


@pytest.mark.parametrize(
    ("dtype", "step"),
    [
        *((ml_dtypes.bfloat16, 0.5), (ml_dtypes.float8_e4m3fn, 0.5), (ml_dtypes.int4, 1)),
        *((np.float16, 0.5), (np.float32, 0.5), (np.float64, 0.5), (np.int64, 1), (np.uint8, 1)),
    ],
)
def test_numbers_of_every_type_are_compared_as_numbers(dtype: object, step: float) -> None:
    assert apart([1, 2, 3], [1, 2, 3], dtype) == 0
    assert apart([1, 2, 3], [1, 2, 3 + step], dtype) == step


def test_what_is_no_number_is_equal_or_infinitely_far() -> None:
    nan, inf = math.nan, math.inf
    assert apart([nan, inf, -inf, 0.0], [nan, inf, -inf, -0.0]) == 0
    assert apart([nan], [1]) == apart([inf], [1]) == apart([inf], [-inf]) == inf
    assert apart([True], [False], bool) == inf
    assert apart(["a"], ["b"], object) == inf
    assert worst_difference([np.zeros(3)], [np.zeros(4)]) == inf
    assert worst_difference([np.zeros(3)], []) == inf


def test_the_largest_float_masks_as_infinity_does() -> None:
    assert apart([-LARGEST, LARGEST], [-math.inf, math.inf]) == 0
    assert apart([-LARGEST], [math.inf]) == math.inf
    assert apart([-LARGEST], [1.0]) == math.inf


def test_integers_that_double_cannot_tell_apart_are_told_apart() -> None:
    assert apart([2**60], [2**60 + 1], np.int64) >= 1


def test_sequences_and_optionals_are_compared_element_by_element() -> None:
    first, second = [np.zeros(2), np.zeros(3)], [np.zeros(2), np.ones(3)]
    assert worst_difference([first], [list(first)]) == 0
    assert worst_difference([first], [second]) == 1
    assert worst_difference([first], [first[:1]]) == math.inf
    assert worst_difference([None], [None]) == 0
    assert worst_difference([None], [np.zeros(1)]) == math.inf


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([np.zeros((2, 3), np.float32)], "float32 of shape (2, 3)"),
        ([np.zeros(3, np.float64)], "float64 of shape (3,)"),
        ([np.full(3, np.nan, np.float32)], "infinite or NaN"),
        ([], "makes 0 values"),
    ],
)
def test_what_no_number_tells_is_told_in_words(found: list, words: str) -> None:
    assert words in told_difference([np.zeros(3, np.float32)], found)
