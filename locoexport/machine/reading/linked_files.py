"""Files beside a model that hold its weights: which of them may be opened.

A model names such a file by a path within its own folder. A link there may lead anywhere, and what
lies behind it would be read, and copied along with a rewritten model. Links within the folder are
followed, and those of Hugging Face's cache, which keeps every file of a repository as
``blobs/HASH`` and shows it as a link under ``snapshots/REVISION/`` (huggingface_hub, "Understand
caching"). From ``snapshots/REVISION/`` a link may lead to any file in that repository's ``blobs``,
which holds nothing but its own files; elsewhere ``blobs`` may be anyone's, and only a hash will do.
A link to anything else is refused.

Where the model itself is a link, its data may lie beside the link or beside the file that it leads
to: whoever names the link names that file.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from locoexport.errors import ModelFileError

__all__ = ["data_folder", "find_file"]

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
            "the blobs of a Hugging Face cache may be linked so. If the file belongs to the model, "
            "copy both into one folder (cp -L follows links)."
        )
    return found


def data_folder(model: Path, locations: Iterable[str]) -> Path:
    """The folder that a model's locations count from: its own; or, where it is a link and they are
    not all there, that of the file it leads to, if they are all there and no others are meant.
    """
    beside, real = model.parent, Path(os.path.realpath(model)).parent
    names = list(locations)
    if real == Path(os.path.realpath(beside)) or all(_found(beside, name) for name in names):
        return beside
    for name in names:
        found = _found(real, name)
        if found is None:
            return beside
        if os.path.lexists(beside / name) and Path(os.path.realpath(beside / name)) != found:
            return beside
    return real


def _found(folder: Path, location: str) -> Path | None:
    try:
        return find_file(folder, location)
    except ModelFileError:
        return None


def _is_blob(found: Path, link: Path, inside: Path) -> bool:
    """Whether a link leads to what the cache that holds the model's folder keeps its files in."""
    if not link.is_symlink():
        return False
    if found.parent == _blobs_of_snapshot(inside):
        return True
    near = [parent / _BLOBS for parent in list(inside.parents)[:2]]
    return found.parent in near and bool(_BLOB_NAME.fullmatch(found.name))


def _blobs_of_snapshot(inside: Path) -> Path | None:
    """The ``blobs`` of the repository in whose ``snapshots/REVISION/`` a folder lies."""
    for folder in inside.parents:
        if folder.name == _SNAPSHOTS:
            return folder.parent / _BLOBS
    return None
