"""Live states in files: what is written comes back, and what is none is refused."""

from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import InputError, UsageError
from locoexport.runtime.live.points import FollowedPoints
from locoexport.runtime.live.state import LiveState

ARRAYS = {
    "model": np.array("m"),
    "frame_hw": np.array([8, 9]),
    "counts": np.array([3, 5]),
    "ids": np.array([1, 4]),
    "memory": np.zeros((2, 3, 6), np.float32),
    "support/hires": np.ones((2, 4, 3), np.float32),
}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    supports = {"hires": rng.standard_normal((2, 4, 3), np.float32)}
    memory = rng.standard_normal((2, 3, 6), np.float32)
    for size_hw in ((8, 9), None):
        points = FollowedPoints(np.array([1, 4]), supports, memory)
        LiveState("b0 weights", size_hw, 3, 5, points).save(tmp_path / "s.npz")
        found = LiveState.load(tmp_path / "s.npz")
        assert (found.model, found.frame_hw, found.frame_index, found.next_id) == (
            "b0 weights",
            size_hw,
            3,
            5,
        )
        assert found.points.ids.tolist() == [1, 4]
        assert np.array_equal(found.points.memory, memory)
        assert np.array_equal(found.points.supports["hires"], supports["hires"])


def test_a_good_file_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", **ARRAYS)
    assert len(LiveState.load(tmp_path / "s.npz").points) == 2


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("ids", None),
        ("ids", np.array([4, 1])),
        ("ids", np.array([1, 5])),
        ("ids", np.array([-1, 1])),
        ("ids", np.array([1.0, 4.0])),
        ("ids", np.array([1, 2, 4])),
        ("counts", np.array([3])),
        ("counts", np.array([-2, 5])),
        ("counts", np.array([3, 2**62])),
        ("frame_hw", np.array([0, 9])),
        ("frame_hw", np.array([8, 9, 3])),
        ("model", np.array(["m", "n"])),
        ("memory", np.zeros((2, 3, 6))),
        ("memory", np.zeros((2, 18), np.float32)),
        ("memory", np.full((2, 3, 6), np.nan, np.float32)),
        ("support/hires", np.ones((3, 4, 3), np.float32)),
    ],
)
def test_what_is_no_state_is_refused(name: str, array: object, tmp_path: Path) -> None:
    arrays = {**ARRAYS, name: array}
    np.savez(tmp_path / "s.npz", **{key: each for key, each in arrays.items() if each is not None})
    with pytest.raises(InputError, match=r"s\.npz"):
        LiveState.load(tmp_path / "s.npz")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    state = LiveState("m", None, -1, 0, FollowedPoints.none({"hires": (4, 3)}, 3, 6))
    with pytest.raises(UsageError, match=r"\.npz"):
        state.save(tmp_path / "s.pickle")
