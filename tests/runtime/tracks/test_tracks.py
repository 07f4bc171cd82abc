import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError, OutputError, UsageError
from locoexport.runtime.tracks.tracks import (
    Tracks,
    check_tracks_path,
    read_tracks,
    write_tracks,
)


@pytest.fixture
def tracks() -> Tracks:
    random = np.random.default_rng(0)
    confidence = random.uniform(0, 1, (3, 4)).astype(np.float32)
    return Tracks(
        xy=random.normal(50, 40, (3, 4, 2)).astype(np.float32),
        visible=confidence >= 0.5,
        confidence=confidence,
        query_points=random.uniform(0, 3, (3, 3)).astype(np.float32),
        fps=30000 / 1001,
    )


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_files_read_back_bit_for_bit(tmp_path: Path, tracks: Tracks, suffix: str) -> None:
    path = tmp_path / f"tracks{suffix}"
    path.write_text("old")
    write_tracks(path, tracks)
    back = read_tracks(path)
    for name, value in vars(tracks).items():
        np.testing.assert_array_equal(getattr(back, name), value)
    first = path.read_bytes()
    write_tracks(path, tracks)
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_npz_is_the_contract(tmp_path: Path, tracks: Tracks) -> None:
    write_tracks(tmp_path / "t.npz", tracks)
    with np.load(tmp_path / "t.npz") as arrays:
        assert {name: (arrays[name].shape, str(arrays[name].dtype)) for name in arrays.files} == {
            "tracks_xy": ((3, 4, 2), "float32"),
            "visible": ((3, 4), "bool"),
            "confidence": ((3, 4), "float32"),
            "query_points_tyx": ((3, 3), "float32"),
            "fps": ((), "float64"),
        }


def test_csv_has_a_row_a_frame_and_point(tmp_path: Path, tracks: Tracks) -> None:
    write_tracks(tmp_path / "t.csv", tracks)
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    columns = ["frame", "object", "point", "x", "y", "visible", "confidence", "time_s"]
    assert list(rows[0]) == columns
    assert {row["object"] for row in rows} == {""}
    assert [(row["frame"], row["point"]) for row in rows] == [
        (str(frame), str(point)) for frame in range(4) for point in range(3)
    ]
    for row in rows:
        at = int(row["point"]), int(row["frame"])
        assert (np.float32(row["x"]), np.float32(row["y"])) == tuple(tracks.xy[at])
        assert row["visible"] == str(int(tracks.visible[at]))
        assert np.float32(row["confidence"]) == tracks.confidence[at]


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_times_of_frames_read_back(tmp_path: Path, tracks: Tracks, suffix: str) -> None:
    times = np.array([0.0, 0.04, 0.24, 1 / 3])
    write_tracks(tmp_path / f"t{suffix}", replace(tracks, time_s=times))
    back = read_tracks(tmp_path / f"t{suffix}").time_s
    assert back is not None
    assert np.array_equal(back, times)
    with pytest.raises(InputError, match="time_s"):
        replace(tracks, time_s=times[:3])


def test_csv_says_when_a_frame_is_shown(tmp_path: Path, tracks: Tracks) -> None:
    for time_s, expected in ((None, 2 / tracks.fps), (np.array([0, 0.04, 0.24, 0.44]), 0.24)):
        write_tracks(tmp_path / "t.csv", replace(tracks, time_s=time_s))
        rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
        assert [row["time_s"] for row in rows if row["frame"] == "2"] == [
            str(round(expected, 6))
        ] * 3


def test_json_carries_its_schema(tmp_path: Path, tracks: Tracks) -> None:
    write_tracks(tmp_path / "t.json", tracks)
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["schema"] == "locoexport.tracks/1"
    assert np.shape(document["tracks_xy"]) == (3, 4, 2)
    document["schema"] = "locoexport.tracks/2"
    (tmp_path / "t.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="schema"):
        read_tracks(tmp_path / "t.json")


def test_unknown_suffix_and_unwritable_place(tmp_path: Path, tracks: Tracks) -> None:
    for name in ("t.txt", "t", "t.npy"):
        with pytest.raises(UsageError, match=r"\.npz, \.csv, \.json"):
            check_tracks_path(tmp_path / name)
        with pytest.raises(UsageError):
            write_tracks(tmp_path / name, tracks)
    for suffix in (".npz", ".csv", ".json"):
        with pytest.raises(OutputError):
            write_tracks(tmp_path / "absent" / f"t{suffix}", tracks)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.npz", b"PK\x03\x04 cut short"),
        ("t.npz", b""),
        ("t.json", b"[1, 2]"),
        ("t.json", b'{"schema": "locoexport.tracks/1"}'),
        ("t.json", b"\xff"),
        ("t.csv", b"point,frame\n"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_tracks(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        read_tracks(tmp_path / "absent.npz")


def test_arrays_that_do_not_fit_are_refused(tracks: Tracks) -> None:
    with pytest.raises(InputError, match="confidence is float32 of shape"):
        Tracks(tracks.xy, tracks.visible, tracks.confidence[:2], tracks.query_points, 25.0)
    with pytest.raises(InputError, match="fps is nan"):
        Tracks(
            tracks.xy,
            tracks.visible,
            tracks.confidence,
            tracks.query_points,
            float("nan"),
        )
