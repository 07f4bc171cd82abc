"""Colours by their tags, pixels that are not square, and what is said of frames."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tagged_films import COLOURS_RGB, set_display_matrix, write_colours, write_frames

from locoexport.runtime.video.clips import VideoReader, read_clip
from locoexport.runtime.video.mp4 import write_mp4
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.sources import open_source


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 2, 4, 5, 6, 7, 9])
@pytest.mark.parametrize(
    ("pix_fmt", "tolerance"), [("yuv444p", 1), ("yuv420p", 2), ("yuv420p10le", 3)]
)
def test_colours_are_those_that_were_written(
    tmp_path: Path, pix_fmt: str, tolerance: int, matrix: int, full: bool
) -> None:
    """Tolerances are what FFmpeg's scaler was measured to lose (PyAV 17.1 and 18.1). A matrix taken
    for another is 10 to 24 levels off, a range 16: PyAV 13 to 16 did that."""
    write_colours(tmp_path / "f.mp4", matrix, full=full, pix_fmt=pix_fmt)
    clip = read_clip(tmp_path / "f.mp4")
    got = clip.frames_rgb[0, 16, 8::16].astype(int)
    assert np.abs(got - COLOURS_RGB).max() <= tolerance
    assert clip.warnings == ()


@pytest.mark.parametrize(("tag", "name"), [(8, "YCgCo"), (10, "constant luminance")])
def test_a_matrix_that_is_not_converted_is_told(tmp_path: Path, tag: int, name: str) -> None:
    write_colours(tmp_path / "f.mp4", 6, full=False, tag=tag)
    clip = read_clip(tmp_path / "f.mp4")
    assert len(clip.frames_rgb) == 2
    assert np.abs(clip.frames_rgb[0, 16, 8::16].astype(int) - COLOURS_RGB).max() <= 1
    assert len(clip.warnings) == 1
    assert name in clip.warnings[0]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_told_by_its_name(tmp_path: Path, transfer: int, name: str) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8))
    frames = [frame.reformat(format="yuv420p10le")]
    write_frames(
        tmp_path / "f.mp4",
        frames,
        colorspace=9,
        color_primaries=9,
        color_trc=transfer,
        color_range=1,
    )
    clip = read_clip(tmp_path / "f.mp4")
    assert len(clip.warnings) == 1
    assert f"high dynamic range: {name}" in clip.warnings[0]


def _film(path: Path, aspect: Fraction) -> Path:
    image = np.full((48, 32, 3), 90, np.uint8)
    write_mp4(path, [image] * 3, 25, pixel_aspect=aspect)
    return path


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(16, 11), Fraction(3, 4), Fraction(1)])
def test_pixel_aspect_is_read_as_it_was_written(tmp_path: Path, aspect: Fraction) -> None:
    source = open_source(_film(tmp_path / "f.mp4", aspect))
    assert source.frame_hw() == (48, 32)
    assert source.pixel_aspect() == aspect


def test_pixel_aspect_of_what_is_turned_is_turned(tmp_path: Path) -> None:
    path = _film(tmp_path / "f.mp4", Fraction(2))
    set_display_matrix(path, 0, 1, -1, 0)
    source = open_source(path)
    assert source.frame_hw() == (32, 48)
    assert source.pixel_aspect() == Fraction(1, 2)


def test_pixel_aspect_of_what_is_scaled_keeps_the_shape(tmp_path: Path) -> None:
    path = _film(tmp_path / "f.mp4", Fraction(2))
    assert open_source(path, Selection(resize_hw=(48, 64))).pixel_aspect() == 1
    assert open_source(path, Selection(resize_hw=(24, 64))).pixel_aspect() == Fraction(1, 2)
    square = _film(tmp_path / "s.mp4", Fraction(1))
    assert open_source(square, Selection(resize_hw=(24, 64))).pixel_aspect() == 1


def test_pixel_aspect_after_all_was_read_reads_nothing_more(tmp_path: Path) -> None:
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    source = open_source(iter(frames))
    assert source.count() == 3
    assert source.pixel_aspect() == 1


def test_an_aspect_that_cannot_be_is_square(tmp_path: Path) -> None:
    reader = VideoReader(_film(tmp_path / "f.mp4", Fraction(1, 900)))
    assert reader.pixel_aspect == 1
