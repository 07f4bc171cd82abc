"""``locoexport convert``, from a file of tracks to a file of another program."""

import json
from pathlib import Path

import numpy as np
import pytest
from moving_points import moving_points
from nuke_script import read_tracker4
from typer.testing import CliRunner

from locoexport.cli.main import app
from locoexport.errors import InputError, OutputError, UsageError
from locoexport.runtime.tracking.tracks import read_tracks, write_tracks


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
    with pytest.raises(UsageError, match=r"clip's fps, which nobody said: give --fps N"):
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
        "60% of the visible points lie outside 36x64 (HxW); is that the size?"
    ]
    assert read_tracker4(out.read_text())


def test_nothing_is_lost_and_nothing_half_written(tmp_path: Path) -> None:
    source, out = tmp_path / "t.npz", tmp_path / "out.nk"
    write_tracks(source, moving_points())
    out.write_text("old")
    with pytest.raises(OutputError, match="exists already; pass --force"):
        convert(source, "-o", out, "--size", "360x640")
    with pytest.raises(OutputError, match="is the file that is read"):
        convert(source, "-o", source, "--force")
    with pytest.raises(UsageError, match="need the clip's width"):
        convert(source, "-o", out, "--force")
    assert out.read_text() == "old"
    convert(source, "-o", out, "--size", "360x640", "--force")
    assert len(read_tracker4(out.read_text())) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("frame,x,y\n", "it has no column point, visible, confidence"),
        ("frame,point,x,y,visible,confidence\n", "it has a header and no rows"),
        ("frame,point,x,y,visible,confidence\n0,0,1\n", "line 2 has 3 values; the header has 6"),
        ("frame,point,x,y,visible,confidence\n0,0,1,1,1,one\n", "does not hold tracks"),
        ("frame,point,x,y,visible,confidence\n0.5,0,1,1,1,1\n", "must be whole numbers"),
        ("frame,point,x,y,visible,confidence\n0,1e9,1,1,1,1\n", "it has 1 rows; 1,000,000,001"),
        (
            "frame,point,x,y,visible,confidence\n0,0,1,1,1,1\n0,0,1,1,1,1\n1,1,1,1,1,1\n1,1,1,1,1,1\n",
            "two rows are of the same frame and point",
        ),
    ],
)
def test_a_csv_that_is_no_tracks_is_told(text: str, message: str, tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text(text)
    with pytest.raises(InputError, match=message):
        convert(source, "-o", tmp_path / "out.nk", "--size", "360x640")
    with pytest.raises(InputError, match="tracks are read from"):
        convert(tmp_path / "t.mp4", "-o", tmp_path / "out.nk", "--size", "360x640")
