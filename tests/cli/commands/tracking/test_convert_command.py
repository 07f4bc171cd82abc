"""``locoexport convert``, from a file of tracks to a file of another program."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from exchange_readers import read_cvat
from moving_points import moving_points
from nuke_script import read_tracker4
from typer.testing import CliRunner

from locoexport.cli.main import app
from locoexport.errors import InputError, OutputError, UsageError
from locoexport.runtime.drawing.film import write_film
from locoexport.runtime.tracks.tracks import read_tracks, write_tracks
from locoexport.runtime.video.mp4 import write_mp4


def convert(*arguments: object) -> str:
    result = CliRunner().invoke(
        app, ["convert", *map(str, arguments)], catch_exceptions=False, standalone_mode=False
    )
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("suffix", [".npz", ".json", ".csv"])
def test_every_file_that_track_writes_is_converted(suffix: str, tmp_path: Path) -> None:
    source, out = tmp_path / f"t{suffix}", tmp_path / "out.nk"
    write_tracks(source, moving_points())
    text = convert(source, "-o", out, "--size", "360x640", "--first-frame", 1001)
    assert "2 points in 6 frames" in text
    track = read_tracker4(out.read_text())[0]
    np.testing.assert_allclose(track["track_x"][1002], 13.425, atol=1e-4)
    np.testing.assert_allclose(track["track_y"][1002], 360 - 22.45, atol=1e-4)


def test_a_csv_becomes_an_npz_with_the_rate_that_is_said(tmp_path: Path) -> None:
    source, out = tmp_path / "t.csv", tmp_path / "t.npz"
    write_tracks(source, moving_points())
    rows = [line.rsplit(",", 1)[0] for line in source.read_text().splitlines()]
    source.write_text("\n".join(rows))  # without times, as other programs write it
    with pytest.raises(InputError, match="fps"):
        convert(source, "-o", out)
    convert(source, "-o", out, "--fps", 50)
    back, tracks = read_tracks(out), moving_points()
    assert back.fps == 50
    np.testing.assert_array_equal(back.xy, tracks.xy)
    np.testing.assert_array_equal(back.visible, tracks.visible)
    np.testing.assert_array_equal(back.query_points, tracks.query_points)


def test_the_document_says_what_was_written(tmp_path: Path) -> None:
    source, out = tmp_path / "t.npz", tmp_path / "anything.bin"
    write_tracks(source, moving_points())
    document = json.loads(
        convert(source, "-o", out, "--to", "nuke", "--size", "36x64", "--json", "-")
    )
    assert document["schema"] == "locoexport.convert/1"
    assert (document["format"], document["points"], document["frames"]) == ("nuke", 2, 6)
    assert document["frame_hw"] == [36, 64]
    assert document["fps"] == 25
    # One of the two points is outside a frame of 64x36 at all times: 6 of 10 visible places.
    assert document["warnings"] == [
        "60% of the visible points lie outside 36x64 (HxW); is that size right?"
    ]
    assert read_tracker4(out.read_text())


@pytest.mark.parametrize(
    ("frames", "first", "told"),
    [
        (6, None, None),
        (5, None, "The clip has 5 frames and the tracks have 6. Do they belong to that clip?"),
        (9, None, "9 frames and the tracks have 6, which are placed on its first frames"),
        (9, 2, None),
    ],
)
def test_a_clip_of_another_length_is_told(
    frames: int, first: int | None, told: str | None, tmp_path: Path
) -> None:
    source, out, clip = tmp_path / "t.csv", tmp_path / "out.xml", tmp_path / "clip.mp4"
    write_tracks(source, moving_points())
    write_mp4(clip, np.zeros((frames, 360, 640, 3), np.uint8), 10)
    options = () if first is None else ("--first-frame", first)
    found = json.loads(convert(source, "-o", out, "--video", clip, *options, "--json", "-"))
    assert (found["frame_hw"], found["fps"]) == ([360, 640], 10)
    assert [told in each for each in found["warnings"]] == ([] if told is None else [True])
    _, flags = read_cvat(out.read_text())
    # CVAT shows a point to the end of the clip, unless it is put outside after its last frame.
    begin = first or 0
    assert (flags["0"].get(begin + 6) == (1, 0)) == (frames > begin + 6)
    assert min(flags["0"]) == begin


def test_a_number_that_no_clip_has_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "t.npz"
    write_tracks(source, moving_points())
    for number in (-1, 10**20):
        with pytest.raises(UsageError, match="it must be 0 to 1,000,000,000"):
            convert(source, "-o", tmp_path / "o.rrd", "--first-frame", number)
    with pytest.raises(UsageError, match="--first-frame is for other programs"):
        convert(source, "-o", tmp_path / "o.csv", "--first-frame", 5)


def test_nothing_is_lost_and_nothing_half_written(tmp_path: Path) -> None:
    source, out = tmp_path / "t.npz", tmp_path / "out.nk"
    write_tracks(source, moving_points())
    out.write_text("old")
    with pytest.raises(OutputError, match="exists already; pass --force"):
        convert(source, "-o", out, "--size", "360x640")
    with pytest.raises(OutputError, match="is read and never replaced"):
        convert(source, "-o", source, "--force")
    with pytest.raises(UsageError, match="need the clip's width"):
        convert(source, "-o", out, "--force")
    assert out.read_text() == "old"
    convert(source, "-o", out, "--size", "360x640", "--force")
    assert len(read_tracker4(out.read_text())) == 2


def test_neither_the_clip_nor_the_report_is_lost(tmp_path: Path) -> None:
    source, clip, out = tmp_path / "t.npz", tmp_path / "clip.mp4", tmp_path / "out.json"
    write_tracks(source, moving_points())
    write_mp4(clip, np.zeros((6, 360, 640, 3), np.uint8), 10)
    before = clip.read_bytes()
    with pytest.raises(OutputError, match=r"is --video .* itself, which is read"):
        convert(source, "-o", clip, "--to", "3de", "--video", clip, "--force")
    assert clip.read_bytes() == before
    with pytest.raises(OutputError, match="are the same file"):
        convert(source, "-o", out, "--json", out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["frames", "frames/%03d.png", "frames/*.png", "a.gif"])
def test_every_source_that_is_read_again_can_be_asked(name: str, tmp_path: Path) -> None:
    source, out = tmp_path / "t.npz", tmp_path / "out.xml"
    write_tracks(source, replace(moving_points(), fps=30.0))
    (tmp_path / "frames").mkdir()
    pictures = [np.full((30, 40, 3), 40 * index, np.uint8) for index in range(6)]
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / "frames" / f"{index:03d}.png"), picture)
    if name == "a.gif":
        write_film(tmp_path / name, iter(pictures), 10, np.arange(6) / 10)
    found = json.loads(
        convert(source, "-o", out, "--video", tmp_path / name, "--first-frame", 0, "--json", "-")
    )
    assert found["frame_hw"] == [30, 40]
    # Images have no rate: it is that of the tracks.
    assert found["fps"] == (10 if name == "a.gif" else 30)
    assert f"<name>{Path(name).name}</name>" in out.read_text()


def test_a_stream_cannot_be_asked(tmp_path: Path) -> None:
    source = tmp_path / "t.npz"
    write_tracks(source, moving_points())
    with pytest.raises(UsageError, match="can be read only once: give --size and --fps"):
        convert(source, "-o", tmp_path / "o.nk", "--video", "-")


def test_what_is_no_tracks_is_told(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("frame,x\n0,1\n")
    with pytest.raises(InputError, match=r"t\.csv: it has no column y"):
        convert(source, "-o", tmp_path / "out.nk", "--size", "360x640")
    with pytest.raises(InputError, match="tracks are read from"):
        convert(tmp_path / "t.mp4", "-o", tmp_path / "out.nk", "--size", "360x640")
