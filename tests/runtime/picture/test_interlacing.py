"""Interlaced frames are told, and made frames of one time: as many, at the same times."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tagged_films import write_frames

from locoexport.errors import UsageError
from locoexport.runtime.video.clips import VideoReader, read_clip
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.sources import open_source

_FRAMES, _STEP = 8, 4


def _bar(time: int) -> np.ndarray:
    """A white bar that goes 4 pixels a field to the right."""
    image = np.full((64, 96, 3), 40, np.uint8)
    image[:, 4 + _STEP * time : 20 + _STEP * time] = 220
    return image


@pytest.fixture(params=["tff", "bff"])
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Top or bottom lines first."""
    later = 1 if request.param == "tff" else 0
    frames = []
    for index in range(_FRAMES):
        woven = _bar(2 * index)
        woven[later::2] = _bar(2 * index + 1)[later::2]
        frame = av.VideoFrame.from_ndarray(woven).reformat(format="yuv444p")
        frames.append(_flagged(frame, request.param))
    write_frames(tmp_path / "f.mp4", frames, options={"x264-params": "interlaced=1"})
    return tmp_path / "f.mp4"


def _flagged(frame: av.VideoFrame, order: str) -> av.VideoFrame:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    flag, sink = graph.add("setfield", f"mode={order}"), graph.add("buffersink")
    source.link_to(flag)
    flag.link_to(sink)
    graph.configure()
    source.push(frame)
    return sink.pull()


def _combs(image: np.ndarray) -> float:
    """How far lines are from those above them: 0 for a bar that stands upright."""
    grey = image[8:-8].astype(int).mean(axis=-1)
    return float(np.abs(np.diff(grey, axis=0)).mean())


def test_interlaced_frames_are_told(film: Path) -> None:
    clip = read_clip(film)
    assert len(clip.warnings) == 1
    assert "--deinterlace" in clip.warnings[0]
    assert _combs(clip.frames_rgb[4]) > 10


def test_deinterlaced_frames_are_of_one_time(film: Path) -> None:
    combed = list(VideoReader(film).frames())
    reader = VideoReader(film, deinterlaced=True)
    whole = list(reader.frames())
    assert reader.warnings == []
    assert [time_s for time_s, _ in whole] == [time_s for time_s, _ in combed]
    assert len(whole) == _FRAMES
    for index, (_, image) in enumerate(whole):
        # Of the first field's time; the other's bar would be 4 pixels further.
        assert np.abs(image[8:-8].astype(int) - _bar(2 * index)[8:-8]).mean() < 3, index
        assert _combs(image) < 2, index


def test_frames_without_that_flag_are_deinterlaced_too(tmp_path: Path) -> None:
    woven = _bar(0)
    woven[1::2] = _bar(1)[1::2]
    frame = av.VideoFrame.from_ndarray(woven).reformat(format="yuv444p")
    write_frames(tmp_path / "f.mp4", [frame] * 3)
    images = [image for _, image in VideoReader(tmp_path / "f.mp4", deinterlaced=True).frames()]
    assert len(images) == 3


def test_a_selection_deinterlaces_files_alone(film: Path) -> None:
    source = open_source(film, Selection(deinterlace=True))
    assert _combs(source.first_frame()) < 2
    assert source.count() == _FRAMES
    with pytest.raises(UsageError, match="Only the frames of a file"):
        open_source(np.zeros((3, 8, 8, 3), np.uint8), Selection(deinterlace=True))


def test_late_frames_are_those_of_the_first_reading(film: Path) -> None:
    source = open_source(film, Selection(deinterlace=True))
    frames = list(source.frames())
    again = source.frames_between(5, 8)
    for index, frame in enumerate(again, 5):
        np.testing.assert_array_equal(frame, frames[index])


def test_records_made_without_it_are_still_good() -> None:
    assert "deinterlace" not in Selection().described()
    assert Selection(deinterlace=True).described()["deinterlace"] is True
