"""``locoexport track`` over clips that are not upright, square and progressive."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_tracker import tracker_bytes
from tagged_films import set_display_matrix, write_frames

from locoexport.runtime.video.clips import VideoReader, read_clip
from locoexport.runtime.video.mp4 import write_mp4

_ANAMORPHIC = Fraction(16, 11)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(tracker_bytes())
    return path


@pytest.fixture
def anamorphic(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).integers(60, 120, (4, 48, 64, 3)).astype(np.uint8)
    write_mp4(tmp_path / "a.mp4", frames, 10, pixel_aspect=_ANAMORPHIC)
    return tmp_path / "a.mp4"


@pytest.mark.parametrize(
    "ask", [("--points", "grid:2"), ("--boxes", "16,24,40,40")], ids=["points", "objects"]
)
def test_the_overlay_keeps_the_shape_of_pixels(
    run, model: Path, anamorphic: Path, tmp_path: Path, ask: tuple[str, str]
) -> None:
    command = ("track", anamorphic, "--model", model, *ask, "-o", tmp_path / "o.mp4", "--force")
    command += ("--scale", "1")
    text = run(*command)
    assert text.code == 0
    assert "16:11, players show 48x93; coordinates are in stored pixels" in text.stdout
    assert json.loads(run(*command, "--json", "-").stdout)["pixel_aspect"] == [16, 11]
    reader = VideoReader(tmp_path / "o.mp4")
    assert reader.pixel_aspect == _ANAMORPHIC
    assert next(reader.frames())[1].shape == (48, 64, 3)


def test_a_gif_says_that_it_cannot_keep_the_shape_of_pixels(
    run, model: Path, anamorphic: Path, tmp_path: Path
) -> None:
    found = run("track", anamorphic, "--model", model, "-o", tmp_path / "o.gif")
    assert found.code == 0
    assert "pixels are not square, and a .gif cannot record that" in found.stderr


def test_square_pixels_are_not_talked_of(run, model: Path, tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", np.full((3, 48, 64, 3), 90, np.uint8), 10)
    found = run("track", tmp_path / "a.mp4", "--model", model, "-o", tmp_path / "o.mp4")
    assert "stored pixels" not in found.stdout


def test_the_overlay_of_a_mirrored_clip_shows_what_players_show(
    run, model: Path, tmp_path: Path
) -> None:
    image = np.full((48, 64, 3), 60, np.uint8)
    image[:, :16] = 200
    write_mp4(tmp_path / "a.mp4", [image] * 3, 10)
    set_display_matrix(tmp_path / "a.mp4", -1, 0, 0, 1)
    command = ("track", tmp_path / "a.mp4", "--model", model, "-o", tmp_path / "o.mp4")
    command += ("--scale", "1")
    assert run(*command, "--query", "0,40,10").code == 0  # drawn down to the left
    overlay = read_clip(tmp_path / "o.mp4").frames_rgb[0].astype(int)
    assert overlay[:12, 52:].mean() > 190
    assert overlay[:12, :44].mean() < 80


def test_interlaced_clips_are_told_and_deinterlaced(run, model: Path, tmp_path: Path) -> None:
    frames = [av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8))] * 3
    frames = [frame.reformat(format="yuv420p") for frame in frames]
    write_frames(tmp_path / "a.mp4", frames, options={"x264-params": "interlaced=1"})
    command = ("track", tmp_path / "a.mp4", "--model", model, "-o", tmp_path / "o.mp4", "--force")
    told = run(*command)
    assert told.code == 0
    assert "is interlaced" in told.stderr
    done = run(*command, "--deinterlace")
    assert done.code == 0
    assert "is interlaced" not in done.stderr
    assert len(read_clip(tmp_path / "o.mp4").frames_rgb) == 3


def test_a_long_name_does_not_stop_a_folder(run, model: Path, tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    out.mkdir()
    for name in ("a.mp4", "長" * 82 + ".mp4", "長" * 82 + "b.mp4", "2026-01-01T10:30:00.mp4"):
        write_mp4(tmp_path / "film.mp4", np.full((3, 48, 64, 3), 90, np.uint8), 10)
        (tmp_path / "film.mp4").rename(clips / name)
    command = ("track", clips, "--model", model, "--points", "grid:1", "-o", out, "--json", "-")
    document = json.loads(run(*command).stdout)
    assert [clip["outcome"] for clip in document["clips"]] == ["tracked"] * 4
    assert len(list(out.glob("*.tracked.mp4"))) == len(list(out.glob("*.done.json"))) == 4
    again = json.loads(run(*command).stdout)
    assert [clip["skipped"] for clip in again["clips"]] == [True] * 4


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/f.mp4", "rtsp://127.0.0.1:9/live"])
def test_an_address_is_no_clip(run, model: Path, tmp_path: Path, name: str) -> None:
    found = run("track", name, "--model", model, "-o", tmp_path / "o.mp4")
    assert found.code == 2
    assert "--url" in found.stderr
