"""Entries of a cache: whole, private, and one of a kind."""

from pathlib import Path

import pytest

from locoexport.machine.writing.cache_entries import (
    bytes_of_entry,
    entries_of,
    keep_entry,
    make_private,
)


def put(folder: Path, data: bytes) -> Path:
    temporary = folder / ".draft"
    temporary.write_bytes(data)
    return keep_entry(temporary, folder, "key")


def test_an_entry_holds_what_its_name_says(tmp_path: Path) -> None:
    entry = put(tmp_path, b"content")
    assert entries_of(tmp_path, "key") == [entry]
    assert bytes_of_entry(entry) == b"content"
    entry.write_bytes(b"contend")
    assert bytes_of_entry(entry) is None
    assert bytes_of_entry(tmp_path / "key-absent.onnx") is None


def test_of_those_that_start_at_once_one_entry_stays(tmp_path: Path) -> None:
    entries = {put(tmp_path, bytes([number])) for number in range(9)}
    (left,) = entries_of(tmp_path, "key")
    assert left == min(entries)
    assert bytes_of_entry(left) is not None


@pytest.mark.parametrize("before", [None, 0o777, 0o755])
def test_a_folder_is_the_users_alone(tmp_path: Path, before: int | None) -> None:
    folder = tmp_path / "a" / "b"
    if before is not None:
        folder.mkdir(parents=True)
        folder.chmod(before)
    assert make_private(folder) is None
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    assert make_private(tmp_path) == f"{tmp_path} belongs to another user: not used"
