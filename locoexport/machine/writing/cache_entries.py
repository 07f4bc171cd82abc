"""Entries of a cache folder: the user's alone, named by what they hang on and by what they hold.

An entry's name is ``KEY-CONTENT.onnx``: a key of all inputs, and the start of the SHA-256 of its
own bytes. So a damaged entry is found before it is used, and of several processes that make an
entry at once one's stays.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["bytes_of_entry", "entries_of", "keep_entry", "make_private", "remove"]

_DIGITS = 24
_SUFFIX = ".onnx"


def make_private(folder: Path) -> str | None:
    """Make a folder, for this user alone; why it must not be used, or None.

    Raises:
        OSError: it cannot be made, or its permissions cannot be set.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if sys.platform == "win32":  # a folder of the user's profile is the user's
        return None
    status = folder.stat()
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to another user: not used"
    if status.st_mode & 0o077:
        folder.chmod(0o700)
    return None


def entries_of(folder: Path, key: str) -> list[Path]:
    """The entries of a key, in the order of their names."""
    return sorted(folder.glob(f"{key}-*{_SUFFIX}"))


def bytes_of_entry(entry: Path) -> bytes | None:
    """What an entry holds, or None where that is not what was once written."""
    try:
        data = entry.read_bytes()
    except OSError:
        return None
    return data if _content(data) == entry.stem.rpartition("-")[2] else None


def keep_entry(temporary: Path, folder: Path, key: str) -> Path:
    """Move a finished file into its entry; of several of one key the first by name stays.

    Raises:
        OSError: the folder cannot be written.
    """
    entry = folder / f"{key}-{_content(temporary.read_bytes())}{_SUFFIX}"
    os.replace(temporary, entry)
    first, *others = sorted({*entries_of(folder, key), entry})
    for other in others:
        remove(other)
    return first


def remove(file: Path) -> None:
    """Remove a file if that is possible: another process may have, or be reading it."""
    with suppress(OSError):
        file.unlink()


def _content(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
