"""Reading files that people hand in: what is wrong with one is told by an error that names it."""

from __future__ import annotations

import csv
import io
import tokenize
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from locoexport.errors import InputError
from locoexport.machine.limits import ROWS, TEXT_BYTES
from locoexport.machine.reading.documents import read_at_most

__all__ = ["read_by_suffix", "read_rows"]

Value = TypeVar("Value")

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
