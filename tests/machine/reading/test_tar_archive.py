"""Members of tars, read in place."""

import io
import random
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest
from jax_files import save_tar

from locoexport.errors import InputError
from locoexport.machine.reading.tar_archive import is_tar, open_member, split_member


def begins_with_x(file: BinaryIO, _size: int) -> bool:
    return file.read(1) == b"x"


def read(path: Path, wanted: str | None = None) -> tuple[str, bytes]:
    with open_member(path, wanted, begins_with_x, "things") as member:
        data = member.file.read()
        assert len(data) == member.size_bytes
        return member.name, data


def refused(path: Path, wanted: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read(path, wanted)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_only_one_that_fits_is_read(mode: str, tmp_path: Path) -> None:
    path = save_tar(tmp_path / "a.tar", {"a/one": b"x1", "a/two": b"y2", "a/empty": b""}, mode)
    assert is_tar(path)
    assert read(path) == ("a/one", b"x1")
    assert read(path, "a/two") == ("a/two", b"y2")  # by its whole name


def test_members_are_named_by_some_of_their_parts(tmp_path: Path) -> None:
    path = save_tar(tmp_path / "a.tar", {"w/small/c": b"x1", "w/small_2/c": b"x2", "c": b"x3"})
    assert read(path, "small") == ("w/small/c", b"x1")
    assert read(path, "small_2/c") == ("w/small_2/c", b"x2")
    assert read(path, "c") == ("c", b"x3")
    assert f"it holds 3 things: w/small/c, w/small_2/c, c. Name one: {path}::small" in refused(path)
    assert "2 things in it are called w; it holds w/small/c" in refused(path, "w")
    assert "no things in it is called sma" in refused(path, "sma")


def test_marks_in_names(tmp_path: Path) -> None:
    assert split_member(tmp_path / "a.tar") == (tmp_path / "a.tar", None)
    assert split_member(f"{tmp_path}/a.tar::b/c") == (tmp_path / "a.tar", "b/c")
    odd = tmp_path / "a::b"
    odd.write_bytes(b"")
    assert split_member(odd) == (odd, None)  # a file of that very name
    assert split_member("::b") == (Path("::b"), None)


def test_of_two_members_of_one_name_the_last_counts(tmp_path: Path) -> None:
    """As tar itself unpacks them."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for data in (b"x1", b"x22"):
            info = tarfile.TarInfo("a")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert read(tmp_path / "a.tar") == ("a", b"x22")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_cut_tar_is_told(mode: str, tmp_path: Path) -> None:
    data = b"x" + random.Random(3).randbytes(100_000)
    whole = save_tar(tmp_path / "a.tar", {"a": data}, mode).read_bytes()
    path = tmp_path / "b.tar"
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refused(path) or "damaged tar" in refused(path)


def test_a_size_that_is_not_there_takes_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.size = 1 << 40
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf() + b"x" * 512)
    assert "says 1,099,511,627,776 bytes, which are not in it" in refused(path)


def test_no_tar() -> None:
    assert not is_tar(Path(__file__))
