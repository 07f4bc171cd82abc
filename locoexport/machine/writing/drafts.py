"""Folders for what is not finished yet: they go with their process, or with the next one.

A draft lies in a hidden folder ``.locoexport-<token>`` beside its target, so that a rename puts it
in place. The folder holds a lock file on which the process that made it holds a ``flock`` while it
lives; the operating system lets go of it however the process ends. A later process that makes a
draft in the same place takes a folder for a leftover only where it is this user's, its lock names
this machine, and nobody holds the lock. (A process id alone would not do: ids are given out again,
and mean nothing in another container that shares the disk.)
"""

from __future__ import annotations

import functools
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from locoexport.errors import OutputError
from locoexport.machine.writing.replacement import is_unfinished, recover

try:
    import fcntl
except ImportError:  # Windows: nothing is known of who lives, and so nothing is removed
    fcntl = None  # type: ignore[assignment]

__all__ = ["abandon_drafts", "draft_folder", "scratch_folder", "sweep"]

_PREFIX = ".locoexport-"
_NAME = re.compile(r"\.locoexport-[0-9a-f]{12}")
_LOCK = "owner.lock"
_EMPTY_FOR_S = 3600.0

_drafts_of_this_process: dict[Path, tuple[int, int]] = {}
"""Every folder that lives, with its process id (a fork inherits the dictionary) and lock. It is the
process's: whoever ends it without unwinding has to remove them all (``abandon_drafts``)."""


@contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """A folder for drafts, in a hidden one in ``parent``; removed when the block ends in any way.

    Leftovers of processes that were killed are removed from ``parent`` first; a replacement that
    they left half done is ended.

    Raises:
        OSError: ``parent`` is not there or refuses.
    """
    _sweep_once(os.path.realpath(parent))
    home = parent.absolute() / f"{_PREFIX}{secrets.token_hex(6)}"
    lock = -1
    try:
        home.mkdir(mode=0o700)
        lock = _lock_new(home / _LOCK)
        _drafts_of_this_process[home] = (os.getpid(), lock)
        # One deeper, so that no draft has the name of the lock.
        (home / "new").mkdir()
        yield home / "new"
    finally:
        _remove(home, lock)
        _drafts_of_this_process.pop(home, None)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder in TMPDIR for what nobody keeps; see ``draft_folder``.

    Raises:
        OutputError: nothing can be made there.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(draft_folder(Path(tempfile.gettempdir())))
        except OSError as error:
            raise OutputError(
                f"Nothing can be written to the temporary folder: {error.strerror or error}. Set "
                "TMPDIR to a folder with room."
            ) from error
        yield folder


def abandon_drafts() -> None:
    """Remove every draft of this process at once: it is about to end without unwinding."""
    for folder, (process, lock) in list(_drafts_of_this_process.items()):
        if process == os.getpid():
            _remove(folder, lock)


def sweep(parent: Path) -> None:
    """Remove what processes that are dead left in ``parent``; what cannot be removed stays."""
    with suppress(OSError):
        with os.scandir(parent) as entries:
            found = [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]
        for folder in found:
            with suppress(OSError):
                _sweep_folder(folder)


@functools.lru_cache(maxsize=64)
def _sweep_once(parent: str) -> None:
    """Once a process: a folder of many results would be listed anew for each of them."""
    sweep(Path(parent))


def _sweep_folder(folder: Path) -> None:
    status = folder.lstat()
    if fcntl is None or not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        # It was killed just after making its folder, or just before removing it. A living process
        # is there for microseconds; rmdir takes nothing but empty folders.
        if time.time() - status.st_mtime > _EMPTY_FOR_S:
            folder.rmdir()
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it lives
        if os.read(lock, 1024) == _owner():
            recover(folder)
            _remove(folder, lock)
            lock = -1
    finally:
        _close(lock)


def _lock_new(path: Path) -> int:
    """The lock of a new folder, held. Its text is written once it is held: without it nobody takes
    the folder for a leftover, not even between these two lines or where locks do not work."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(lock, _owner())
    return lock


def _owner() -> bytes:
    """Over a network a lock may not reach another machine, so a folder is cleared by its own."""
    return f"locoexport draft of {platform.node()}\n".encode()


def _remove(folder: Path, lock: int) -> None:
    """Remove a folder whose lock is ours; one with a replacement half done is the next run's."""
    try:
        if not is_unfinished(folder):
            # The lock goes last: what is left without it would be nobody's.
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.name != _LOCK:
                    _remove_path(path)
            if os.name == "nt":  # where an open file cannot be removed
                _close(lock)
                lock = -1
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()
    except OSError:
        # What could not be written cannot be removed either; the next run tries again.
        return
    finally:
        _close(lock)


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _close(lock: int) -> None:
    if lock >= 0:
        with suppress(OSError):
            os.close(lock)
