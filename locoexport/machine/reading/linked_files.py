"""Files beside a model that hold its weights: which of them may be opened.

A model names such a file by a path within its own folder. A link there may lead anywhere, and what
lies behind it would be read, and copied along with a rewritten model. Links within the folder are
followed, and those of Hugging Face's cache, which keeps every file of a repository as
``blobs/HASH`` and shows it as a link under ``snapshots/REVISION/`` (huggingface_hub, "Understand
caching"). A link to anything else is refused.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from locoexport.errors import ModelFileError

__all__ = ["find_file"]

_BLOB_NAME = re.compile(r"[0-9a-f]+")
_BLOBS = "blobs"
_SNAPSHOTS = "snapshots"
_SHOWN = 80


def find_file(folder: Path, location: str) -> Path:
    """The plain file behind a location, all links followed.

    Args:
        folder: the model's, as the user named it.
        location: as the model gives it.

    Raises:
        ModelFileError: the location leaves the folder, there is nothing, it is no plain file (a
            pipe is not opened), or a link leads to a file that the model has no claim to.
    """
    told = repr(location if len(location) <= _SHOWN else location[:_SHOWN] + "...")
    windows = PureWindowsPath(location)
    parts = (*PurePosixPath(location).parts, *windows.parts)
    absolute = location.startswith("/") or windows.drive or windows.root
    if not location or absolute or ".." in parts or "\0" in location:
        raise ModelFileError(
            f"The model's external data is at {told}, outside its folder; that is not allowed."
        )
    missing = ModelFileError(
        f"The model's external data {folder}{os.sep}{told[1:-1]} is missing; it belongs beside the "
        "model."
    )
    try:
        found = Path(os.path.realpath(folder / location, strict=True))
        kind = found.stat().st_mode
    except OSError as error:
        raise missing from error
    if not stat.S_ISREG(kind):
        raise missing
    inside = Path(os.path.realpath(folder))
    if not found.is_relative_to(inside) and not _is_blob(found, folder / location, inside):
        raise ModelFileError(
            f"The model's external data {told} is a link to {found}, outside its folder; only "
            "the blobs of a Hugging Face cache may be linked so. Copy the file beside the "
            "model if it belongs to it."
        )
    return found


def _is_blob(found: Path, link: Path, inside: Path) -> bool:
    """Whether a link leads to what the cache that holds the model's folder keeps its files in."""
    if not link.is_symlink() or not _BLOB_NAME.fullmatch(found.name):
        return False
    return found.parent in _blob_folders(inside)


def _blob_folders(inside: Path) -> Iterator[Path]:
    """``../blobs`` and ``../../blobs`` of the model's folder; from a folder deeper within a
    snapshot, that of its repository."""
    yield from (parent / _BLOBS for parent in list(inside.parents)[:2])
    for folder in inside.parents:
        if folder.name == _SNAPSHOTS:
            yield folder.parent / _BLOBS
            return
