"""Predictions over the truth: what is drawn where, and the legend below."""

import numpy as np

from locoexport.runtime.drawing.comparison import ComparedTracks, draw_comparison

GREY = 90


def drawn(
    *, truth=(120.0, 100.0), found=(120.0, 100.0), seen=True, said=True, shown=True, hw=(480, 640)
):
    """The one frame of a grey video with one point."""
    frames = np.full((1, *hw, 3), GREY, np.uint8)
    tracks = ComparedTracks(
        np.array([[0, 100.0, 120.0]], np.float32),
        np.array([[truth]]),
        np.array([[seen]]),
        np.array([[found]], np.float32),
        np.array([[said]]),
        np.array([[shown]]),
    )
    (frame,) = draw_comparison(frames, tracks, "a clip é")
    assert frame.dtype == np.uint8
    return frame


def touched(frame: np.ndarray, hw=(480, 640)) -> np.ndarray:
    return (frame[: hw[0]] != GREY).any(axis=-1)


def test_a_dot_in_a_ring() -> None:
    marked = touched(drawn())
    assert marked[99:101, 119:121].all()
    ys, xs = marked.nonzero()
    assert (ys.min() + ys.max() + 1) / 2 == 100
    assert (xs.min() + xs.max() + 1) / 2 == 120
    assert 10 < np.ptp(xs) < 30


def test_said_hidden_is_hollow() -> None:
    assert touched(drawn())[100, 120]
    assert not touched(drawn(said=False))[99:101, 119:121].any()


def test_a_hidden_truth_has_a_broken_ring() -> None:
    whole, broken = drawn(found=(400.0, 300.0)), drawn(found=(400.0, 300.0), seen=False)
    around = np.s_[85:115, 105:135]
    assert 0 < touched(broken)[around].sum() < 0.6 * touched(whole)[around].sum()


def test_a_line_joins_what_is_apart() -> None:
    assert touched(drawn(found=(220.0, 100.0)))[98:102, 170].any()
    assert not touched(drawn())[98:102, 170].any()


def test_nothing_is_drawn_of_a_point_that_is_not_shown() -> None:
    assert not touched(drawn(shown=False)).any()


def test_no_number_is_drawn_without_harm() -> None:
    drawn(found=(np.nan, np.inf))


def test_the_legend_lies_below() -> None:
    frame = drawn(shown=False)
    assert frame.shape[1:] == (640, 3)
    strip = frame[480:]
    assert 20 <= len(strip) <= 80
    assert strip.min() < 40
    assert strip.max() > 200


def test_small_videos_are_enlarged() -> None:
    frame = drawn(truth=(10.0, 20.0), found=(10.0, 20.0), hw=(60, 90))
    assert frame.shape[1] == 90 * 8
    marked = touched(frame, (480, 720))
    ys, xs = marked.nonzero()
    assert abs((ys.min() + ys.max() + 1) / 2 - 160) <= 1
    assert abs((xs.min() + xs.max() + 1) / 2 - 80) <= 1
