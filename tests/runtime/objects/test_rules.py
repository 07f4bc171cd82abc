"""Each rule of following objects, on cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locoexport.errors import UsageError
from locoexport.runtime.objects.rules import (
    Gap,
    ObjectRules,
    find_gaps,
    find_preset,
    hull_of,
    lost_frames,
    mark_outliers,
    move_box,
    plan_gap,
    tight_box,
)


def still(frames: int, *excursions: tuple[int, float]) -> np.ndarray:
    """One point at (5, 7) that is so many pixels to the right in some frames."""
    track = np.full((1, frames, 2), (5, 7), np.float32)
    for frame, pixels in excursions:
        track[0, frame, 0] += pixels
    return track


def visible(track: np.ndarray) -> np.ndarray:
    return np.ones(track.shape[:2], np.bool_)


def hidden(marked: np.ndarray) -> list[int]:
    return np.flatnonzero(~marked[0]).tolist()


def test_an_excursion_is_hidden_for_as_long_as_it_lasts() -> None:
    # d = 0 but for two of 20 frames with d = 10: mean 1, standard deviation 3; 10 > 1 + 2·3.
    track = still(20, (4, 10), (5, 10))
    assert hidden(mark_outliers(track, visible(track))) == [4, 5]


def test_a_step_is_hidden_there_and_back() -> None:
    # Displacements from frame to frame: ±10 at frames 4 and 6; 17 of 19 are 0, mean 20/19 = 1.05,
    # standard deviation √(200/19 - 1.05²) = 3.07; 10 > 7.19.
    track = still(20, (4, 10), (5, 10))
    assert hidden(mark_outliers(track, visible(track), displacement="step")) == [4, 6]


def test_the_limit_itself_is_no_outlier() -> None:
    # One of five frames: mean 2, standard deviation 4, limit 10, and d = 10 is not above it.
    track = still(5, (2, 10))
    assert hidden(mark_outliers(track, visible(track))) == []
    # One of six: mean 10/6, deviation √(100/6 - (10/6)²) = 3.73, limit 9.12.
    track = still(6, (2, 10))
    assert hidden(mark_outliers(track, visible(track))) == [2]


def test_the_number_of_deviations_counts() -> None:
    # As above: 10 lies (10 - 1.667) / 3.727 = 2.236 deviations above the mean.
    track = still(6, (2, 10))
    assert hidden(mark_outliers(track, visible(track), 2.23)) == [2]
    assert hidden(mark_outliers(track, visible(track), 2.24)) == []
    assert hidden(mark_outliers(track, visible(track), np.inf)) == []


def test_steady_motion_is_never_hidden() -> None:
    frames = np.arange(50)
    track = np.stack([3 * frames, -2 * frames], axis=-1)[None].astype(np.float32)
    for displacement in ("origin", "step"):
        assert hidden(mark_outliers(track, visible(track), displacement=displacement)) == []


def test_points_are_judged_one_by_one_and_hidden_ones_stay_hidden() -> None:
    track = np.concatenate([still(20, (4, 10)), still(20)])
    seen = visible(track)
    seen[1, 9] = False
    marked = mark_outliers(track, seen)
    assert np.argwhere(~marked).tolist() == [[0, 4], [1, 9]]
    assert np.argwhere(~seen).tolist() == [[1, 9]]  # the input is left as it was


@pytest.mark.parametrize("shape", [(0, 5), (3, 1), (0, 1)])
@pytest.mark.parametrize("displacement", ["origin", "step"])
def test_no_points_or_one_frame(shape, displacement) -> None:
    marked = mark_outliers(
        np.zeros((*shape, 2), np.float32), np.ones(shape, np.bool_), 2.0, displacement
    )
    assert marked.shape == shape
    assert marked.all()


def test_lost_is_fewer_than_a_third() -> None:
    seen = np.zeros((9, 4), np.bool_)
    seen[:2, 1] = seen[:3, 2] = seen[:, 3] = True
    assert lost_frames(seen).tolist() == [True, True, False, False]  # 0, 2, 3 and 9 of 9
    assert lost_frames(seen[:, :3], 2 / 9).tolist() == [True, False, False]
    assert lost_frames(np.zeros((0, 2), np.bool_)).tolist() == [True, True]


@given(st.integers(1, 300))
def test_exactly_a_third_is_never_lost(third: int) -> None:
    seen = np.zeros((3 * third, 2), np.bool_)
    seen[:third] = True
    seen[third - 1, 1] = False
    assert lost_frames(seen).tolist() == [False, True]


def test_gaps() -> None:
    def gaps(text: str) -> list[tuple[int, int]]:
        found = find_gaps(np.array([letter == "x" for letter in text]))
        return [(gap.start, gap.stop) for gap in found]

    assert gaps("xx..x.x") == [(2, 4), (5, 6)]
    assert gaps("..x.") == [(0, 2), (3, 4)]
    assert gaps("xxx") == []
    assert gaps("...") == []


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_gaps_are_the_frames_without_a_detection(detected: list[bool]) -> None:
    array = np.array(detected)
    in_gaps = [frame for gap in find_gaps(array) for frame in range(gap.start, gap.stop)]
    assert in_gaps == (np.flatnonzero(~array).tolist() if array.any() else [])


def confidence(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_gap_is_tracked_from_the_better_side() -> None:
    left = plan_gap(Gap(2, 4), confidence(0.9, 0.8, 0, 0, 0.7, 0.6))
    assert (left.window_start, left.window_stop, left.anchor) == (0, 6, 0)
    right = plan_gap(Gap(2, 4), confidence(0.5, 0.5, 0, 0, 0.7, 0.6))
    assert right.anchor == 4
    # Equal sides: the earlier; equal detections: the one nearest to the gap.
    assert plan_gap(Gap(2, 4), confidence(0.5, 0.5, 0, 0, 0.5, 0.5)).anchor == 1
    assert plan_gap(Gap(2, 4), confidence(0.4, 0.4, 0, 0, 0.5, 0.5)).anchor == 4


def test_a_side_with_one_good_detection_loses_against_one_with_many() -> None:
    # Means over the side: (0 + 0 + 0.9) / 3 = 0.3 against 0.5.
    assert plan_gap(Gap(3, 4), confidence(0, 0, 0.9, 0, 0.5, 0.5, 0.5)).anchor == 4


def test_only_the_context_counts() -> None:
    values = confidence(0.9, 0.2, 0, 0.5, 0.6, 0.99)
    plan = plan_gap(Gap(2, 3), values, context_frames=1)
    assert (plan.window_start, plan.window_stop, plan.anchor) == (1, 4, 3)
    many = np.full(60, 0.5, np.float32)
    many[20:30] = 0
    plan = plan_gap(Gap(20, 30), many)
    assert (plan.window_start, plan.window_stop, plan.anchor) == (10, 40, 19)


def test_gaps_at_the_ends_have_one_side() -> None:
    assert plan_gap(Gap(0, 2), confidence(0, 0, 0.1, 0.2)).anchor == 3
    assert plan_gap(Gap(2, 4), confidence(0.1, 0.2, 0, 0)).anchor == 1


BOX = np.array([0, 0, 10, 20], np.float32)
POINTS = np.array([[2, 4], [8, 4], [2, 16], [8, 16], [5, 10]], np.float32)


def test_a_box_moves_and_grows_with_its_points() -> None:
    np.testing.assert_allclose(
        move_box(BOX, POINTS, np.add(POINTS, (3, -1))), [3, -1, 13, 19], atol=1e-5
    )
    # Twice as far apart about their middle, (5, 10), which is also the box's.
    twice = (POINTS - (5, 10)) * 2 + (5, 10)
    np.testing.assert_allclose(move_box(BOX, POINTS, twice), [-5, -10, 15, 30], atol=1e-5)


def test_few_points_on_the_background_do_not_move_a_box() -> None:
    now = np.add(POINTS, (3, 0))
    now[0] = POINTS[0] - (400, 0)
    np.testing.assert_allclose(move_box(BOX, POINTS, now)[:2] - BOX[:2], [3, 0], atol=1.5)


def test_two_points_or_points_in_one_place_move_a_box_but_do_not_scale_it() -> None:
    np.testing.assert_allclose(move_box(BOX, POINTS[:2], POINTS[:2] * 3), [10, 8, 20, 28])
    close = np.array([[5, 5], [5.2, 5], [5, 5.2]], np.float32)
    np.testing.assert_allclose(move_box(BOX, close, close * 10), [45, 45, 55, 65], atol=1e-4)


def test_hulls() -> None:
    hull = hull_of(np.array([[0, 0], [4, 0], [2, 1], [4, 4], [0, 4]], np.float32))
    assert sorted(hull.tolist()) == [[0, 0], [0, 4], [4, 0], [4, 4]]
    assert hull_of(POINTS[:2]).shape == (0, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"outlier_deviations": -1},
        {"outlier_deviations": float("nan")},
        {"displacement": "jump"},
        {"least_visible": 1.5},
        {"context_frames": 0},
        {"grid_hw": (0, 3)},
        {"least_overlap": 0},
        {"least_detections": 0},
        {"gap_box": "x"},
        {"mask_every": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_rules_out_of_range(wrong) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        ObjectRules(**wrong)


def test_the_smallest_box_around_points() -> None:
    points = np.float32([[3, 9], [1, 4], [7, 5]])
    assert tight_box(points).tolist() == [1, 4, 7, 9]
    assert tight_box(points[:1]).tolist() == [3, 9, 3, 9]


def test_the_numbers_of_the_face_script() -> None:
    rules = find_preset("face-parsing").rules
    assert rules == ObjectRules(
        outlier_deviations=1.0, displacement="step", least_visible=0.4, gap_box="points"
    )
    with pytest.raises(UsageError, match="no preset 'face'; there is face-parsing"):
        find_preset("face")
