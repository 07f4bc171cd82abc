"""FFmpeg starts no thread where one core is all that may be used: counted, as Linux lists them."""

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from tagged_films import write_frames

from locoexport.runtime.picture import streams
from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.mp4 import Mp4Writer

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="threads are listed by Linux alone"
)


def _threads_started(work: Callable[[], object]) -> set[str]:
    """Threads that are there when ``work`` is done and were not before; what it gives is held."""
    before = set(os.listdir("/proc/self/task"))
    held = work()
    started = set(os.listdir("/proc/self/task")) - before
    del held
    return started


def _read(path: Path, deinterlaced: bool) -> object:
    frames = VideoReader(path, deinterlaced=deinterlaced).frames()
    next(frames), next(frames)
    return frames


@pytest.fixture
def film(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), np.uint8)
    frames = [av.VideoFrame.from_ndarray(image).reformat(format="yuv420p") for image in noise]
    write_frames(tmp_path / "f.mp4", frames)
    return tmp_path / "f.mp4"


@pytest.mark.parametrize("deinterlaced", [False, True])
def test_one_core_is_one_thread_for_reading(film: Path, deinterlaced: bool, monkeypatch) -> None:
    monkeypatch.setattr(streams, "restricted_threads", lambda: 1)
    assert not _threads_started(lambda: _read(film, deinterlaced))
    # The same with two: the count would see them.
    monkeypatch.setattr(streams, "restricted_threads", lambda: 2)
    assert _threads_started(lambda: _read(film, deinterlaced))


def test_one_core_is_one_thread_for_writing(tmp_path: Path, monkeypatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)

    def threads_of_a_film() -> int:
        before = set(os.listdir("/proc/self/task"))
        with Mp4Writer(tmp_path / "o.mp4", 25) as film:
            for _ in range(3):
                film.write(image)
            return len(set(os.listdir("/proc/self/task")) - before)

    monkeypatch.setattr(streams, "restricted_threads", lambda: 1)
    assert threads_of_a_film() == 0
    monkeypatch.setattr(streams, "restricted_threads", lambda: 2)
    assert threads_of_a_film() > 0


def test_an_unrestricted_process_leaves_the_number_to_ffmpeg(monkeypatch) -> None:
    monkeypatch.setattr(streams, "restricted_threads", lambda: None)
    assert streams.ffmpeg_threads() == streams.AS_MANY_AS_CORES == 0
