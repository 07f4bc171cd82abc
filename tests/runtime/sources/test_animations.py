"""Animated images: every frame, at its time, whichever decoder has it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from locoexport.errors import PackageMissingError, VideoError
from locoexport.runtime.sources.opening import open_video
from locoexport.runtime.video.selection import Selection

LEVELS = [20, 60, 100, 140, 180, 220]


def _write(path: Path, durations_ms: int | list[int] = 100) -> Path:
    if not features.check(path.suffix[1:].replace("gif", "webp").replace("png", "webp")):
        pytest.skip(f"this Pillow writes no {path.suffix}")
    images = [Image.fromarray(np.full((32, 48, 3), level, np.uint8)) for level in LEVELS]
    options = {"lossless": True} if path.suffix == ".webp" else {}
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations_ms, **options)
    return path


@pytest.mark.parametrize("suffix", ["webp", "avif", "gif", "png"])
def test_every_frame_is_read(tmp_path: Path, suffix: str) -> None:
    source = open_video(_write(tmp_path / f"a.{suffix}"))
    frames = list(source.frames())
    assert [frame.shape for frame in frames] == [(32, 48, 3)] * len(LEVELS)
    found = [int(frame[16, 24, 1]) for frame in frames]
    np.testing.assert_allclose(found, LEVELS, atol=4 if suffix == "avif" else 0)
    assert source.fps == pytest.approx(10)
    again = [int(frame[16, 24, 1]) for frame in source.frames_between(2, 4)]
    assert again == found[2:4]


def test_frames_of_a_webp_are_shown_for_their_own_time(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.webp", [100, 300, 100, 100, 100, 100])
    source = open_video(path, Selection(start_s=0.4))
    assert [int(frame[0, 0, 0]) for frame in source.frames()] == LEVELS[2:]
    assert source.fps == pytest.approx(6 / 0.8)


def test_a_webp_without_pillow_says_what_lacks(tmp_path: Path, monkeypatch) -> None:
    path = _write(tmp_path / "a.webp")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(PackageMissingError, match="pip install pillow"):
        open_video(path)


def test_an_avif_without_a_decoder_says_what_lacks(tmp_path: Path, monkeypatch) -> None:
    path = _write(tmp_path / "a.avif")
    monkeypatch.setattr("av.codecs_available", set())
    with pytest.raises(PackageMissingError, match="no decoder of AV1"):
        open_video(path)


@pytest.mark.parametrize("suffix", ["webp", "avif"])
def test_a_file_that_is_cut_short_is_said_so(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(VideoError, match=rf"a\.{suffix}"):
        list(open_video(path).frames())
