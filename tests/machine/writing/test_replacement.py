"""Several files or folders take the place of others: all or none, whatever fails in between."""

import ctypes
import errno
import json
import os
from pathlib import Path

import pytest

from locoexport.errors import OutputError
from locoexport.machine.writing import replacement
from locoexport.machine.writing.drafts import draft_folder, sweep
from locoexport.machine.writing.output_files import whole_file, whole_files
from locoexport.machine.writing.replacement import put_in_place, recover

NAMES = ("a", "b", "c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a file, a folder and nothing where three drafts will go."""
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "inside").write_text("old")
    return tmp_path


@pytest.fixture(params=["exchange", "aside"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With and without a system that can exchange two paths."""
    if request.param == "aside":
        monkeypatch.setattr(replacement, "_renameat2", lambda: None)
    elif replacement._renameat2() is None:
        pytest.skip("this system cannot exchange two paths")
    return str(request.param)


def draft(drafts: Path) -> list[Path]:
    (drafts / "a").write_text("new")
    (drafts / "b").mkdir()
    (drafts / "b" / "inside").write_text("new")
    (drafts / "c").write_text("new")
    return [drafts / name for name in NAMES]


def write_all(paths: list[Path]) -> None:
    for path in paths:
        path.write_text("new")


def replace_all(folder: Path) -> None:
    with draft_folder(folder) as drafts:
        put_in_place(drafts, [(path, folder / path.name) for path in draft(drafts)])


def state(folder: Path) -> dict[str, str]:
    """Every file by its place; what is hidden as well."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


OLD = {"a": "old", "b/inside": "old"}
NEW = {"a": "new", "b/inside": "new", "c": "new"}


def fail_at(number: int, monkeypatch: pytest.MonkeyPatch, error: BaseException, *, all_after: bool):
    """The ``number``-th rename fails, of whichever kind; returns how many there were."""
    count = [0]

    def fails() -> bool:
        count[0] += 1
        return count[0] == number or (all_after and count[0] > number)

    def wrapped(function):
        def call(*arguments):
            if fails():
                raise error
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "rename", wrapped(os.rename))
    monkeypatch.setattr(os, "replace", wrapped(os.replace))
    monkeypatch.setattr(replacement, "_exchange", wrapped(replacement._exchange))
    return count


def test_all_are_replaced(way: str, folder: Path) -> None:
    replace_all(folder)
    assert state(folder) == NEW
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "disk"), KeyboardInterrupt(), SystemExit(3)])
def test_one_rename_that_fails_takes_the_others_back(
    way: str, folder: Path, error: BaseException
) -> None:
    for number in range(1, 20):
        with pytest.MonkeyPatch.context() as patch:
            count = fail_at(number, patch, error, all_after=False)
            try:
                replace_all(folder)
            except type(error):
                pass
            else:
                assert count[0] < number  # it was never reached
                break
        assert state(folder) == OLD, number
    else:
        pytest.fail("it never ended")
    assert number > 4
    assert state(folder) == NEW


def test_a_disk_that_refuses_everything_loses_nothing(way: str, folder: Path) -> None:
    for number in range(2, 20):
        with pytest.MonkeyPatch.context() as patch:
            fail_at(number, patch, OSError(errno.EIO, "disk"), all_after=True)
            try:
                replace_all(folder)
            except OSError as error:
                found = str(error)
            else:
                break
        # Either it is as it was, or the next run ends what was begun.
        if state(folder) != OLD:
            assert "is kept in" in found
            sweep(folder)
            assert state(folder) == NEW
            (folder / "c").unlink()
            (folder / "a").write_text("old")
            (folder / "b" / "inside").write_text("old")
    assert number > 4


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


def test_the_next_run_ends_what_a_killed_one_began(way: str, tmp_path: Path) -> None:
    for number in range(1, 20):
        folder = tmp_path / str(number)
        (folder / "b").mkdir(parents=True)
        (folder / "a").write_text("old")
        (folder / "b" / "inside").write_text("old")
        home = folder / ".locoexport-0123456789ab"
        (home / "new").mkdir(parents=True)
        moves = [(path, folder / path.name) for path in draft(home / "new")]
        with pytest.MonkeyPatch.context() as patch:
            fail_at(number, patch, Killed(), all_after=False)
            patch.setattr(replacement, "_take_back", lambda *_: None)
            try:
                put_in_place(home / "new", moves)
            except Killed:
                pass
            else:
                break
        visible = {name: text for name, text in state(folder).items() if name[0] != "."}
        if not (home / "journal.json").exists():
            assert visible == OLD  # nothing was begun
            continue
        recover(home)
        visible = {name: text for name, text in state(folder).items() if name[0] != "."}
        assert visible == NEW
    assert number > 4


def test_what_was_changed_since_is_left_alone(folder: Path, monkeypatch) -> None:
    home = folder / ".locoexport-0123456789ab"
    (home / "new").mkdir(parents=True)
    moves = [(path, folder / path.name) for path in draft(home / "new")]
    monkeypatch.setattr(replacement, "_take_back", lambda *_: None)
    fail_at(3, monkeypatch, Killed(), all_after=False)
    with pytest.raises(Killed):
        put_in_place(home / "new", moves)
    monkeypatch.undo()
    (folder / "b" / "inside").write_text("mine")
    (folder / "b").rename(folder / "elsewhere")
    (folder / "b").mkdir()
    with pytest.raises(OSError, match="changed since"):
        recover(home)
    assert (home / "new" / "b" / "inside").read_text() == "new"


@pytest.mark.parametrize(
    "target",
    ["../outside", "/outside", "link/outside", "", "..", 7],
)
def test_a_journal_from_strangers_reaches_nothing_outside(target: object, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "elsewhere"
    home = inside / ".locoexport-0123456789ab"
    (home / "new").mkdir(parents=True)
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (home / "new" / "a").write_text("evil")
    inode = (home / "new" / "a").stat().st_ino
    move = {"draft": "new/a", "target": target, "new": inode, "old": None}
    document = {"schema": "locoexport.replacement/1", "moves": [move]}
    (home / "journal.json").write_text(json.dumps(document))
    with pytest.raises(OSError, match="no journal of this program"):
        recover(home)
    assert not list(outside.iterdir())
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "x"}', "[" * 100_000, '{"schema": 1e999}', "\x00"]
)
def test_a_damaged_journal_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(OSError, match="no journal of this program"):
        recover(tmp_path)


def test_a_file_never_takes_the_place_of_a_folder(folder: Path) -> None:
    with pytest.raises(OutputError, match="Is a directory"), whole_file(folder / "b") as path:
        path.write_text("new")
    both = [folder / "a", folder / "b"]
    with pytest.raises(OutputError, match="Is a directory"), whole_files(both) as paths:
        write_all(paths)
    assert state(folder) == OLD


def test_files_may_have_the_names_of_our_own(tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("owner.lock", "journal.json", "old-0", "new")]
    for _ in range(2):
        with whole_files(targets) as drafts:
            for path in drafts:
                path.write_text("x")
    assert state(tmp_path) == dict.fromkeys((path.name for path in targets), "x")


def test_what_cannot_reach_the_disk_is_not_put_in_place(folder: Path, monkeypatch) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"), whole_file(folder / "a") as path:
        path.write_text("new")
    assert state(folder) == OLD


def test_a_file_system_without_fsync_or_exchange_is_written_to(folder: Path, monkeypatch) -> None:
    def unknown(_file: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def refuses(*_arguments) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    monkeypatch.setattr(os, "fsync", unknown)
    monkeypatch.setattr(replacement, "_renameat2", lambda: refuses)
    replace_all(folder)
    assert state(folder) == NEW
