"""Files that take uint8 frames of any size, and answer in their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_tracker import MODEL_HW, VELOCITY_XY

from locoexport.errors import ModelFileError, VideoError
from locoexport.runtime.session.signature import Signature
from locoexport.runtime.session.single import open_session
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.windows import WindowSize, read_windows


def _frames(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 90, (count, height, width, 3)).astype(np.uint8)


def _moved(queries: np.ndarray, frames: int) -> np.ndarray:
    elapsed = np.arange(frames) - queries[:, :1]
    return queries[:, None, [2, 1]] + elapsed[..., None] * np.array(VELOCITY_XY)


def test_a_session_says_what_it_takes(make_model) -> None:
    model = open_session(make_model(input_type="uint8", points=2))
    assert model.signature == Signature(MODEL_HW, "uint8", None, None, 2)
    queries = np.array([[[0, 3, 4], [1, 50, 60]]], np.float32)
    for height, width in ((1, 1), (48, 40), (301, 77)):
        raw = model.run(_frames(3, height, width)[None], queries)
        np.testing.assert_allclose(raw.tracks_xy[0], _moved(queries[0], 3), atol=1e-4)
    wanted = r"takes a uint8 video of shape \(batch, frames, height, width, 3\), not "
    with pytest.raises(VideoError, match=wanted + "float32"):
        model.run(np.zeros((1, 3, *MODEL_HW, 3), np.float32), queries)
    with pytest.raises(VideoError, match=wanted + r"uint8 of shape \(1, 3, 5, 6, 4\)"):
        model.run(np.zeros((1, 3, 5, 6, 4), np.uint8), queries)


@pytest.mark.parametrize("window", [None, 4])
def test_the_tracker_feeds_it_raw_frames(make_model, window: int | None) -> None:
    frames = _frames(11, 37, 61)
    queries = np.array([[0, 20.5, 30.5], [3, 3.25, 50]], np.float32)
    taken = []
    with PointTracker(make_model(input_type="uint8"), window=window) as tracker:
        run = tracker.model.run_prepared
        tracker.model.run_prepared = lambda video, *a, **k: (
            taken.append(video) or run(video, *a, **k)
        )
        tracks = tracker.track(frames, queries)
    assert {(video.dtype.name, video.shape[2:]) for video in taken} == {("uint8", (37, 61, 3))}
    np.testing.assert_array_equal(taken[0][0], frames[: window or 11])
    np.testing.assert_allclose(tracks.xy, _moved(queries, 11), atol=1e-3)
    assert tracks.visible.all()


def test_a_limit_of_memory_is_kept_in_mind(make_model) -> None:
    with PointTracker(make_model(input_type="uint8"), memory="2GiB") as tracker:
        tracks = tracker.track(_frames(9, 40, 50), [[0, 10, 20]])
    assert tracks.frames == 9


def test_windows_share_raw_frames() -> None:
    from locoexport.machine.stopwatch import Stopwatch

    frames = _frames(7, 5, 9)
    takes = Signature((8, 8), "uint8", None, None, None)
    windows = list(read_windows(iter(frames), WindowSize(4, 1), takes, Stopwatch()))
    assert [(window.start, window.end) for window in windows] == [(0, 4), (3, 7)]
    for window in windows:
        assert window.video.dtype == np.uint8
        np.testing.assert_array_equal(window.video[0], frames[window.start : window.end])


def test_files_that_contradict_themselves(make_model) -> None:
    as_floats = {"uint8[batch,frames,height,width,3]": "float[batch,frames,24,32,3]"}
    with pytest.raises(ModelFileError, match="says that it takes uint8 frames, its graph takes fl"):
        open_session(make_model(input_type="uint8", rename=as_floats))
    fixed = {"uint8[batch,frames,height,width,3]": "uint8[batch,frames,24,width,3]"}
    with pytest.raises(ModelFileError, match="height and width must be open"):
        open_session(make_model(input_type="uint8", rename=fixed))
    with pytest.raises(ModelFileError, match="its working resolution is unknown"):
        open_session(make_model(input_type="uint8", metadata_hw=None), require_metadata=False)
