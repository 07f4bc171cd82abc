"""Reading files that people hand in: what is wrong with one is told by an error that names it."""

from __future__ import annotations

import csv
import tokenize
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError

__all__ = ["load_array", "read_by_suffix", "read_rows"]

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
        raise error_type(f"{path} does not hold {what}: {reason}.") from error


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Lines of a .csv file that are not empty, each with its number; no byte order mark."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        return [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(row)]


def load_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file; never runs what is in it.

    Raises:
        InputError: it is an archive of arrays.
    """
    # np.load given a path leaks its file where that holds a damaged archive.
    with open(path, "rb") as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise InputError("it is a .npz archive, not one .npy array.")
    return array
