"""One member of a tar of strangers, read where it lies: nothing is unpacked, and no link followed.

``tarfile`` believes a header's sizes, and what a packed archive unpacks to has no bound. Here no
more is read than the file has bytes, and a packed one may not be far smaller than what is in it.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from locoexport.errors import InputError
from locoexport.machine.reading.pickles.pickle_reading import shown

__all__ = [
    "OpenMember",
    "container_of",
    "is_named",
    "is_tar",
    "name_with_member",
    "open_member",
    "split_member",
    "with_member",
]

_MARK = "::"
_BLOCK = 512
_USTAR = slice(257, 262)
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 10_000
_PACKED_RATIO, _FREE_BYTES = 10, 64 << 20  # weights are hardly packed, an optimiser's zeros are
_NAMES_SHOWN = 6


@dataclass(frozen=True)
class OpenMember:
    """A member of a tar, open at its first byte."""

    name: str
    file: BinaryIO
    size_bytes: int


def split_member(path: str | Path) -> tuple[Path, str | None]:
    """``FILE::MEMBER`` → the file and the member's name; a file of that very name is itself."""
    text = str(path)
    if _MARK in text and not os.path.lexists(text):
        file, _, member = text.partition(_MARK)
        if file and member:
            return Path(file), member
    return Path(path), None


def container_of(path: str | Path) -> Path:
    """The file that there is: the tar of ``FILE::MEMBER``, or the path itself."""
    return split_member(path)[0]


def with_member(path: Path, member: str) -> Path:
    """``FILE::MEMBER`` of a tar, or of what named another member of it."""
    return Path(f"{container_of(path)}{_MARK}{member}")


def name_with_member(path: str | Path) -> str:
    """A file's name without its folders; of ``FILE::MEMBER`` the member's whole name with it."""
    file, member = split_member(path)
    return file.name if member is None else f"{file.name}{_MARK}{member}"


def is_named(name: str, wanted: str) -> bool:
    """Whether ``wanted`` is a member's name, or some of its parts in a row."""
    return f"/{wanted.strip('/')}/" in f"/{name}/"


def is_tar(path: Path) -> bool:
    """Whether a file is a tar by its first block, or one packed by gzip.

    Raises:
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        start = file.read(_BLOCK)
        if start[:2] == _GZIP:
            file.seek(0)
            try:
                start = gzip.GzipFile(fileobj=file).read(_BLOCK)
            except Exception:  # the unpacker's, of whatever kind
                return False
    return start[_USTAR] == b"ustar"


@contextmanager
def open_member(
    path: Path, wanted: str | None, fits: Callable[[BinaryIO, int], bool], kind: str
) -> Iterator[OpenMember]:
    """The member that is wanted, or the only one that fits.

    Args:
        path: a tar.
        wanted: its name, or folders and names of it that no other has; None: the only one.
        fits: whether an open member, of so many bytes, is one of those that are looked for.
        kind: what these are, as a message calls them.

    Raises:
        InputError: it is damaged, holds none or several, or unpacks to far more than its bytes.
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == _GZIP
        file.seek(0)
        most = _PACKED_RATIO * size + _FREE_BYTES if packed else size
        content = cast(IO[bytes], gzip.GzipFile(fileobj=file) if packed else file)
        try:
            archive = tarfile.open(fileobj=_Bounded(content, most), mode="r:")  # noqa: SIM115
        except Exception as error:  # tarfile's, of whatever kind
            raise _damaged(error) from error
        with archive, _telling_damage():
            found = _find(archive, most, fits)
            member = _choose(path, found, wanted, kind)
            yield OpenMember(member.name, _opened(archive, member), member.size)


@contextmanager
def _telling_damage() -> Iterator[None]:
    """What unpacking raises, wherever a member is read, is a damaged tar."""
    try:
        yield
    except (zlib.error, gzip.BadGzipFile, EOFError, tarfile.TarError) as error:
        raise _damaged(error) from error


def _find(
    archive: tarfile.TarFile, most: int, fits: Callable[[BinaryIO, int], bool]
) -> dict[str, tuple[tarfile.TarInfo, bool]]:
    """All plain files by name, and whether they fit; of two of one name the last counts."""
    found = {}
    for count, member in enumerate(_members(archive)):
        if count >= _MOST_MEMBERS:
            raise InputError(f"it has more than {_MOST_MEMBERS:,} members")
        if not member.isreg() or member.issparse():
            continue
        if member.size < 0 or member.offset_data + member.size > most:
            raise InputError(
                f"its member {shown(member.name)} says {member.size:,} bytes, which are not in it: "
                "it may be truncated"
            )
        found[member.name] = member, fits(_opened(archive, member), member.size)
    return found


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := _next(archive)) is not None:
        yield member


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except InputError:
        raise
    except Exception as error:  # tarfile's, and that of what unpacks
        raise _damaged(error) from error


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    file = archive.extractfile(member)  # of a plain file: no link is looked up
    assert file is not None
    return cast(BinaryIO, file)


def _choose(
    path: Path,
    found: dict[str, tuple[tarfile.TarInfo, bool]],
    wanted: str | None,
    kind: str,
) -> tarfile.TarInfo:
    fitting = [name for name, (_, fits) in found.items() if fits]
    if wanted is not None:
        named = [name for name in fitting if is_named(name, wanted)]
        if not named and wanted in found:  # let the reader say what it is instead
            return found[wanted][0]
        if wanted in named:
            named = [wanted]
        if len(named) == 1:
            return found[named[0]][0]
        raise InputError(
            f"{len(named) or 'no'} {kind} in it {'are' if len(named) > 1 else 'is'} called "
            f"{shown(wanted)}; it holds {_listing(fitting or list(found))}"
        )
    if not fitting:
        raise InputError(f"it is a tar with no {kind} in it: it holds {_listing(list(found))}")
    if len(fitting) > 1:
        raise InputError(
            f"it holds {len(fitting)} {kind}: {_listing(fitting)}. Name one: "
            f"{path}{_MARK}{shown(_shortest(fitting))}"
        )
    return found[fitting[0]][0]


def _shortest(names: list[str]) -> str:
    """The first name, or the shortest part of it that no other name has."""
    parts = names[0].split("/")
    alone = [part for part in parts if sum(is_named(name, part) for name in names) == 1]
    return alone[0] if alone else names[0]


def _listing(names: list[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:_NAMES_SHOWN]) or "nothing"
    return listed + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")


def _damaged(error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"it is a damaged tar ({shown(reason)}); copy it again")


class _Bounded(io.RawIOBase):
    """A file of which no more than ``most`` bytes are read, and never more at once than is left."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        super().__init__()
        self._file, self._most = file, most

    def read(self, count: int | None = -1) -> bytes:
        left = max(0, self._most - self._file.tell())
        asked = left if count is None or count < 0 else count
        return self._file.read(min(asked, left))

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and place > self._most:
            raise InputError("it is a tar that says, or unpacks to, far more than its bytes")
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
