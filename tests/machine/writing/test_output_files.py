"""Outputs appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from locoexport.errors import OutputError
from locoexport.machine.writing.output_files import check_output, sha256_of, whole_file, whole_files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: BaseException) -> None:
    path.write_bytes(b"half")
    raise error


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    with whole_file(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists()
        assert temporary.is_relative_to(tmp_path)  # one file system: the rename is atomic
        assert temporary.suffix == ".onnx"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["out.onnx"]


def test_an_existing_file_is_replaced_at_the_end_only(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    with whole_file(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["out.json"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(143)])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failing_block_leaves_nothing(
    error: BaseException, existing: bool, tmp_path: Path
) -> None:
    target = tmp_path / "out.bin"
    if existing:
        target.write_bytes(b"old")
    with pytest.raises(type(error)) as caught, whole_file(target) as temporary:
        write_half(temporary, error)
    assert caught.value is error
    assert names(tmp_path) == (["out.bin"] if existing else [])
    if existing:
        assert target.read_bytes() == b"old"


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    message = r"Cannot write .*out\.bin: No space left on device"
    with pytest.raises(OutputError, match=message), whole_file(target) as temporary:
        write_half(temporary, full)
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Cannot write"), whole_file(tmp_path / "out.bin"):
        pass


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    target = tmp_path / "no" / "out.bin"
    with pytest.raises(OutputError, match="No such file"), whole_file(target) as temporary:
        temporary.write_bytes(b"x")
    assert names(tmp_path) == []


def test_a_file_for_a_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    target = tmp_path / "file" / "out.bin"
    with pytest.raises(OutputError, match="Not a directory"), whole_file(target) as temporary:
        temporary.write_bytes(b"x")


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250 + ".json")
    with whole_file(target) as temporary:
        temporary.write_bytes(b"x")
    assert target.read_bytes() == b"x"


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    with whole_file(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with whole_file(target) as first, whole_file(target) as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert target.read_bytes() == b"1"  # the outer block ends last


def test_several_files_appear_together_when_the_block_ends(tmp_path: Path) -> None:
    targets = [tmp_path / "a.onnx", tmp_path / "b.npz"]
    targets[1].write_text("old")
    with whole_files(targets) as drafts:
        assert [draft.name for draft in drafts] == ["a.onnx", "b.npz"]
        for draft in drafts:
            draft.write_text("new")
        assert not targets[0].exists()
        assert targets[1].read_text() == "old"
    assert [target.read_text() for target in targets] == ["new", "new"]
    assert names(tmp_path) == ["a.onnx", "b.npz"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError("a library's own, without a number"), OSError),
        (OSError(errno.ENOSPC, "full"), OutputError),
    ],
)
def test_several_files_leave_nothing_when_the_block_fails(
    error: BaseException, raised: type[BaseException], tmp_path: Path
) -> None:
    targets = [tmp_path / "a.onnx", tmp_path / "b.npz"]
    targets[1].write_text("old")
    with pytest.raises(raised) as caught, whole_files(targets) as drafts:
        write_half(drafts[0], error)
    assert type(caught.value) is raised
    assert targets[1].read_text() == "old"
    assert names(tmp_path) == ["b.npz"]


def test_check_output_returns_the_path(tmp_path: Path) -> None:
    assert check_output(str(tmp_path / "a.onnx"), force=False) == tmp_path / "a.onnx"
    assert names(tmp_path) == []


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"a\.onnx exists already; pass --force"):
        check_output(path, force=False)
    assert check_output(path, force=True) == path
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("force", [True, False])
def test_outputs_that_can_never_be_written(force: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for path, says in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "a.onnx", f"The folder {tmp_path / 'no'} does not exist"),
        (tmp_path / "file" / "a.onnx", "does not exist"),
        (tmp_path / ("n" * 300), "File name too long"),
        (tmp_path / "pipe", "is a device or a pipe"),
        (Path(os.devnull), "is a device or a pipe"),
    ):
        with pytest.raises(OutputError) as caught:
            check_output(path, force=force)
        assert says in str(caught.value)


def test_a_folder_that_may_not_be_written_to(tmp_path: Path, monkeypatch) -> None:
    # Root may write anywhere, so the operating system's answer is given for it.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(OutputError, match="is not writable"):
        check_output(tmp_path / "a.onnx", force=False)


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a") == digest
