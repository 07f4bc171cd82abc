"""Files of several pictures: what is not read of them is said."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from locoexport.runtime.sources.opening import open_video
from locoexport.runtime.sources.stacks import warn_of_stacks

PAGE = np.full((40, 60, 3), 90, np.uint8)


def test_a_stack_of_pages_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    assert cv2.imwritemulti(str(path), [PAGE] * 3)
    for where in (path, tmp_path):
        source = open_video(where)
        assert len(list(source.frames())) == 1
        assert any("stack.tif holds more than one picture" in text for text in source.warnings)


def test_a_single_picture_is_not(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.tif"), PAGE)
    assert open_video(tmp_path / "one.tif").warnings == []


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("following", [0, 200])
def test_either_order_and_large_files(tmp_path: Path, order: str, following: int) -> None:
    mark = b"II" if order == "<" else b"MM"
    path = tmp_path / "f.tif"
    for content in (
        mark
        + struct.pack(order + "HIH", 42, 8, 1)
        + bytes(12)
        + struct.pack(order + "I", following),
        mark
        + struct.pack(order + "HHHQQ", 43, 8, 0, 16, 1)
        + bytes(20)
        + struct.pack(order + "Q", following),
    ):
        path.write_bytes(content)
        assert bool(warn_of_stacks([path])) == bool(following)


@pytest.mark.parametrize(
    "content", [b"", b"II", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0"]
)
def test_what_is_cut_short_is_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.tif"
    path.write_bytes(content)
    assert warn_of_stacks([path, tmp_path / "absent.tif"]) == []
