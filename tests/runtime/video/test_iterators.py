"""Frames that come one by one: reused arrays, stalls, and interrupts while they stall."""

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.tracking.run import TrackingInterrupt
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import Clip
from locoexport.runtime.video.frame_source import FrameSource
from locoexport.runtime.video.iterators import iterator_footage
from locoexport.runtime.video.selection import Selection


def _moving(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 48, 40, 3), np.uint8)


def _stalling(frames: np.ndarray, over: threading.Event) -> Iterator[np.ndarray]:
    yield from frames
    over.wait(30)
    yield frames[0]


def test_an_array_that_is_filled_again_is_copied() -> None:
    frames = _moving(9)

    def reused() -> Iterator[np.ndarray]:
        pool = np.empty_like(frames[0])
        for frame in frames:
            pool[...] = frame
            yield pool
            pool[...] = 0

    source = FrameSource(iterator_footage(reused()), Selection())
    np.testing.assert_array_equal(np.stack(list(source.frames())), frames)


def test_no_frame_is_taken_that_nobody_wants() -> None:
    frames = iter(_moving(9))
    source = FrameSource(iterator_footage(frames), Selection(max_frames=4))
    assert len(list(source.frames())) == 4
    assert len(list(frames)) == 5


def test_a_stall_ends_the_stream_with_what_came() -> None:
    over = threading.Event()
    source = FrameSource(iterator_footage(_stalling(_moving(5), over), stall_s=0.3), Selection())
    assert len(list(source.frames())) == 5
    over.set()
    assert source.warnings == [
        "The stream failed after 5 frames, which were tracked: The iterator stalls: nothing came "
        "for 0.3 s."
    ]
    never = FrameSource(iterator_footage(_stalling(_moving(0), over), stall_s=0.3), Selection())
    over.clear()
    with pytest.raises(VideoError, match=r"stalls: nothing came for 0\.3 s"):
        next(never.frames())
    over.set()


def test_stopping_gives_what_came_and_ends() -> None:
    over = threading.Event()
    footage = iterator_footage(_stalling(_moving(5), over))
    source = FrameSource(footage, Selection())
    threading.Timer(0.3, footage.stop).start()
    begun = time.monotonic()
    assert len(list(source.frames())) == 5
    assert time.monotonic() - begun < 5
    assert not source.warnings
    over.set()


def test_ctrl_c_is_heard_while_frames_stall_and_tracks_are_kept(make_model) -> None:
    over = threading.Event()
    frames = _moving(20)
    handed: list[int] = []

    def progress(done: int, total: int | None) -> None:
        if done == 20:  # by now the reader waits for the 21st
            threading.Timer(0.3, _interrupt_main).start()

    with PointTracker(make_model(eyes=True), window=8) as tracker:
        expected = tracker.track(frames, [[0, 10, 10]])
        begun = time.monotonic()
        with pytest.raises(TrackingInterrupt, match="after 20 frames") as stopped:
            tracker.track(
                _stalling(frames, over),
                [[0, 10, 10]],
                progress=progress,
                sink=lambda batch: handed.append(len(batch.frames)),
            )
    assert time.monotonic() - begun < 5
    over.set()
    np.testing.assert_array_equal(stopped.value.tracks.xy, expected.xy)
    assert sum(handed) >= 18


def _interrupt_main() -> None:
    import signal

    signal.raise_signal(signal.SIGINT)


def test_what_is_no_video_is_named(make_model) -> None:
    with (
        PointTracker(make_model()) as tracker,
        pytest.raises(UsageError, match="float is not a video"),
    ):
        tracker.track(0.5, [[0, 1, 1]])


@pytest.mark.parametrize("fps", [0, 0.0, -1, float("nan"), float("inf"), True, "25"])
def test_no_frame_rate_is_refused_before_a_frame_is_read(make_model, fps) -> None:
    taken: list[int] = []
    frames = (taken.append(index) or frame for index, frame in enumerate(_moving(3)))
    with PointTracker(make_model()) as tracker:
        with pytest.raises(UsageError, match="must be a number above 0"):
            tracker.track(frames, [[0, 1, 1]], fps=fps)
        assert not taken
        if fps != "25":
            with pytest.raises(UsageError, match="must be a number above 0"):
                tracker.track(Clip(_moving(3), fps), [[0, 1, 1]])


@pytest.mark.parametrize("index", [-1, 100, -(2**40), True, np.int64(-1)])
def test_indices_of_no_camera_are_refused(make_model, index) -> None:
    with PointTracker(make_model()) as tracker, pytest.raises(UsageError, match="from 0 to 99"):
        tracker.track(index, [[0, 1, 1]], max_frames=3)


def test_frames_may_come_for_ever() -> None:
    frames = _moving(2)
    source = FrameSource(iterator_footage(itertools.cycle(frames)), Selection(max_frames=5))
    assert [int((f != frames[i % 2]).sum()) for i, f in enumerate(source.frames())] == [0] * 5
