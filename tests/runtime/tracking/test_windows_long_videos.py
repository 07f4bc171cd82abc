"""Windows over time: stitched, in both directions, from any source, in bounded memory."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_tracker import VELOCITY_XY

from locoexport.errors import InputError, QueryError, UsageError, VideoError
from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.session.signature import Signature
from locoexport.runtime.tracking.delivery import FrameBatch
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracking.window_effect import WindowingEffect, compare_tracks
from locoexport.runtime.tracking.windows import WindowSize, read_windows
from locoexport.runtime.video.mp4 import write_mp4
from locoexport.runtime.video.sources import Selection, open_source

FRAMES, HEIGHT, WIDTH = 37, 48, 40
SMALL = Signature((6, 4), "float32", None, None, None)
QUERIES = np.array([[0, 24, 20], [3.5, 40, 8], [18, 10, 30], [36, 20, 20], [11.5, 1, 1]])


def _numbered(count: int = FRAMES) -> np.ndarray:
    """Dark frames, in which the synthetic tracker sees every point; each has its own level."""
    return np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, HEIGHT, WIDTH, 3)
    )


def _expected_xy(frames: int) -> np.ndarray:
    """The synthetic model's motion, in both directions: it reads a frame's time off its level."""
    elapsed = np.arange(frames) - QUERIES[:, :1]
    return QUERIES[:, None, [2, 1]] + elapsed[..., None] * np.array(VELOCITY_XY) * (1.25, 2)


@pytest.mark.parametrize(
    ("count", "size", "spans"),
    [
        (5, (8, 2), [(0, 5, 0)]),
        (8, (8, 2), [(0, 8, 0)]),
        (9, (8, 2), [(0, 8, 0), (1, 9, 6)]),
        (14, (8, 2), [(0, 8, 0), (6, 14, 6)]),
        (15, (8, 2), [(0, 8, 0), (6, 14, 6), (7, 15, 12)]),
        (4, (2, 1), [(0, 2, 0), (1, 3, 1), (2, 4, 2)]),
    ],
)
def test_windows_cover_the_video_and_share_frames(count, size, spans) -> None:
    windows = list(read_windows(iter(_numbered(count)), WindowSize(*size), SMALL, Stopwatch()))
    assert [(w.start, w.end, w.commit_from) for w in windows] == spans
    for window in windows:
        levels = np.arange(window.start, window.end)
        np.testing.assert_array_equal([frame[0, 0, 0] for frame in window.frames], levels)
        np.testing.assert_allclose(window.video[0, :, 0, 0, 0], levels / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(("frames", "overlap"), [(1, 1), (0, 0), (4, 0), (4, 4)])
def test_windows_that_cannot_advance_or_join(frames: int, overlap: int) -> None:
    with pytest.raises(UsageError, match=r"[Ww]indow"):
        WindowSize(frames, overlap)


@pytest.mark.parametrize("window", [2, 3, 8, 12, 36, 37, 100])
@pytest.mark.parametrize("per_call", [2, 64])
def test_tracks_do_not_depend_on_windows_where_motion_is_exact(
    make_model, window: int, per_call: int
) -> None:
    with PointTracker(make_model(eyes=True), points_per_call=per_call, window=window) as tracker:
        tracks = tracker.track(_numbered(), QUERIES)
    np.testing.assert_allclose(tracks.xy, _expected_xy(FRAMES), atol=2e-3)
    assert tracks.visible.all()
    assert np.isfinite(tracks.confidence).all()


def test_any_source_gives_the_same(make_model, tmp_path: Path) -> None:
    """In a file the levels are those that survive H.264; the motion does not hang on them."""
    write_mp4(tmp_path / "f.mp4", _numbered(), 10)
    with PointTracker(make_model(), window=8) as tracker:
        expected = tracker.track(_numbered(), QUERIES)
        for video in (iter(_numbered()), list(_numbered()), tmp_path / "f.mp4"):
            seen: list[FrameBatch] = []
            found = tracker.track(video, QUERIES, sink=seen.append)
            np.testing.assert_array_equal(found.xy, expected.xy)
            lengths = [len(batch.frames) for batch in seen]
            assert [batch.start for batch in seen] == [0, *np.cumsum(lengths)[:-1]]
            np.testing.assert_array_equal(np.concatenate([b.xy for b in seen], 1), expected.xy)
            assert sum(lengths) == FRAMES


def test_frames_and_tracks_are_handed_on_together(make_model) -> None:
    """Points of frame 0 alone: frames are handed on as windows end, long before the last one."""
    order: list[str] = []

    def frames() -> Iterator[np.ndarray]:
        for index, frame in enumerate(_numbered()):
            order.append(f"read {index}")
            yield frame

    def sink(batch: FrameBatch) -> None:
        order.append(f"done {batch.start}")
        for index, frame in enumerate(batch.frames, batch.start):
            assert frame[0, 0, 0] == index
        assert batch.visible.shape == (1, len(batch.frames))

    with PointTracker(make_model(eyes=True), window=6) as tracker:
        tracker.track(frames(), QUERIES[:1], sink=sink)
    assert order.index("done 0") < order.index("read 30")


def test_frames_that_the_older_window_decides_are_handed_on_before_the_model_is_run(
    make_model,
) -> None:
    """Windows of 6 share 2: frames 4 and 8 come as the next one begins, the others as one ends."""
    starts: list[int] = []
    with PointTracker(make_model(eyes=True), window=6) as tracker:
        tracker.track(_numbered(14), QUERIES[:1], sink=lambda batch: starts.append(batch.start))
    assert starts == [0, 4, 5, 8, 9, 12]


def test_a_model_of_fixed_frames_takes_longer_videos(make_model) -> None:
    with PointTracker(make_model(eyes=True, frames=8, points=4)) as tracker:
        tracks = tracker.track(_numbered(), QUERIES)
        np.testing.assert_allclose(tracks.xy, _expected_xy(FRAMES), atol=2e-3)
        with pytest.raises(VideoError, match="has 7 frames, but"):
            tracker.track(_numbered(7), [[0, 1, 1]])
    with pytest.raises(UsageError, match="window is 4, but the model is fixed to 8 frames"):
        PointTracker(make_model(eyes=True, frames=8), window=4)


def test_a_point_comes_back_after_it_was_hidden_for_longer_than_a_window(make_model) -> None:
    frames = _numbered(60).copy()
    frames[15:40] = 250  # bright frames hide every point from the synthetic tracker
    with PointTracker(make_model(eyes=True), window=9) as tracker:
        tracks = tracker.track(frames, QUERIES[:2])
    shown = [True] * 15 + [False] * 25 + [True] * 20
    np.testing.assert_array_equal(tracks.visible, [shown, shown])
    np.testing.assert_allclose(tracks.xy[:, :15], _expected_xy(60)[:2, :15], atol=2e-3)


def test_late_queries_are_named(make_model, tmp_path: Path) -> None:
    write_mp4(tmp_path / "f.mp4", _numbered(), 10)
    with PointTracker(make_model(eyes=True), window=8) as tracker:
        for video in (_numbered(), tmp_path / "f.mp4"):
            with pytest.raises(QueryError, match=r"point 1 has t = 37; the video has 37 frames"):
                tracker.track(video, [[0, 1, 1], [37, 1, 1]])
        with pytest.raises(QueryError, match="has y = 49; the video has frames of 48x40"):
            tracker.track(iter(_numbered()), [[0, 49, 1]])


def test_time_options(tmp_path: Path) -> None:
    write_mp4(tmp_path / "f.mp4", _numbered(30), 10)

    def levels(**options) -> list[int]:
        whole = [frame[0, 0, 0] for frame in open_source(tmp_path / "f.mp4").frames()]
        for video in (_numbered(30), tmp_path / "f.mp4"):
            chosen = {**options}
            if isinstance(video, np.ndarray):  # 25 frames a second, the file has 10
                for name in {"start_s", "end_s"} & set(chosen):
                    chosen[name] *= 10 / 25
            source = open_source(video, Selection(**chosen))
            hint = source.frames_hint
            found = [int(frame[0, 0, 0]) for frame in source.frames()]
            assert hint == len(found)
            assert source.count() == len(found)
            if isinstance(video, np.ndarray):
                indices = found
            else:
                assert found == [whole[index] for index in indices]
            again = [int(frame[0, 0, 0]) for frame in source.frames_between(1, len(found))]
            assert again == found[1:]
        return indices

    assert levels() == list(range(30))
    assert levels(start_s=1.0, end_s=2.0) == list(range(10, 20))
    assert levels(stride=7) == [0, 7, 14, 21, 28]
    assert levels(start_s=0.5, end_s=2.05, stride=4, max_frames=3) == [5, 9, 13]
    source = open_source(tmp_path / "f.mp4", Selection(stride=2, resize_hw=(24, 30)))
    assert source.fps == 5
    assert source.frame_hw() == (24, 30)
    assert next(source.frames()).shape == (24, 30, 3)
    with pytest.raises(VideoError, match="ends before the start"):
        list(open_source(tmp_path / "f.mp4", Selection(start_s=9)).frames())


@pytest.mark.parametrize(
    "options",
    [
        {"start_s": -1},
        {"start_s": 2, "end_s": 2},
        {"stride": 0},
        {"max_frames": 0},
        {"resize_hw": (0, 4)},
        {"start_s": float("nan")},
        {"end_s": float("nan")},
    ],
)
def test_time_options_out_of_range(options) -> None:
    with pytest.raises(UsageError):
        Selection(**options)


def test_streams_that_go_wrong(make_model) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from _numbered(20)
        raise OSError("the camera was unplugged")

    frame = _numbered()[0]
    with PointTracker(make_model(eyes=True), window=6) as tracker:
        # What came before is not lost: no tracks of it would be, nor silence about the end.
        expected = tracker.track(_numbered(20), [[0, 1, 1]])
        with pytest.warns(RuntimeWarning, match=r"after 20 frames.*unplugged"):
            np.testing.assert_array_equal(tracker.track(broken(), [[0, 1, 1]]).xy, expected.xy)
        for second, said in (
            (None, "Frame 1 is NoneType"),
            ([1, 2], "Frame 1 is list"),
            (frame / 2, "float64"),
            (frame[:20], r"shape \(20, 40, 3\) where the first one had"),
        ):
            with pytest.warns(RuntimeWarning, match=f"after 1 frames.*{said}"):
                assert tracker.track(iter([frame, second]), [[0, 1, 1]]).frames == 1
        with pytest.raises(OSError, match="dead"):
            tracker.track(_dead(), [[0, 1, 1]])
        with pytest.raises(VideoError, match="no frames"):
            tracker.track(iter([]), [[0, 1, 1]])
        with pytest.raises(VideoError, match="Frame 0 is NoneType"):
            tracker.track(iter([None]), [[0, 1, 1]])
        with pytest.raises(VideoError, match="float64"):
            tracker.track(iter([_numbered()[0] / 2]), [[0, 1, 1]])
        with pytest.raises(UsageError, match="A camera never ends"):
            tracker.track(0, [[0, 1, 1]])
        with pytest.raises(VideoError, match="There is no camera 99"):
            tracker.track(99, [[0, 1, 1]], max_frames=3)
        # What failed before leaves nothing behind.
        assert tracker.track(iter(_numbered(4)), [[0, 1, 1]]).frames == 4


def _dead() -> Iterator[np.ndarray]:
    raise OSError("dead")
    yield


_PEAK = """
import sys
import numpy as np
from locoexport.machine.hardware import peak_memory
from locoexport.runtime.tracking.tracker import PointTracker

def frames(count):
    for index in range(count):
        yield np.full((240, 320, 3), index % 60, np.uint8)

with PointTracker(sys.argv[1], window=12) as tracker:
    tracks = tracker.track(frames(int(sys.argv[2])), [[0, 100, 100], [5, 200, 300]])
assert tracks.visible.shape == (2, int(sys.argv[2]))
print(peak_memory())
"""


def test_peak_memory_does_not_grow_with_the_video(make_model) -> None:
    peaks = []
    for count in (300, 600):
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(make_model(eyes=True)), str(count)],
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""
        peaks.append(int(done.stdout))
    assert abs(peaks[1] / peaks[0] - 1) < 0.05, peaks


def test_points_are_asked_for_at_their_own_frames_over_and_over(make_model) -> None:
    """Each request holds each point's own frame, at the very place that was asked for."""
    asked = []
    with PointTracker(make_model(eyes=True), window=12) as tracker:
        run = tracker.model.run_prepared
        tracker.model.run_prepared = lambda video, queries, **k: (
            asked.append((video, queries)) or run(video, queries, **k)
        )
        tracks = tracker.track(_numbered(), QUERIES[[0]])
    assert tracks.frames == FRAMES
    assert len(asked) > 3
    for video, queries in asked:
        ((t, y, x),) = queries[0]
        assert (y, x) == pytest.approx((12, 16))  # in the model's pixels
        assert np.rint((video[0, round(t), 0, 0, 0] + 1) * 127.5) == 0


def test_what_windows_change_is_measured(make_model) -> None:
    with PointTracker(make_model(eyes=True), window=8) as tracker:
        windowed = tracker.track(_numbered(), QUERIES[:2])
        shorter = tracker.track(_numbered(5), QUERIES[:2])
    assert compare_tracks(windowed, windowed) == WindowingEffect(0, 0, 0, 0, 2 * FRAMES, 1, 1)
    moved = replace(
        windowed,
        xy=windowed.xy + np.float32([3, 4]),
        visible=windowed.visible & (np.arange(FRAMES) > 0),
    )
    effect = compare_tracks(moved, windowed)
    assert (effect.p50_px, effect.max_px) == pytest.approx((5, 5), abs=1e-4)
    assert effect.flips == pytest.approx(1 / FRAMES)
    assert effect.visible == pytest.approx(1 - 1 / FRAMES)
    assert effect.visible_in_one_window == 1
    with pytest.raises(InputError, match="cannot be compared"):
        compare_tracks(shorter, windowed)


def test_threads_share_a_tracker(make_model) -> None:
    with PointTracker(make_model(eyes=True), window=8, threads=1) as tracker:
        expected = tracker.track(_numbered(), QUERIES)
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(tracker.track, iter(_numbered()), QUERIES) for _ in range(8)]
        for job in jobs:
            np.testing.assert_array_equal(job.result().xy, expected.xy)


@pytest.mark.parametrize("shape", [(1, 48, 40), (1, 1, 30), (20, 1, 30), (20, 30, 1)])
def test_smallest_videos(make_model, shape: tuple[int, int, int]) -> None:
    with PointTracker(make_model(eyes=True), window=6) as tracker:
        tracks = tracker.track(np.zeros((*shape, 3), np.uint8), [[shape[0] - 1, 0.5, 0.5]])
    assert tracks.visible.shape == (1, shape[0])
    assert np.isfinite(tracks.xy).all()
