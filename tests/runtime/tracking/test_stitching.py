"""The rule at the top of ``stitching.py``, sentence by sentence, on windows made by hand.

Frame t of a video has the grey level t. The model's answer in window k to what point p is at time t
is x = 100 k + t and y = x + 0.5, so that a track tells which window each of its frames is from.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from locoexport.runtime.tracking.stitching import Stitcher
from locoexport.runtime.tracking.windows import Window, WindowSize

FIRST, SECOND = (0, 8, 0), (4, 12, 4)  # (start, end, commit_from) of windows of 8 that share 4
EIGHT = WindowSize(8, 4)
VISIBLE, HIDDEN = 1.0, 0.1


@dataclass
class Step:
    """What happened in a window: per point what it was asked, and what came out."""

    levels: dict[int, list[int]]  # of the frames that the model was shown
    queries: dict[int, list[float]]
    windows: np.ndarray  # (points, frames): whose answer it is; -1 where there is none
    confidence: np.ndarray
    new: np.ndarray
    settled: int  # the frame before which tracks were final as the window began


def _window(start: int, end: int, commit_from: int, level=lambda time: time) -> Window:
    levels = np.array([level(time) for time in range(start, end)])
    frames = [np.full((1, 1, 3), each, np.uint8) for each in levels]
    return Window(start, commit_from, frames, np.float32(frames)[None])


def _pass_over(
    queries, size: WindowSize, spans, confidences=None, *, per_call=64, level=lambda time: time
) -> list[Step]:
    """Run every window; ``confidences`` are of each, per point and frame (all visible if None)."""
    queries = np.float32(queries)
    stitcher, steps = Stitcher(queries.copy(), size), []
    for number, span in enumerate(spans):
        window = _window(*span, level)
        shown, times = window.video.copy(), np.arange(span[0], span[1])
        x = np.broadcast_to(np.float32(100 * number + times), (len(queries), len(times)))
        confidence = np.full(x.shape, VISIBLE, np.float32)
        if confidences is not None:
            confidence = np.float32(confidences[number])
        levels, asked = {}, {}
        active = stitcher.begin(window)
        settled = stitcher.settled(window)
        for request in stitcher.requests(window, per_call):
            assert len(request.points) <= per_call
            xy = np.stack([x, x + 0.5], axis=-1)[request.points]
            stitcher.answer(request, xy, confidence[request.points])
            for point, query in zip(request.points.tolist(), request.queries_tyx, strict=True):
                assert point not in asked
                levels[point] = request.video[0, :, 0, 0, 0].astype(int).tolist()
                asked[point] = query.tolist()
        assert sorted(asked) == np.flatnonzero(active).tolist()
        xy, confidence, new = stitcher.finish(window)
        np.testing.assert_array_equal(window.video, shown)  # anchors are put into a copy
        whose = np.where(np.isnan(xy[..., 0]), -1, xy[..., 0] // 100).astype(int)
        assert (whose[:, span[2] - span[0] : settled - span[0]] < number).all()
        steps.append(Step(levels, asked, whose, confidence, new, settled))
    return steps


def _shown(*visible: int, start: int = 0, frames: int = 8) -> list[float]:
    """Confidences of a point that is visible at those times only."""
    return [VISIBLE if start + step in visible else HIDDEN for step in range(frames)]


def test_a_point_is_asked_for_again_in_its_own_frame_which_is_put_in_as_an_anchor() -> None:
    third = (8, 16, 8)
    steps = _pass_over([[1, 20, 30]], EIGHT, [FIRST, SECOND, third])
    assert steps[0].queries == {0: [1, 20, 30]}
    assert steps[0].levels[0] == list(range(8))
    for step, start in zip(steps[1:], (4, 8), strict=True):
        assert step.queries == {0: [0, 20, 30]}
        assert step.levels[0] == [1, *range(start + 1, start + 8)]


def test_there_is_no_anchor_where_the_window_holds_the_points_own_frame() -> None:
    _, step = _pass_over([[5, 20, 30]], EIGHT, [FIRST, SECOND])
    assert step.queries == {0: [1, 20, 30]}
    assert step.levels[0] == list(range(4, 12))


@pytest.mark.parametrize("time", [1, 5])
def test_the_older_answer_stays_for_the_first_half_of_the_shared_frames(time: int) -> None:
    _, step = _pass_over([[time, 20, 30]], EIGHT, [FIRST, SECOND])
    assert step.windows.tolist() == [[0, 0, 1, 1, 1, 1, 1, 1]]


def test_anchors_are_half_of_the_shared_frames_and_serve_most_points() -> None:
    times = [2, 0, 1, 2, 0, 2]
    _, step = _pass_over([[time, 20, 30] for time in times], EIGHT, [FIRST, SECOND])
    assert step.levels[0] == [0, 2, *range(6, 12)]
    assert [step.queries[point] for point in (0, 1, 3, 4, 5)] == [
        [slot, 20, 30] for slot in (1, 0, 1, 0, 1)
    ]
    # Point 2, alone on its frame, found no room.
    assert step.levels[2] == list(range(4, 12))


@pytest.mark.parametrize("crowded", [True, False])
def test_without_an_own_frame_it_is_asked_for_where_it_was_last_visible(crowded: bool) -> None:
    """Point 0 is between two frames, or its frame is crowded out by two that serve more."""
    queries = [[1, 20, 30], *[[0, 1, 1]] * 2, *[[2, 1, 1]] * 2] if crowded else [[0.5, 20, 30]]
    confidences = [
        [_shown(1, 4, 5)] + [[VISIBLE] * 8] * (len(queries) - 1),
        np.full((len(queries), 8), VISIBLE),
    ]
    _, step = _pass_over(queries, EIGHT, [FIRST, SECOND], confidences)
    assert step.queries[0] == [1, 5.5, 5]  # frame 5 of the video, where window 0 found it
    assert step.levels[0] == list(range(4, 12))
    assert step.windows[0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(step.confidence[0], VISIBLE)


def test_a_point_hidden_at_the_seam_goes_on_from_where_it_was_visible_before() -> None:
    confidences = [[_shown(1, 3)], [_shown(10, 11, start=4)]]
    _, step = _pass_over([[0.5, 20, 30]], EIGHT, [FIRST, SECOND], confidences)
    assert step.levels[0] == [3, *range(5, 12)]
    assert step.queries[0] == [0, 3.5, 3]
    # The anchor's place alone is not the newer window's to answer.
    assert step.windows.tolist() == [[0, 1, 1, 1, 1, 1, 1, 1]]
    np.testing.assert_allclose(step.confidence, [_shown(10, 11, start=4)])


def test_the_anchor_of_a_hidden_point_stays_as_long_as_it_is_hidden() -> None:
    confidences = [[_shown(3)], [_shown(start=4)], [_shown(start=8)]]
    steps = _pass_over([[0.5, 20, 30]], EIGHT, [FIRST, SECOND, (8, 16, 8)], confidences)
    assert steps[2].levels[0] == [3, *range(9, 16)]
    assert steps[2].queries[0] == [0, 3.5, 3]


def test_own_frames_have_the_room_before_those_of_hidden_points() -> None:
    queries = [[0, 1, 1], [2, 1, 1], [0.5, 20, 30]]
    confidences = [[[VISIBLE] * 8, [VISIBLE] * 8, _shown(3)], np.full((3, 8), VISIBLE)]
    _, step = _pass_over(queries, EIGHT, [FIRST, SECOND], confidences)
    assert step.levels[0] == [0, 2, *range(6, 12)]
    assert step.levels[2] == list(range(4, 12))


def test_else_it_is_asked_for_where_it_was_most_confident_among_the_shared_frames() -> None:
    never = [0.45, 0, 0, 0, 0.1, 0.2, 0.4, 0.3]
    confidences = [[never], [[VISIBLE] * 8]]
    _, step = _pass_over([[0.5, 20, 30]], EIGHT, [FIRST, SECOND], confidences)
    assert step.queries[0] == [2, 6.5, 6]
    assert step.levels[0] == list(range(4, 12))
    assert step.windows.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    np.testing.assert_allclose(step.confidence[0], [*never[4:], *[VISIBLE] * 4])


def test_frames_before_commit_from_are_final() -> None:
    """The last window reaches further back; what lies before ``commit_from`` is not new."""
    first, last = _pass_over([[0, 20, 30]], EIGHT, [FIRST, (2, 10, 4)])
    assert first.new.all()
    assert last.new.tolist() == [[False, False, *[True] * 6]]
    assert last.windows[0, :4].tolist() == [0, 0, 0, 0]


def test_frames_that_every_point_keeps_are_final_before_the_window_is_run() -> None:
    third = (8, 16, 8)
    own = _pass_over([[0, 20, 30], [1, 5, 5]], EIGHT, [FIRST, SECOND, third])
    assert [step.settled for step in own] == [0, 6, 10], "half of the shared frames"
    # The last window reaches further back: the older answers stay for the same frames.
    assert _pass_over([[0, 20, 30]], EIGHT, [FIRST, (2, 10, 4)])[1].settled == 6


def test_the_point_that_keeps_least_decides_what_is_final_before_the_run() -> None:
    begins = _pass_over([[0, 20, 30], [9, 5, 5]], EIGHT, [FIRST, SECOND])
    assert [step.settled for step in begins] == [0, 4]
    # Hidden in all shared frames it goes on from before them: it keeps what its anchor covers.
    lost = _pass_over(
        [[0, 20, 30], [0.5, 5, 5]],
        EIGHT,
        [FIRST, SECOND],
        [[_shown(*range(8)), _shown(0, 1, 2)], np.full((2, 8), VISIBLE)],
    )
    assert lost[1].settled == 5


def test_a_point_begins_in_the_window_that_holds_its_frame() -> None:
    steps = _pass_over([[0, 1, 1], [8, 20, 30]], EIGHT, [FIRST, SECOND])
    assert list(steps[0].queries) == [0]
    assert steps[0].windows.tolist() == [[0] * 8, [-1] * 8]
    assert not steps[0].confidence[1].any()
    assert steps[0].new.tolist() == [[True] * 8, [False] * 8]
    assert steps[1].queries[1] == [4, 20, 30]
    # It has no older answer, so that all its frames are new, those before its own one too.
    assert steps[1].windows[1].tolist() == [1] * 8
    assert steps[1].new[1].all()


def test_a_point_that_begins_in_a_window_reaching_back_is_new_before_commit_from() -> None:
    _, last = _pass_over([[0, 1, 1], [8, 20, 30]], EIGHT, [FIRST, (2, 10, 4)])
    assert last.new.tolist() == [[False, False, *[True] * 6], [True] * 8]


def test_a_pass_backwards_takes_its_anchors_from_the_videos_end() -> None:
    """Times are those of the pass: its frame t is the video's 20 - t."""
    _, step = _pass_over([[1, 20, 30]], EIGHT, [FIRST, SECOND], level=lambda time: 20 - time)
    assert step.levels[0] == [19, *range(15, 8, -1)]
    assert step.queries[0] == [0, 20, 30]
    assert step.windows.tolist() == [[0, 0, 1, 1, 1, 1, 1, 1]]


def test_windows_that_share_one_frame_have_no_room_for_anchors() -> None:
    spans = [(0, 4, 0), (3, 7, 3), (6, 10, 6)]
    for point in ([0, 20, 30], [0.5, 20, 30]):
        steps = _pass_over([point], WindowSize(4, 1), spans)
        for number, step in enumerate(steps[1:], 1):
            shared = 100 * (number - 1) + 3 * number
            assert step.levels[0] == list(range(3 * number, 3 * number + 4))
            assert step.queries[0] == [0, shared + 0.5, shared]
            assert step.windows.tolist() == [[number - 1, number, number, number]]
            assert step.new.all()


def test_the_frame_that_windows_share_is_the_points_own_one() -> None:
    _, step = _pass_over([[3, 20, 30]], WindowSize(4, 1), [(0, 4, 0), (3, 7, 3)])
    assert step.queries[0] == [0, 20, 30]
    assert step.windows.tolist() == [[1, 1, 1, 1]]  # half of one frame is none


@pytest.mark.parametrize("points", [1, 3])
def test_a_video_of_one_frame(points: int) -> None:
    (step,) = _pass_over([[0, 20, 30]] * points, WindowSize(2, 1), [(0, 1, 0)])
    assert step.queries == {point: [0, 20, 30] for point in range(points)}
    assert step.windows.tolist() == [[0]] * points
    assert step.new.shape == (points, 1)
    assert step.new.all()


def test_requests_hold_so_many_points_at_most_and_each_point_once() -> None:
    """Points with an anchor and points without one are asked for apart."""
    queries = [[time, 20, 30] for time in (0, 0.5, 0, 5, 0, 0.5, 0)]
    for per_call in (1, 2, 64):
        _, step = _pass_over(queries, EIGHT, [FIRST, SECOND], per_call=per_call)
        anchored = [step.levels[point][0] == 0 for point in range(7)]
        assert anchored == [True, False, True, False, True, False, True]
