"""Output files that appear whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from locoexport.errors import OutputError
from locoexport.machine.writing.drafts import draft_folder, sweep
from locoexport.machine.writing.replacement import put_in_place

__all__ = [
    "check_apart",
    "check_output",
    "check_text_output",
    "is_file",
    "link_or_copy",
    "sha256_of",
    "whole_file",
    "whole_files",
]

_TEXT_HEAD_BYTES = 1 << 16
_REPORTS = (".json", ".tex")
_NUMBER = re.compile(r"%0?[0-9]{0,2}d")

Named = tuple[str, str | Path | None]
"""What a file is, as its user calls it, and the file; None where there is none."""


def check_output(path: str | Path, *, force: bool) -> Path:
    """Check, before any work is done, that ``path`` may be written; returns it as a Path.

    What runs that were killed left beside it is removed, or ended where they were replacing files.

    Raises:
        OutputError: its folder does not exist (folders are never created), it is a folder, a
            device or a pipe, its name is too long, the folder cannot be written to, or the file
            exists and ``force`` is not given.
    """
    path = Path(path)
    if "\0" in str(path):
        raise OutputError(f"Cannot write {str(path)!r}: no file can have that name.")
    sweep(path.parent)
    with _refusal_explained(path):
        exists = path.exists()
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it.")
    if exists and not path.is_file():
        # A rename would put a plain file in the place of /dev/null.
        raise OutputError(f"{path} is a device or a pipe; name a file.")
    if not path.parent.is_dir():
        raise OutputError(
            f"The folder {path.parent} does not exist; make it first (mkdir -p {path.parent})."
        )
    if exists and not force:
        raise OutputError(f"{path} exists already; pass --force to replace it, or name another.")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"The folder {path.parent} is not writable for this user.")
    return path


def check_apart(outputs: Iterable[Named], inputs: Iterable[Named] = ()) -> None:
    """Check, before any work is done, that no output is an input, and no two outputs are one file.

    Files are told apart by where their names lead (links are followed) and by their inodes: no
    permission to replace a file is meant for what is being read. An input that is a pattern stands
    for the files that match it, and one that is a folder for those that are in it, but for reports
    (.json, .tex), which nothing reads from a folder.

    Raises:
        OutputError: two are the same; both are named.
    """
    given = [(name, path) for name, path in inputs if path is not None]
    folders = [(name, path) for name, path in given if os.path.isdir(path)]
    # A folder is written into, and never replaced.
    files = [(name, path) for name, path in given if not os.path.isdir(path)]
    sources = [(name, one, _places(one)) for name, path in files for one in _matches(path)]
    earlier: list[tuple[str, str | Path, frozenset[object]]] = []
    for name, path in outputs:
        if path is None:
            continue
        places = _places(path)
        for other, folder in folders:
            _check_outside(name, path, other, folder)
        for other, its_path, its_places in sources:
            if places & its_places:
                raise OutputError(
                    f"{name} {path} is {other} {its_path} itself, which is read and never "
                    "replaced; name another file."
                )
        for other, its_path, its_places in earlier:
            if places & its_places:
                raise OutputError(
                    f"{other} {its_path} and {name} {path} are the same file; name two files."
                )
        earlier.append((name, path, places))


def check_text_output(path: str | Path, *, force: bool) -> Path:
    """``check_output`` for a report, which never replaces data, whatever it was given as.

    Raises:
        OutputError: as ``check_output``; or the file that is there holds other things than text.
    """
    path = check_output(path, force=force)
    try:
        with open(path, "rb") as file:
            is_text = b"\0" not in file.read(_TEXT_HEAD_BYTES)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    if not is_text:
        raise OutputError(
            f"{path} is not a report but holds data (a model, a clip, tracks), which a report "
            "never replaces; name another file."
        )
    return path


def _check_outside(name: str, path: str | Path, other: str, folder: str | Path) -> None:
    """Raises OutputError where a file in a folder that is read would be replaced."""
    real, inside = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if inside in real.parents and real.is_file() and real.suffix.lower() not in _REPORTS:
        raise OutputError(
            f"{name} {path} already exists in {other} {folder}, which is read; name another file."
        )


def _matches(path: str | Path) -> list[str | Path]:
    """The path, and the files that it stands for as a pattern."""
    pattern = _NUMBER.sub("*", str(path))
    if os.path.lexists(path) or not glob.has_magic(pattern):
        return [path]
    return [path, *glob.glob(pattern, recursive=True)]


def _places(path: str | Path) -> frozenset[object]:
    """Where a name leads, and the inode that is there: equal files share one of them."""
    try:
        places: set[object] = {os.path.realpath(path)}
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            places.add((status.st_dev, status.st_ino))
    except (OSError, ValueError):  # it is not there, or no file can have that name
        places = {str(path)} | {os.path.abspath(path)}
    return frozenset(places)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path that is renamed onto ``path`` when the block ends well.

    The temporary file has the same name, in a hidden folder beside ``path`` (``drafts``); of a
    symbolic link the file it points to is replaced, as a plain write would. When the block raises
    (KeyboardInterrupt included) the temporary file is removed and ``path`` is left as it
    was; after a kill the next run removes it.

    Raises:
        OutputError: the operating system refuses the write (disk full, no permission).
    """
    with whole_files([Path(path)]) as (draft,):
        yield draft


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Temporary paths of the same names in a folder of their own beside the first of ``paths``;
    all are renamed onto ``paths`` when the block ends well, and removed when it raises.

    Where one rename fails the others are taken back, so new and old never lie side by side; where
    the process is killed between two, the next run that writes there ends them.

    Raises:
        OutputError: the operating system refuses the write (disk full, no permission).
    """
    targets = [Path(os.path.realpath(path)) for path in paths]
    with _refusal_explained(paths[0]), draft_folder(targets[0].parent) as folder:
        drafts = [folder / Path(path).name for path in paths]
        yield drafts
        put_in_place(folder, list(zip(drafts, targets, strict=True)))


@contextmanager
def _refusal_explained(path: Path) -> Iterator[None]:
    """What the operating system refuses as an OutputError; other OSErrors (a library's own, without
    a number) stay what they are."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError) or error.errno is not None:
            raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
        raise


def is_file(path: Path) -> bool:
    """True for a file that is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def link_or_copy(source: Path, place: Path) -> None:
    """A second name of a file; a copy where the file system has none.

    Raises:
        OSError: neither can be made.
    """
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in lower-case hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
