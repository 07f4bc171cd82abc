"""What tracks know of their video: frames that stand for lost ones, its size, its warnings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError
from locoexport.runtime.tracks.tracks import Tracks

TRACKS = Tracks(
    xy=np.zeros((2, 10, 2), np.float32),
    visible=np.ones((2, 10), np.bool_),
    confidence=np.ones((2, 10), np.float32),
    query_points=np.zeros((2, 3), np.float32),
    fps=25.0,
    frames_repeated=np.array([3, 4, 7], np.int64),
    frame_hw=(48, 128),
    warnings=("a.ts is damaged.", "Größer"),
)


@pytest.mark.parametrize("kind", ["npz", "json"])
def test_files_keep_it(tmp_path: Path, kind: str) -> None:
    TRACKS.save(tmp_path / f"t.{kind}")
    again = Tracks.load(tmp_path / f"t.{kind}")
    assert again.frames_repeated is not None
    assert again.frames_repeated.tolist() == [3, 4, 7]
    assert again.frame_hw == (48, 128)
    assert again.warnings == TRACKS.warnings


@pytest.mark.parametrize("kind", ["npz", "json"])
def test_files_without_it_load(tmp_path: Path, kind: str) -> None:
    bare = replace(TRACKS, frames_repeated=None, frame_hw=None, warnings=())
    bare.save(tmp_path / f"t.{kind}")
    if kind == "npz":
        with np.load(tmp_path / "t.npz") as archive:
            assert not {"frames_repeated", "frame_hw", "warnings"} & set(archive)
    again = Tracks.load(tmp_path / f"t.{kind}")
    assert (again.frames_repeated, again.frame_hw, again.warnings) == (None, None, ())
    assert again == bare == TRACKS


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (slice(None), [3, 4, 7]),
        (slice(4, None), [0, 3]),
        (slice(1, 8, 2), [1, 3]),
        (slice(0, 3), []),
        (7, [0]),
    ],
)
def test_a_part_counts_its_own_frames(frames: slice | int, expected: list[int]) -> None:
    part = TRACKS[:, frames]
    assert part.frames_repeated is not None
    assert part.frames_repeated.tolist() == expected
    assert (part.frame_hw, part.warnings) == (TRACKS.frame_hw, TRACKS.warnings)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames_repeated": np.array([4, 3], np.int64)}, "must rise within 0 to 9"),
        ({"frames_repeated": np.array([10], np.int64)}, "must rise within 0 to 9"),
        ({"frames_repeated": np.array([1.0])}, "expected int64 of shape"),
        ({"frame_hw": (0, 3)}, "at least 1"),
    ],
)
def test_what_cannot_be(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(TRACKS, **wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [("frame_hw", np.zeros(3, np.int64)), ("frame_hw", np.ones(2)), ("warnings", np.zeros(2))],
)
def test_a_file_that_holds_something_else(tmp_path: Path, name: str, value: np.ndarray) -> None:
    TRACKS.save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "t.npz", **{**arrays, name: value})
    with pytest.raises(InputError, match=name):
        Tracks.load(tmp_path / "t.npz")
