from pathlib import Path

import numpy as np
import pytest
from synthetic_tracker import VELOCITY_XY

from locoexport.errors import ModelFileError, QueryError, UsageError, VideoError
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.clips import Clip
from locoexport.runtime.video.mp4 import write_mp4


def _expected_xy(queries: np.ndarray, frames: int) -> np.ndarray:
    """The synthetic model's motion, 48x40 video over 24x32 model pixels: factors 2 and 1.25."""
    elapsed = np.arange(frames) - queries[:, :1]
    velocity = np.array(VELOCITY_XY) * np.array([1.25, 2])
    return queries[:, None, [2, 1]] + elapsed[..., None] * velocity


def _assert_same(first: Tracks, second: Tracks) -> None:
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(second, name), value)


def test_tracks_in_the_pixels_of_the_video(make_model, frames_u8: np.ndarray) -> None:
    queries = np.array([[0, 24, 20], [2.5, 47, 1]])
    with PointTracker(make_model()) as tracker:
        tracks = tracker.track(frames_u8, queries)
    np.testing.assert_allclose(tracks.xy, _expected_xy(queries, 5), atol=1e-4)
    np.testing.assert_array_equal(tracks.query_points, queries)
    assert tracks.query_points.dtype == np.float32
    # Occlusion is 8 × mean brightness in [-1, 1]: dark frames show the points, bright ones hide.
    np.testing.assert_array_equal(tracks.visible[0], [True, True, False, False, False])
    assert (tracks.visible == (tracks.confidence >= 0.5)).all()
    assert tracks.fps == 25


@pytest.mark.parametrize("size", [1, 3, 9, 64])
def test_chunks_change_nothing(make_model, frames_u8: np.ndarray, size: int) -> None:
    queries = grid_queries(3, 48, 40)
    seen: list[tuple[int, int]] = []
    with PointTracker(make_model(), points_per_call=size, threads=1) as tracker:
        tracks = tracker.track(
            frames_u8, queries, progress=lambda done, total: seen.append((done, total))
        )
    np.testing.assert_allclose(tracks.xy, _expected_xy(queries, 5), atol=1e-4)
    assert (seen[0], seen[-1]) == ((0, 5), (5, 5))
    assert len(seen) == 1 + min(5, -(-9 // size))
    assert seen == sorted(seen)
    with PointTracker(make_model()) as tracker:
        _assert_same(tracks, tracker.track(frames_u8, queries))


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("grid:3", grid_queries(3, 48, 40)),
        ("grid:2x4", grid_queries(2, 48, 40, columns=4)),
        ("1,20.5,7", np.array([[1, 20.5, 7]], np.float32)),
    ],
)
def test_points_as_on_the_command_line(
    make_model, frames_u8: np.ndarray, text: str, queries: np.ndarray
) -> None:
    with PointTracker(make_model()) as tracker:
        _assert_same(tracker.track(frames_u8, text), tracker.track(frames_u8, queries))
        _assert_same(tracker.track(iter(frames_u8), text), tracker.track(frames_u8, queries))
        for wrong in ("grid:0", "grid", "8"):
            with pytest.raises(QueryError):
                tracker.track(frames_u8, wrong)


def test_a_model_of_fixed_points_is_padded(make_model, frames_u8: np.ndarray) -> None:
    queries = grid_queries(3, 48, 40)
    with PointTracker(make_model()) as tracker:
        expected = tracker.track(frames_u8, queries)
    for points in (4, 9, 20):
        path = make_model(batch=1, frames=5, points=points)
        with PointTracker(path) as tracker:
            _assert_same(expected, tracker.track(frames_u8, queries))
    with pytest.raises(UsageError, match="fixed to 20 points"):
        PointTracker(path, points_per_call=8)


def test_other_fixed_axes(make_model, frames_u8: np.ndarray) -> None:
    with (
        PointTracker(make_model(frames=8)) as tracker,
        pytest.raises(VideoError, match=r"5 frames.*fixed to 8.*--frames dynamic"),
    ):
        tracker.track(frames_u8, [[0, 1, 1]])
    with pytest.raises(ModelFileError, match=r"batch of 2.*--batch"):
        PointTracker(make_model(batch=2))


def test_takes_a_path_a_clip_or_an_array(make_model, tmp_path: Path, frames_u8) -> None:
    path = tmp_path / "clip.mp4"
    write_mp4(path, frames_u8, 30)
    with PointTracker(make_model()) as tracker:
        from_path = tracker.track(path, [[0, 1, 1]])
        _assert_same(from_path, tracker.track(str(path), [[0, 1, 1]]))
        assert from_path.fps == 30
        assert tracker.track(Clip(frames_u8, 12.5), [[0, 1, 1]]).fps == 12.5
        assert tracker.track(frames_u8, [[0, 1, 1]], fps=7).fps == 7
        assert tracker.track(frames_u8[:1], [[0, 1, 1]]).frames == 1


def test_bad_input_is_named(make_model, tmp_path: Path, frames_u8: np.ndarray) -> None:
    with PointTracker(make_model()) as tracker:
        with pytest.raises(QueryError, match="point 1 has t = 5"):
            tracker.track(frames_u8, [[0, 1, 1], [5, 1, 1]])
        with pytest.raises(QueryError, match="no query points"):
            tracker.track(frames_u8, [])
        with pytest.raises(VideoError, match="float64"):
            tracker.track(frames_u8 / 255, [[0, 1, 1]])
        with pytest.raises(VideoError, match="no video file"):
            tracker.track(tmp_path / "absent.mp4", [[0, 1, 1]])
    with pytest.raises(UsageError, match="closed"):
        tracker.track(frames_u8, [[0, 1, 1]])
    with pytest.raises(UsageError, match="points_per_call is 0"):
        PointTracker(make_model(), points_per_call=0)


def test_nan_from_the_model_is_an_error_not_a_track(make_model, frames_u8: np.ndarray) -> None:
    """Sqrt of the positions: a point that moves out of the frame becomes NaN."""
    with PointTracker(make_model(finish="Sqrt")) as tracker:
        tracker.track(frames_u8, [[0, 24, 20]])
        with pytest.raises(ModelFileError, match="NaN or infinity in tracks_xy"):
            tracker.track(frames_u8, [[0, 24, 20], [0, 0.1, 20]])
