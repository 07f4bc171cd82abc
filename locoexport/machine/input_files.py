"""Reading files that people hand in: what is wrong with one is told by an error that names it."""

from __future__ import annotations

import csv
import io
import math
import os
import tokenize
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.documents import quote, read_at_most
from locoexport.machine.limits import ROWS, TEXT_BYTES, Limit

__all__ = ["check_array_header", "load_archive", "load_array", "read_by_suffix", "read_rows"]

Value = TypeVar("Value")

_LONGEST_HEADER = 10_000
"""Bytes of a .npy's header that numpy reads without being told to trust it."""
_READ_FAILURES = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OverflowError,
    RecursionError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,  # of a .npy's header
    csv.Error,
    zipfile.BadZipFile,
)
"""What parsing malformed bytes raises, over the json, csv and numpy readers."""


def read_by_suffix(
    path: str | Path,
    readers: Mapping[str, Callable[[Path], Value]],
    what: str,
    error_type: type[InputError] = InputError,
) -> Value:
    """What the reader for the file's suffix makes of it.

    Args:
        path: the file.
        readers: by suffix, in lower case.
        what: it should hold, in the plural.
        error_type: what is raised.

    Raises:
        InputError: of ``error_type``: the file is missing, of another kind, or malformed. A reader
            says in an ``InputError`` what is wrong with the content.
    """
    path = Path(path)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise error_type(f"{path}: {what} are read from {', '.join(readers)} files.")
    try:
        return reader(path)
    except OSError as error:
        raise error_type(f"Cannot read {path}: {error.strerror or error}.") from error
    except InputError as error:
        raise error_type(f"{path}: {error}") from error
    except _READ_FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise error_type(f"{path} does not hold {what}: {reason[:200]}.") from error


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Lines of a .csv file that are not empty, each with its number; no byte order mark.

    Raises:
        InputError: it is larger than ``TEXT_BYTES``, or has more lines than ``ROWS``.
        OSError, ValueError, csv.Error: it cannot be read, or is no text in UTF-8.
    """
    text = read_at_most(path, TEXT_BYTES, "it").decode("utf-8-sig")
    rows = []
    for number, row in _numbered(csv.reader(io.StringIO(text, newline=""))):
        if any(row):
            rows.append((number, row))
    return rows


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for number, row in enumerate(rows, 1):
        if number > ROWS.value:
            ROWS.check(number + sum(1 for _ in rows), "it")
        yield number, row


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
    version = np.lib.format.read_magic(file)
    wide = 2 if version == (1, 0) else 4
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise InputError(f"it is a .npy of version {version[0]}.{version[1]}, which is unknown.")
    length = file.read(wide)
    count = int.from_bytes(length, "little")
    if count > _LONGEST_HEADER:
        raise InputError(f"its header has {count} bytes; {_LONGEST_HEADER} are enough for any.")
    header = io.BytesIO(count.to_bytes(4, "little") + file.read(count))
    # All versions have the same header but for its length, and names of fields, which are refused.
    shape, _, dtype = np.lib.format.read_array_header_2_0(header)
    if dtype.kind not in "biufU" or not dtype.itemsize:
        raise InputError(f"it is an array of {quote(str(dtype))}, not of plain numbers.")
    if any(type(side) is not int or side < 0 for side in shape):
        raise InputError(f"its header says the shape {quote(shape)}.")
    due, found = math.prod(shape) * dtype.itemsize, size_bytes - 6 - 2 - wide - count
    if due != found:
        raise InputError(
            f"its header says {dtype} of shape {quote(shape)}, which are {due:,} bytes, but"
            f" {found:,} bytes follow it."
        )
    return tuple(shape)
