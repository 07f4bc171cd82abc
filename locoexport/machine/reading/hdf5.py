"""HDF5 from strangers, read by h5py: arrays of numbers and short text that lie in the file itself.

Links to other files, arrays that are spread over others, and objects are never followed or made;
what pandas or PyTables pickled into a file stays bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.installation import require_packages
from locoexport.machine.limits import ROWS, TEXT_BYTES, TRACKS_BYTES
from locoexport.machine.reading.documents import quote

if TYPE_CHECKING:
    import h5py

__all__ = [
    "array_shape",
    "byte_attribute",
    "groups_of",
    "has_array",
    "open_hdf5",
    "read_large_array",
    "read_plain_array",
]

_NUMBERS = "iuf"
_KINDS = f"b{_NUMBERS}S"


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file of at most ``TEXT_BYTES`` bytes.

    Raises:
        InputError: it is too large; or, while it is open, h5py found it damaged.
        PackageMissingError: h5py is not installed.
        OSError: it cannot be opened as such a file.
    """
    require_packages("h5py", extra="exchange")
    import h5py

    TEXT_BYTES.check(path.stat().st_size, "it")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (RuntimeError, KeyError, AttributeError, IndexError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"it is damaged HDF5: {reason[:200].rstrip('.')}.") from error


def groups_of(file: Any) -> list[Any]:
    """The groups at a file's top that lie in the file itself."""
    import h5py

    here = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    return [file[name] for name in here if isinstance(file[name], h5py.Group)]


def has_array(group: Any, name: str) -> bool:
    """Whether a group holds an array of that name, all of it in the file itself."""
    import h5py

    if not isinstance(group, h5py.Group) or name not in group:
        return False
    is_here = isinstance(group.get(name, getlink=True), h5py.HardLink)
    found = group[name] if is_here else None
    return isinstance(found, h5py.Dataset) and not found.is_virtual and not found.external


def array_shape(group: Any, name: str) -> tuple[int, ...] | None:
    """The shape of an array, which is not read; None where ``has_array`` finds none."""
    return tuple(group[name].shape or ()) if has_array(group, name) else None


def byte_attribute(holder: Any, name: str) -> bytes | None:
    """What a group or array says of itself under that name, as bytes; None where that is no text.

    An object or a link that it names is not looked up.
    """
    value = holder.attrs.get(name)
    if isinstance(value, str):
        return value.encode("utf-8")
    return bytes(value) if isinstance(value, bytes) else None


def read_plain_array(group: Any, name: str) -> NDArray[Any]:
    """An array of numbers or text, or a table whose columns are such, of at most ``ROWS`` values.

    A column of a table may hold a list of numbers a row, as those of pandas do.

    Raises:
        InputError: there is none, it is too large, or holds something else.
    """
    dataset = _plain_dataset(group, name)
    fields = dataset.dtype.fields or {}
    a_row = sum(math.prod(field[0].shape) for field in fields.values()) if fields else 1
    ROWS.check((dataset.size or 0) * a_row, name)
    if dataset.ndim > 2:
        raise _not_plain(dataset, name)
    return np.asarray(dataset[()])


def read_large_array(group: Any, name: str) -> NDArray[np.float64]:
    """An array of numbers of any shape, of at most ``TRACKS_BYTES`` bytes.

    Raises:
        InputError: there is none, it is too large, or holds something else.
    """
    dataset = _plain_dataset(group, name)
    if dataset.dtype.kind not in _NUMBERS:
        raise _not_plain(dataset, name)
    TRACKS_BYTES.check(8 * (dataset.size or 0), name)
    return np.asarray(dataset[()], np.float64)


def _plain_dataset(group: Any, name: str) -> Any:
    if not has_array(group, name):
        raise InputError(f"it has no array {name}.")
    dataset = group[name]
    fields = dataset.dtype.fields
    kinds = [dataset.dtype] if fields is None else [field[0] for field in fields.values()]
    if dataset.shape is None or any(kind.base.kind not in _KINDS for kind in kinds):
        raise _not_plain(dataset, name)
    return dataset


def _not_plain(dataset: Any, name: str) -> InputError:
    return InputError(f"its array {name} is of {quote(str(dataset.dtype))}, not plain numbers.")
