"""Which points an evaluation asks for, against cases worked by hand."""

import numpy as np
import pytest

import locoexport
from locoexport.errors import InputError

# Three tracks over seven frames: seen from frame 2, never seen, seen in 0, 5 and 6 alone.
HIDDEN = np.array(
    [
        [1, 1, 0, 0, 0, 0, 1],
        [1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 0, 0],
    ],
    bool,
)
POINTS = np.arange(42, dtype=np.float32).reshape(3, 7, 2)


def test_first() -> None:
    found = locoexport.sample_queries(HIDDEN, POINTS, "first")
    assert found.keys() == {"query_points", "target_points", "occluded"}
    # t, y, x: track 0 in frame 2 is at x = 4, y = 5.
    np.testing.assert_array_equal(found["query_points"], [[[2, 5, 4], [0, 29, 28]]])
    assert found["query_points"].dtype == np.float64
    np.testing.assert_array_equal(found["target_points"], POINTS[None, [0, 2]])
    np.testing.assert_array_equal(found["occluded"], HIDDEN[None, [0, 2]])


def test_strided() -> None:
    found = locoexport.sample_queries(HIDDEN, POINTS, "strided")
    assert found.keys() == {"query_points", "target_points", "occluded", "trackgroup"}
    # Frames 0 and 5 are asked: track 2 in 0; tracks 0 and 2 in 5.
    np.testing.assert_array_equal(found["query_points"], [[[0, 29, 28], [5, 11, 10], [5, 39, 38]]])
    np.testing.assert_array_equal(found["trackgroup"], [[2, 0, 2]])
    np.testing.assert_array_equal(found["target_points"], POINTS[None, [2, 0, 2]])
    np.testing.assert_array_equal(found["occluded"], HIDDEN[None, [2, 0, 2]])


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_tracks_that_are_never_seen(mode: str) -> None:
    found = locoexport.sample_queries(HIDDEN[1:2], POINTS[1:2], mode)
    assert found["query_points"].shape == (1, 0, 3)
    assert found["target_points"].shape == (1, 0, 7, 2)
    assert found["occluded"].shape == (1, 0, 7)


def test_integers_stand_for_booleans() -> None:
    for mode in ("first", "strided"):
        with_integers = locoexport.sample_queries(HIDDEN.astype(int), POINTS, mode)
        for name, array in locoexport.sample_queries(HIDDEN, POINTS, mode).items():
            np.testing.assert_array_equal(array, with_integers[name])


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(InputError, match=r"points \(n, t, 2\) and occluded \(n, t\)"):
        locoexport.sample_queries(HIDDEN, POINTS[:2], "first")
