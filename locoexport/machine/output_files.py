"""Output files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from locoexport.errors import OutputError

__all__ = ["check_output", "is_file", "sha256_of", "whole_file", "whole_files"]

_STEM_KEPT = 40


def check_output(path: str | Path, *, force: bool) -> Path:
    """Check, before any work is done, that ``path`` may be written; returns it as a Path.

    Raises:
        OutputError: its folder does not exist (folders are never created), it is a folder, a
            device or a pipe, its name is too long, the folder cannot be written to, or the file
            exists and ``force`` is not given.
    """
    path = Path(path)
    if "\0" in str(path):
        raise OutputError(f"Cannot write {str(path)!r}: no file can have that name.")
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


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that is renamed onto it when the block ends well.

    The temporary name keeps the suffix, since some writers choose their format by it; of a
    symbolic link the file it points to is replaced, as a plain write would. When the
    block raises (KeyboardInterrupt included) the temporary file is removed and ``path`` is left
    as it was.

    Raises:
        OutputError: the operating system refuses the write (disk full, no permission).
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    # A stem cut short leaves room for the token: names end at 255 bytes.
    stem = target.stem[:_STEM_KEPT]
    temporary = target.with_name(f".{stem}.{secrets.token_hex(6)}{target.suffix}")
    try:
        with _refusal_explained(path):
            yield temporary
            os.replace(temporary, target)
    finally:
        # What could not be written cannot be removed either; the reason is raised above.
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Temporary paths of the same names in a folder of their own beside the first of ``paths``;
    all are renamed onto ``paths`` when the block ends well, and removed when it raises.

    Raises:
        OutputError: the operating system refuses the write (disk full, no permission).
    """
    targets = [Path(os.path.realpath(path)) for path in paths]
    with (
        _refusal_explained(paths[0]),
        TemporaryDirectory(prefix=".locoexport-", dir=targets[0].parent) as folder,
    ):
        drafts = [Path(folder) / path.name for path in paths]
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            os.replace(draft, target)


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


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in lower-case hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
