"""Arrays in .npy and .npz files of strangers: what a file says of its sizes has to be there.

numpy makes an array as large as the header says before it reads the first value, and zlib makes a
gigabyte of a megabyte. Here sizes are compared with the bytes that there are, before memory is
asked for. Formats: numpy.lib.format (NEP 1), PKWARE's APPNOTE by the standard library's zipfile.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.limits import ROWS, Limit
from locoexport.machine.reading.documents import quote

__all__ = [
    "ArrayHeader",
    "check_archive_members",
    "check_array_header",
    "load_archive",
    "load_array",
    "read_array_header",
]

_LONGEST_HEADER = 10_000
"""Bytes of a .npy's header that numpy reads without being told to trust it."""
_MEMBERS = 1000
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def load_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file, of at most ``ROWS`` rows; never runs what is in it.

    Raises:
        InputError: it is an archive of arrays, of no plain numbers, has too many rows, or other
            bytes than its header says.
        OSError, ValueError: it cannot be read, or its header is damaged.
    """
    # np.load given a path leaks its file where that holds a damaged archive.
    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise InputError("it is a .npz archive, not one .npy array.")
        file.seek(0)
        shape = check_array_header(file, os.fstat(file.fileno()).st_size)
        ROWS.check(shape[0] if shape else 1, "it")
        file.seek(0)
        return np.asarray(np.load(file, allow_pickle=False))


def load_archive(path: Path, limit: Limit) -> dict[str, NDArray[Any]]:
    """The arrays in a .npz file by name, of at most ``limit`` bytes unpacked; runs nothing.

    Raises:
        InputError: it is damaged, no archive of arrays, or larger than the limit.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if file.read(6) == b"\x93NUMPY":
            raise InputError("it is one array, not a .npz archive.")
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                check_archive_members(members)
                # zipfile stops at the size that a member states, and checks its CRC.
                limit.check(sum(member.file_size for member in members), "it")
                return {
                    member.filename.removesuffix(".npy"): _load_member(archive, member)
                    for member in members
                }
        except InputError:
            raise
        except Exception as error:  # zipfile, zlib, numpy: a damaged archive raises nearly anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"it is a damaged archive: {reason[:200].rstrip('.')}.") from error


def check_archive_members(members: list[zipfile.ZipInfo]) -> None:
    """Raises InputError where there are more members, or other packings, than a .npz has."""
    if len(members) > _MEMBERS or len({member.filename for member in members}) < len(members):
        raise InputError(f"it has {len(members)} members, or two of one name, as no .npz has.")
    for member in members:
        if member.compress_type not in _PACKINGS or member.flag_bits & _ENCRYPTED:
            raise InputError("it is packed or encrypted as no .npz is.")


def _load_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stored:
        check_array_header(stored, member.file_size)
    with archive.open(member) as stored:
        return np.asarray(np.lib.format.read_array(stored, allow_pickle=False))


def check_array_header(file: IO[bytes], size_bytes: int) -> tuple[int, ...]:
    """Hold a .npy's header against the bytes that follow it, before memory is taken for them.

    Args:
        file: at the beginning of the array; it is left behind the header.
        size_bytes: of the whole array, header included.

    Returns:
        The array's shape.

    Raises:
        InputError: the header is too long, is of anything but plain numbers, truth values or
            text, or says another number of bytes than there are.
        ValueError, SyntaxError, ...: it is no header at all.
    """
    header = read_array_header(file)
    if header.dtype.kind not in "biufU" or not header.dtype.itemsize:
        raise InputError(f"it is an array of {quote(str(header.dtype))}, not of plain numbers.")
    due = math.prod(header.shape) * header.dtype.itemsize
    found = size_bytes - header.size_bytes
    if due != found:
        raise InputError(
            f"its header says {header.dtype} of shape {quote(header.shape)}, which are {due:,}"
            f" bytes, but {found:,} bytes follow it."
        )
    return header.shape


@dataclass(frozen=True)
class ArrayHeader:
    """What a .npy says of its array, in ``size_bytes`` bytes with the magic ones."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size_bytes: int


def read_array_header(file: IO[bytes]) -> ArrayHeader:
    """The header of a .npy; ``file`` is left behind it.

    Raises:
        InputError: it is too long, or of a version or shape that no array has.
        ValueError, SyntaxError, ...: it is no header at all.
    """
    version = np.lib.format.read_magic(file)
    wide = 2 if version == (1, 0) else 4
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise InputError(f"it is a .npy of version {version[0]}.{version[1]}, which is unknown.")
    length = file.read(wide)
    count = int.from_bytes(length, "little")
    if count > _LONGEST_HEADER:
        raise InputError(f"its header has {count} bytes; {_LONGEST_HEADER} are enough for any.")
    text = io.BytesIO(count.to_bytes(4, "little") + file.read(count))
    # All versions have the same header but for its length, and names of fields.
    shape, fortran, dtype = np.lib.format.read_array_header_2_0(text)
    if any(type(side) is not int or side < 0 for side in shape):
        raise InputError(f"its header says the shape {quote(shape)}.")
    return ArrayHeader(tuple(shape), bool(fortran), dtype, 6 + 2 + wide + count)
