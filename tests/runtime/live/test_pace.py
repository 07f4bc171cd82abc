"""The window that keeps a rate: from what pushes took."""

import pytest

from locoexport.errors import UsageError
from locoexport.runtime.live.pace import Pace


def windows(pace: Pace, ms_a_frame: float, pushes: int, points: int = 4) -> list[int]:
    """The window of each push, where a push takes so many ms a frame that is looked at."""
    chosen = []
    for _ in range(pushes):
        chosen.append(pace.window)
        pace.observe(pace.window * ms_a_frame, points)
    return chosen


def test_without_a_target_the_window_stays() -> None:
    pace = Pace(8, None, fixed=False)
    assert set(windows(pace, 1e6, 30)) == {8}
    assert pace.observe(1e9, 4) == 0


def test_the_window_shrinks_until_the_rate_is_kept_and_stays_there() -> None:
    assert windows(Pace(16, 25, fixed=False), 5, 60)[-30:] == [8] * 30


def test_it_grows_again_where_there_is_room() -> None:
    pace = Pace(16, 25, fixed=False)
    assert windows(pace, 15, 40)[-1] == 2
    assert windows(pace, 1, 40)[-1] == 16


def test_it_does_not_go_to_and_fro() -> None:
    for ms in (1.0, 2.4, 2.6, 3.3, 4.9, 5.1, 7, 9.9, 11, 19, 21, 40):
        assert len(set(windows(Pace(16, 25, fixed=False), ms, 200)[100:])) == 1


def test_what_is_too_long_is_told() -> None:
    pace = Pace(2, 25, fixed=False)
    assert pace.observe(39, 4) == 0
    assert pace.observe(55, 4) == pytest.approx(15)


def test_one_long_push_changes_nothing() -> None:
    pace = Pace(8, 25, fixed=False)
    for index in range(30):
        pace.observe(500 if index % 6 == 5 else 30, 4)
    assert pace.window == 8


def test_other_points_are_measured_anew() -> None:
    pace = Pace(8, 25, fixed=False)
    for points in range(20):
        pace.observe(500, points)
    assert pace.window == 8


def test_a_fixed_file_has_one_window() -> None:
    assert set(windows(Pace(8, 1000, fixed=True), 50, 30)) == {8}


@pytest.mark.parametrize("largest", [1, 2, 3, 5])
def test_the_largest_may_be_any_number(largest: int) -> None:
    chosen = windows(Pace(largest, 1000, fixed=False), 500, 60)
    assert chosen[0] == largest
    assert chosen[-1] == min(largest, 2)


@pytest.mark.parametrize("target_fps", [0, -1, float("inf"), float("nan")])
def test_what_is_no_rate_is_refused(target_fps: float) -> None:
    with pytest.raises(UsageError, match="target_fps"):
        Pace(8, target_fps, fixed=False)
