"""Pickles of plain data, read without trust: nothing in a file is ever called."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from locoexport.errors import InputError

__all__ = ["READ_FAILURES", "load_plain"]

# All that an array of numbers needs, under the names that numpy 1 and numpy 2 write.
_ALLOWED = {
    (module, name)
    for core in ("numpy.core", "numpy._core")
    for module, name in (
        (f"{core}.multiarray", "_reconstruct"),
        (f"{core}.numeric", "_frombuffer"),
    )
} | {("numpy", "ndarray"), ("numpy", "dtype")}
READ_FAILURES = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    ImportError,
    SystemError,
    AssertionError,
    LookupError,
)
"""What a malformed stream makes the unpickler and numpy raise."""


def load_plain(path: str | Path) -> Any:
    """What a pickle holds, made of dicts, lists, strings, bytes, numbers and numpy arrays.

    A stream that names anything else is refused before it could be called.

    Raises:
        InputError: the file is missing or malformed, or wants to make something else.
    """
    try:
        with open(path, "rb") as file:
            return _PlainUnpickler(file).load()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except READ_FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is no pickle of plain data: {reason}.") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _bytes_of_old_protocols
        if (module, name) not in _ALLOWED:
            raise InputError(f"it wants to make {module}.{name}; only arrays are read.")
        return super().find_class(module, name)


def _bytes_of_old_protocols(text: str, encoding: str) -> bytes:
    """Protocols below 3 have no bytes: they name an encoder, which is always this one."""
    if encoding != "latin1":
        raise InputError(f"it wants to encode text as {encoding!r}; only arrays are read.")
    return text.encode("latin-1")
