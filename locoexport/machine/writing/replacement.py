"""Finished drafts put in the place of what is there: all of them, or none.

One file is one rename. A folder is exchanged with the new one in one step where the system can
(``renameat2`` on Linux), since a server that polls it must never miss it; elsewhere the old one is
renamed aside first. Of several, what is to be done is written to a journal before the first rename:
a failure puts the old ones back, and after a kill the next run ends what was begun. New and old are
told apart by their inode.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from locoexport.machine.limits import RECORD_BYTES

__all__ = ["is_unfinished", "put_in_place", "recover"]

_JOURNAL = "journal.json"
_SCHEMA = "locoexport.replacement/1"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
_NOT_WRITTEN = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class _Move:
    """A draft and its target, and the inodes of both before anything was done.

    ``aside`` is where the old one waits where two cannot be exchanged.
    """

    draft: Path
    target: Path
    aside: Path
    new: int
    old: int | None

    @property
    def is_done(self) -> bool:
        return _inode(self.target) == self.new

    @property
    def can_be_done(self) -> bool:
        """Nobody else has been at it since."""
        return _inode(self.draft) == self.new and _inode(self.target) in (self.old, None)


def put_in_place(folder: Path, drafts: Sequence[tuple[Path, Path]]) -> None:
    """Rename drafts onto their targets, which may be files or folders; what was there is gone then.

    Args:
        folder: as ``draft_folder`` gives it; all drafts lie in it, and old ones are left in it.
        drafts: (draft, target), on one file system.

    Raises:
        OSError: the operating system refuses; every target is what it was. Where it refuses that
            too, the old ones and the journal stay for the next run, and the message says where.
    """
    for draft, target in drafts:
        _check_kinds(draft, target)
        _flush(draft)
    home = folder.parent
    moves = [
        _Move(draft, target, home / f"old-{number}", os.lstat(draft).st_ino, _inode(target))
        for number, (draft, target) in enumerate(drafts)
    ]
    if len(moves) == 1 and _in_one_step(moves[0]):
        return
    _write_journal(home, moves)
    try:
        for move in moves:
            _do(move)
    except BaseException:
        _take_back(home, moves)
        raise
    (home / _JOURNAL).unlink()


def is_unfinished(home: Path) -> bool:
    """Whether a replacement was begun in a hidden folder and neither ended nor taken back."""
    return os.path.lexists(home / _JOURNAL)


def recover(home: Path) -> None:
    """End the replacement that a killed process left half done in its hidden folder, if any.

    Raises:
        OSError: it cannot be ended: files were changed since, the journal is no journal of ours,
            or it names a target outside the folder around ``home``.
    """
    if not is_unfinished(home):
        return
    moves = _read_journal(home)
    if not all(move.is_done or move.can_be_done for move in moves):
        raise OSError(errno.ESTALE, "what a run left half done was changed since", str(home))
    for move in moves:
        if not move.is_done:
            _do(move)
    (home / _JOURNAL).unlink()


def _check_kinds(draft: Path, target: Path) -> None:
    """A file never takes the place of a folder, which would go with all that is in it."""
    if draft.is_dir():
        if os.path.lexists(target) and not target.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    elif target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))


def _in_one_step(move: _Move) -> bool:
    if move.target.is_dir():
        return _exchange(move.draft, move.target)
    os.replace(move.draft, move.target)
    return True


def _do(move: _Move) -> None:
    if os.path.lexists(move.target):
        if _exchange(move.draft, move.target):
            return
        os.rename(move.target, move.aside)
    os.rename(move.draft, move.target)


def _take_back(home: Path, moves: Sequence[_Move]) -> None:
    try:
        for move in reversed(moves):
            _undo(move)
        (home / _JOURNAL).unlink()
    except OSError as error:
        text = f"{error.strerror}; what is not in its place is kept in {home} for the next run"
        raise OSError(error.errno, text, str(home)) from error


def _undo(move: _Move) -> None:
    """Whatever was done of it: the disk is asked, since a signal may come between any two lines."""
    if move.is_done:
        if _inode(move.draft) is not None:
            _exchange(move.draft, move.target)
        else:
            os.rename(move.target, move.draft)
    if os.path.lexists(move.aside) and not os.path.lexists(move.target):
        os.rename(move.aside, move.target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where this system or file system cannot."""
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    failed = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    """The C library's function: Python's os has none."""
    if not sys.platform.startswith("linux"):
        return None
    function: Any = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        name = ctypes.c_char_p
        function.argtypes = (ctypes.c_int, name, ctypes.c_int, name, ctypes.c_uint)
    return function  # type: ignore[no-any-return]


def _inode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None


def _flush(draft: Path) -> None:
    """Bring what was written to the disk: a rename may get there first, and power may fail then."""
    for path in _files(draft):
        file = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(file)
        except OSError as error:
            if error.errno in _NOT_WRITTEN:  # others: a file system that knows no fsync
                raise
        finally:
            os.close(file)


def _files(draft: Path) -> Iterator[Path]:
    if not draft.is_dir():
        yield draft
    for path in draft.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def _write_journal(home: Path, moves: Sequence[_Move]) -> None:
    entries = [
        {
            "draft": Path(os.path.relpath(move.draft, home)).as_posix(),
            "target": Path(os.path.relpath(move.target, home.parent)).as_posix(),
            "new": move.new,
            "old": move.old,
        }
        for move in moves
    ]
    draft = home / f"{_JOURNAL}.tmp"
    draft.write_text(json.dumps({"schema": _SCHEMA, "moves": entries}), encoding="utf-8")
    _flush(draft)
    os.replace(draft, home / _JOURNAL)


def _read_journal(home: Path) -> list[_Move]:
    """Its moves. A folder from strangers may hold one too, which reaches nothing outside of it."""
    journal = home / _JOURNAL
    try:
        if journal.is_symlink() or not journal.is_file():
            raise ValueError("it is not a file")
        if journal.stat().st_size > RECORD_BYTES.value:
            raise ValueError("it is too long")
        document = json.loads(journal.read_bytes())
        if document["schema"] != _SCHEMA:
            raise ValueError(f"its schema is not {_SCHEMA}")
        return [
            _Move(
                _within(home, entry["draft"]),
                _within(home.parent, entry["target"]),
                home / f"old-{number}",
                int(entry["new"]),
                None if entry["old"] is None else int(entry["old"]),
            )
            for number, entry in enumerate(document["moves"])
        ]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise OSError(errno.EINVAL, f"no journal of this program ({error})", str(journal)) from None


def _within(folder: Path, name: str) -> Path:
    path = folder / name
    parts = PurePath(name).parts
    if not parts or ".." in parts or PurePath(name).is_absolute():
        raise ValueError(f"it names {name!r}")
    if path.parent.resolve() != folder.resolve() / PurePath(name).parent:
        raise ValueError(f"{name!r} leads elsewhere")
    return path
