"""LiveTracker: what it answers, what it forgets, and what it refuses."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from exported import live_once, live_profile
from moving_square import square_at, square_frames

import locoexport
from locoexport.errors import ModelFileError, QueryError, UsageError, VideoError
from locoexport.network.live_oracle import run_live_reference
from locoexport.network.loading import load_network
from locoexport.runtime.live.tracker import LiveTracker, LiveTracks
from locoexport.runtime.video.frames import to_model_input

POINTS = [[14.0, 14.0], [20.0, 18.0], [10.0, 22.0]]


@pytest.fixture(scope="module")
def model() -> Path:
    return live_once()


@pytest.fixture
def tracker(model: Path) -> LiveTracker:
    return LiveTracker(model, window=4, threads=1)


def pushed(tracker: LiveTracker, frames: np.ndarray) -> list[LiveTracks]:
    return [tracker.push(frame) for frame in frames]


def xy_of(answers: list[LiveTracks]) -> np.ndarray:
    return np.stack([each.xy for each in answers])


def test_public_names_are_what_lives_in_the_room() -> None:
    assert locoexport.LiveTracker is LiveTracker
    assert locoexport.LiveTracks is LiveTracks
    assert {"LiveTracker", "LiveTracks", "LiveState", "QueryFeatures"} <= set(locoexport.__all__)


def test_points_on_a_moving_square_are_where_it_is(tracker: LiveTracker) -> None:
    frames = square_frames(8)
    ids = tracker.add(POINTS)
    answers = pushed(tracker, frames)
    start = np.array(square_at(0))
    for index, answer in enumerate(answers):
        moved = np.array(POINTS) + np.array(square_at(index)) - start
        assert np.abs(answer.xy - moved[:, ::-1]).max() < 1.5, index
        assert answer.visible.all()
        assert answer.ids.tolist() == ids.tolist() == [0, 1, 2]
        assert answer.frame_index == index
        assert answer.window == 4
        assert answer.behind_ms == 0 < answer.latency_ms


def test_answers_are_those_of_the_same_loop_in_pytorch(model: Path) -> None:
    frames = square_frames(7)
    network = load_network(live_profile(), None)
    queries = np.array([[0, *POINTS[0]], [0, *POINTS[1]], [2, 16, 20]], np.float32)[None]
    video = to_model_input(frames, (64, 64))
    expected = run_live_reference(network.model, video, queries, window=3)
    tracker = LiveTracker(model, window=3, threads=1)
    tracker.add(POINTS[:2])
    answers = pushed(tracker, frames[:3])
    tracker.add([[16, 20]])
    answers += pushed(tracker, frames[3:])
    for index, answer in enumerate(answers):
        there = len(answer)
        assert there == (2 if index < 3 else 3)
        assert np.abs(answer.xy - expected.tracks_xy[0, :there, index]).max() <= 4e-3


def test_frames_of_another_size_are_answered_in_their_pixels(tracker: LiveTracker) -> None:
    frames = square_frames(4).repeat(2, 1).repeat(3, 2)
    tracker.add(np.array(POINTS) * [2, 3])
    large = xy_of(pushed(tracker, frames))
    start, now = np.array(square_at(0)), np.array(square_at(3))
    expected = (np.array(POINTS) + now - start) * [2, 3]
    assert np.abs(large[-1] - expected[:, ::-1]).max() < 6


def test_bgr_frames_are_answered_as_rgb(model: Path, tracker: LiveTracker) -> None:
    frames = square_frames(4)
    tracker.add(POINTS)
    other = LiveTracker(model, window=4, threads=1, bgr=True)
    other.add(POINTS)
    bgr = xy_of(pushed(other, frames[..., ::-1]))
    assert np.array_equal(xy_of(pushed(tracker, frames)), bgr)


def test_a_point_does_not_depend_on_others_nor_on_when_they_come_and_go(
    model: Path, tracker: LiveTracker
) -> None:
    frames = square_frames(6)
    tracker.add(POINTS[:1])
    alone = xy_of(pushed(tracker, frames))
    busy = LiveTracker(model, window=4, threads=1)
    busy.add(POINTS[:1])
    busy.push(frames[0])
    more = busy.add(POINTS[1:])
    for index in (1, 2):
        assert np.abs(busy.push(frames[index]).xy[0] - alone[index, 0]).max() < 1e-3
    busy.remove(more[:1])
    answer = busy.push(frames[3])
    assert answer.ids.tolist() == [0, 2]
    assert np.abs(answer.xy[0] - alone[3, 0]).max() < 1e-3


def test_hundreds_of_points_and_none_at_all(tracker: LiveTracker) -> None:
    frames = square_frames(3)
    nothing = tracker.push(frames[0])
    assert (len(nothing), nothing.xy.shape, nothing.frame_index) == (0, (0, 2), 0)
    assert tracker.add([]).tolist() == []
    grid = np.stack(np.meshgrid(np.arange(20) * 3 + 1, np.arange(20) * 3 + 1), -1).reshape(-1, 2)
    tracker.add(grid)
    answer = tracker.push(frames[1])
    assert answer.xy.shape == (400, 2)
    assert np.isfinite(answer.xy).all()
    tracker.remove(tracker.ids)
    assert len(tracker.push(frames[2])) == 0


def test_points_may_be_removed_before_the_first_frame(tracker: LiveTracker) -> None:
    tracker.add(POINTS)
    tracker.remove([1])
    assert tracker.push(square_frames(1)[0]).ids.tolist() == [0, 2]


def test_the_first_answer_is_that_of_the_first_frame(tracker: LiveTracker) -> None:
    tracker.add(POINTS)
    answer = tracker.push(square_frames(1)[0])
    assert np.abs(answer.xy - np.array(POINTS)[:, ::-1]).max() < 1


def test_reset_begins_anew(tracker: LiveTracker) -> None:
    frames = square_frames(4)
    tracker.add(POINTS)
    first = xy_of(pushed(tracker, frames))
    tracker.reset()
    assert tracker.frame_index == -1
    assert tracker.ids.tolist() == []
    tracker.add(POINTS)
    assert np.array_equal(xy_of(pushed(tracker, frames)), first)


def test_after_reset_frames_may_have_another_size(tracker: LiveTracker) -> None:
    tracker.push(square_frames(1)[0])
    tracker.reset()
    assert tracker.push(square_frames(1, (80, 96))[0]).frame_index == 0


@pytest.mark.parametrize("way", ["pickle", "file"])
def test_another_tracker_goes_on_with_a_state(
    model: Path, tracker: LiveTracker, way: str, tmp_path: Path
) -> None:
    frames = square_frames(8)
    tracker.add(POINTS)
    pushed(tracker, frames[:4])
    state = tracker.state()
    if way == "pickle":
        state = pickle.loads(pickle.dumps(state))
    else:
        state.save(tmp_path / "state.npz")
        state = locoexport.LiveState.load(tmp_path / "state.npz")
    other = LiveTracker(model, window=4, threads=1)
    other.restore(state)
    theirs, ours = pushed(other, frames[4:]), pushed(tracker, frames[4:])
    assert np.array_equal(xy_of(theirs), xy_of(ours))
    assert theirs[0].frame_index == 4
    assert other.add([[9, 9]]).tolist() == [3]


def test_a_state_goes_on_in_another_window(model: Path, tracker: LiveTracker) -> None:
    frames = square_frames(6)
    tracker.add(POINTS)
    pushed(tracker, frames[:5])
    for window in (2, 8):
        other = LiveTracker(model, window=window, threads=1)
        other.restore(tracker.state())
        assert np.isfinite(other.push(frames[5]).xy).all()


def test_features_of_a_photograph_are_found_in_a_clip(
    model: Path, tracker: LiveTracker, tmp_path: Path
) -> None:
    frames = square_frames(6)
    photograph = frames[0].repeat(2, 0).repeat(2, 1)
    tracker.add(np.array(POINTS) * 2, frame=photograph)
    tracker.features([0, 2]).save(tmp_path / "two.npz")
    other = LiveTracker(model, window=4, threads=1)
    ids = other.add_features(locoexport.QueryFeatures.load(tmp_path / "two.npz"))
    assert ids.tolist() == [0, 1]
    answer = pushed(other, frames[2:])[-1]
    moved = np.array(POINTS)[[0, 2]] + np.array(square_at(5)) - np.array(square_at(0))
    assert np.abs(answer.xy - moved[:, ::-1]).max() < 2


def test_follow_answers_what_push_does(model: Path, tracker: LiveTracker) -> None:
    frames = square_frames(6)
    tracker.add(POINTS)
    expected = pushed(tracker, frames)
    other = LiveTracker(model, window=4, threads=1)
    other.add(POINTS)
    answers = list(other.follow(iter(frames)))
    assert np.array_equal(xy_of(answers), xy_of(expected))
    assert [each.frame_index for each in answers] == list(range(6))


def test_follow_raises_what_its_frames_raise_and_can_be_left(tracker: LiveTracker) -> None:
    frames = square_frames(3)
    answers = tracker.follow([frames[0], frames[1].astype(np.float32)])
    assert next(answers).frame_index == 0
    with pytest.raises(VideoError, match="float32"):
        next(answers)
    for answer in tracker.follow(frames[1:]):
        assert answer.frame_index == 1
        break
    assert tracker.push(frames[2]).frame_index == 2


def test_a_target_that_is_easy_is_kept_and_one_that_is_not_is_told(model: Path) -> None:
    frames = square_frames(24)
    easy = LiveTracker(model, window=8, threads=1, target_fps=0.01)
    easy.add(POINTS)
    assert {(each.window, each.behind_ms) for each in pushed(easy, frames[:4])} == {(8, 0)}
    hopeless = LiveTracker(model, window=8, threads=1, target_fps=1e6)
    hopeless.add(POINTS)
    answers = pushed(hopeless, frames)
    assert [answers[index].window for index in (0, 5, 6, 11, 12, 23)] == [8, 8, 4, 4, 2, 2]
    assert all(each.behind_ms > 0 for each in answers)
    assert all(len(each) == 3 for each in answers)
    start, now = np.array(square_at(0)), np.array(square_at(23))
    assert np.abs(answers[-1].xy - (np.array(POINTS) + now - start)[:, ::-1]).max() < 2


def test_a_window_of_one_frame_looks_at_nothing_else(model: Path) -> None:
    tracker = LiveTracker(model, window=1, threads=1)
    tracker.add(POINTS)
    assert np.isfinite(pushed(tracker, square_frames(3))[-1].xy).all()


def test_another_thread_is_refused(tracker: LiveTracker) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            tracker.push(square_frames(1)[0])
        except UsageError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "belongs to the thread" in str(caught[0])


def test_a_closed_tracker_is_refused(model: Path) -> None:
    with LiveTracker(model, threads=1) as tracker:
        assert tracker.window == 8
    with pytest.raises(UsageError, match="closed"):
        tracker.push(square_frames(1)[0])


@pytest.mark.parametrize(
    "points",
    [[1, 2], [[1, 2, 3]], [[float("nan"), 1]], "ab", [[1], [2, 3]], [[None, 1]], [[1e40, 1]]],
)
def test_what_is_no_point_is_refused(tracker: LiveTracker, points: object) -> None:
    with pytest.raises(QueryError):
        tracker.add(points)  # type: ignore[arg-type]
    assert tracker.ids.tolist() == []


def test_points_outside_the_frame_are_refused_and_forgotten(tracker: LiveTracker) -> None:
    frame = square_frames(1)[0]
    tracker.add([[10, 64.5]])
    with pytest.raises(QueryError, match=r"x 64\.5, outside the frame"):
        tracker.push(frame)
    assert tracker.push(frame).frame_index == 0
    with pytest.raises(QueryError, match="outside"):
        tracker.add([[5, 5], [-0.5, 3]])
    with pytest.raises(QueryError, match="outside"):
        tracker.add([[65, 5]], frame=frame)
    assert tracker.add([[64, 64]]).tolist() == [1]


@pytest.mark.parametrize(
    "frame",
    [None, [[1]], np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_frame_is_refused(tracker: LiveTracker, frame: object) -> None:
    with pytest.raises(VideoError):
        tracker.push(frame)  # type: ignore[arg-type]
    assert tracker.frame_index == -1


def test_a_frame_of_another_size_is_refused(tracker: LiveTracker) -> None:
    tracker.push(square_frames(1)[0])
    with pytest.raises(VideoError, match="80x64"):
        tracker.push(square_frames(1, (80, 64))[0])


@pytest.mark.parametrize("window", [0, -1, 100_000, 2.5, "8"])
def test_what_is_no_window_is_refused(model: Path, window: object) -> None:
    with pytest.raises(UsageError, match="window"):
        LiveTracker(model, window=window)  # type: ignore[arg-type]


@pytest.mark.parametrize("target_fps", [0, -3, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(model: Path, target_fps: float) -> None:
    with pytest.raises(UsageError, match="target_fps"):
        LiveTracker(model, target_fps=target_fps)


def test_ids_that_are_not_there_are_refused(tracker: LiveTracker) -> None:
    tracker.add(POINTS)
    with pytest.raises(UsageError, match="no point 7"):
        tracker.remove([7])
    with pytest.raises(UsageError, match="no point 0"):
        tracker.features([0])
    with pytest.raises(UsageError, match="wait for the first frame"):
        tracker.state()


def test_features_and_states_of_another_model_are_refused(tracker: LiveTracker) -> None:
    tracker.add(POINTS)
    tracker.push(square_frames(1)[0])
    state = tracker.state()
    features = tracker.features([0])
    foreign = locoexport.QueryFeatures(features.supports, "another")
    with pytest.raises(UsageError, match="another"):
        tracker.add_features(foreign)
    forged = {name: each[..., :3] for name, each in features.supports.items()}
    with pytest.raises(UsageError, match="another model"):
        tracker.add_features(locoexport.QueryFeatures(forged, features.model))
    with pytest.raises(UsageError, match="another"):
        tracker.restore(locoexport.LiveState("another", None, -1, 0, state.points))


def test_a_whole_file_is_no_live_export(tmp_path: Path) -> None:
    (tmp_path / "whole.onnx").write_bytes(b"")
    with pytest.raises(ModelFileError, match="--live"):
        LiveTracker(tmp_path / "whole.onnx")
