"""Which export a name stands for: a split one and a live one share two of their files' names."""

from pathlib import Path

import pytest

from locoexport.runtime.session.split_files import (
    find_live_files,
    find_split_files,
    is_live_export,
    name_live_files,
    name_split_files,
)

SPLIT, LIVE = ("encoder", "query", "tracker"), ("encoder", "query", "live")
SHARED = ("m.encoder.onnx", "m.query.onnx")


def write(folder: Path, roles: tuple[str, ...]) -> None:
    for role in roles:
        (folder / f"m.{role}.onnx").touch()


@pytest.mark.parametrize("name", [*SHARED, "m.tracker.onnx", "m.onnx"])
def test_a_split_export_is_named_by_any_of_its_files(tmp_path: Path, name: str) -> None:
    write(tmp_path, SPLIT)
    assert find_split_files(tmp_path / name) == name_split_files(tmp_path / "m.onnx")
    assert find_live_files(tmp_path / name) is None
    assert not is_live_export(tmp_path / name)


@pytest.mark.parametrize("name", [*SHARED, "m.live.onnx", "m.onnx"])
def test_a_live_export_is_named_by_any_of_its_files(tmp_path: Path, name: str) -> None:
    write(tmp_path, LIVE)
    assert find_live_files(tmp_path / name) == name_live_files(tmp_path / "m.onnx")
    assert find_split_files(tmp_path / name) is None
    assert is_live_export(tmp_path / name)


def test_where_both_lie_what_they_share_is_the_split_ones(tmp_path: Path) -> None:
    write(tmp_path, SPLIT + LIVE)
    for name in (*SHARED, "m.tracker.onnx", "m.onnx"):
        assert find_split_files(tmp_path / name) is not None
        assert not is_live_export(tmp_path / name)
    assert is_live_export(tmp_path / "m.live.onnx")
    # Whoever asks for the live one by a shared name gets it.
    assert find_live_files(tmp_path / SHARED[0]) == name_live_files(tmp_path / "m.onnx")


def test_a_file_that_is_not_there_is_of_what_its_name_says(tmp_path: Path) -> None:
    assert is_live_export(tmp_path / "m.live.onnx")
    assert find_split_files(tmp_path / "m.query.onnx") is not None
    assert find_live_files(tmp_path / "m.query.onnx") is None
    assert find_split_files(tmp_path / "m.onnx") is None
