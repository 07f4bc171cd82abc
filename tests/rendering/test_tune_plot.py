"""The plot of a search: its labels do not cover one another."""

import itertools

import matplotlib.image
import pytest
from tuning_reports import make_tuning

from locoexport.rendering.tune_plot import draw_tune, spread_labels


def test_it_is_a_picture(tmp_path) -> None:
    draw_tune(make_tuning(), tmp_path / "tune.png")
    assert matplotlib.image.imread(tmp_path / "tune.png").ndim == 3


@pytest.mark.parametrize("count", [1, 2, 30])
def test_labels_of_one_place_are_spread(count: int) -> None:
    corners = spread_labels([(5.0, 5.0)] * count, (16, 10), 8)
    assert len(corners) == count
    for one, other in itertools.combinations(corners, 2):
        assert abs(one[0] - other[0]) >= 15.9 or abs(one[1] - other[1]) >= 9.9


def test_a_label_covers_no_dot() -> None:
    places = [(10.0 * number, 50.0) for number in range(12)]
    for left, middle in spread_labels(places, (16, 10), 8):
        for x, y in places:
            assert left >= x + 3.9 or left + 16 <= x - 3.9 or abs(middle - y) >= 8.9


def test_a_label_with_room_stays_beside_its_dot() -> None:
    places = [(0.0, 0.0), (100.0, 0.0), (0.0, 100.0)]
    assert [y for _, y in spread_labels(places, (16, 10), 8)] == [0, 0, 100]
