"""DeepLabCut's labelled frames, ``CollectedData_*.csv`` and ``.h5``, and its results.

Source: DeepLabCut's user guide and files that it wrote. Columns are named by three or four rows:
scorer, individuals (of several animals), bodyparts, coords (x, y, likelihood). A row is an image,
whose name ends in the number of the video's frame, or that number itself. Its coordinates are
those of a viewer of images: the centre of the first pixel is (0, 0).

The .h5 is pandas' "fixed" layout, or for results its "table": read by h5py, for pandas would
unpickle what it holds. The names of a table's columns are pickled lists of text, which are played
through without making anything else.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.reading.documents import quote
from locoexport.machine.reading.hdf5 import (
    byte_attribute,
    groups_of,
    has_array,
    read_plain_array,
)
from locoexport.machine.reading.pickles.pickle_reading import MalformedPickleError, PickleReader
from locoexport.machine.reading.tables import Table
from locoexport.runtime.queries.labelled_points import (
    LabelledPoint,
    PointList,
    first_of_each,
    frame_of_name,
)

__all__ = ["is_deeplabcut", "read_deeplabcut_frames", "read_deeplabcut_rows"]

_HALF_PIXEL = 0.5
_NAMES = ("individuals", "bodyparts", "coords")
_LEAST_LIKELIHOOD = 0.6
"""Below it DeepLabCut's own plots leave a point out (``pcutoff``)."""


def is_deeplabcut(table: Table) -> bool:
    """Whether a table begins as DeepLabCut's do."""
    return table.header is not None and table.header[0] == "scorer"


def read_deeplabcut_rows(table: Table) -> PointList:
    """The first labelled place of every body part of every individual, as (t, y, x).

    Raises:
        InputError: the table is cut short or holds other things than numbers.
    """
    names: dict[str, Sequence[str]] = {}
    rows = list(table.rows)
    while rows and rows[0].values[0].lower() in _NAMES:
        row = rows.pop(0)
        names[row.values[0].lower()] = row.values
    if "bodyparts" not in names or "coords" not in names:
        raise InputError("it begins as DeepLabCut's files do, but names no bodyparts and coords.")
    first = next((at for at, name in enumerate(names["coords"]) if name.lower() == "x"), 0)
    if not first:
        raise InputError("it is DeepLabCut's, but has no column x.")
    parts = [names["bodyparts"][first:], names["coords"][first:]]
    if "individuals" in names:
        parts.insert(0, names["individuals"][first:])
    columns = list(zip(*parts, strict=False))

    _check_one_clip("/".join(row.values[:first]) for row in rows)

    def labelled() -> Iterator[LabelledPoint]:
        for row in rows:
            label = next((text for text in reversed(row.values[:first]) if text), "")
            values = []
            for text in row.values[first:]:
                try:
                    values.append(table.number(text) if text else np.nan)
                except ValueError:
                    raise InputError(
                        f"line {row.line} holds something other than numbers."
                    ) from None
            yield from _points(_frame(label), columns, values)

    return first_of_each(labelled())


def read_deeplabcut_frames(file: Any) -> PointList:
    """The first labelled place of every body part of every individual, as (t, y, x).

    Args:
        file: an open HDF5 file.

    Raises:
        InputError: it is no file of labelled frames or of results, or damaged.
    """
    for group in groups_of(file):
        if has_array(group, "block0_values"):
            columns = _index(group, "block0_items")
            values = np.asarray(read_plain_array(group, "block0_values"), np.float64)
            rows = ["/".join(row) for row in _index(group, "axis1")]
            break
        if has_array(group, "table"):
            columns, values, rows = _table(group)
            break
    else:
        raise InputError(
            "it holds neither DeepLabCut's labels or results, as pandas keeps them, nor SLEAP's "
            "analysis."
        )
    if any(len(column) < 3 for column in columns):
        raise InputError("its columns are not named by scorer, bodyparts and coords.")
    if values.shape != (len(rows), len(columns)):
        raise InputError(f"it has {len(rows)} rows and {len(columns)} names for {values.shape}.")
    _check_one_clip(rows)
    return first_of_each(
        point
        for row, numbers in zip(rows, values.tolist(), strict=True)
        for point in _points(_frame(row), [column[1:] for column in columns], numbers)
    )


def _check_one_clip(labels: Iterable[str]) -> None:
    """Raises InputError where images lie in several folders: DeepLabCut has one a clip."""
    folders = {label.replace("\\", "/").strip("/").rpartition("/")[0] for label in labels}
    if len(folders) > 1:
        one, other = sorted(folders)[:2]
        raise InputError(
            f"it labels images of {len(folders)} folders, such as {quote(one)} and {quote(other)}, "
            "each for a separate clip; keep the rows of one folder."
        )


def _frame(label: str) -> int:
    return int(label) if label.isascii() and label.isdigit() else frame_of_name(label)


def _points(
    frame: int, columns: Sequence[tuple[str, ...]], values: Sequence[float]
) -> Iterator[LabelledPoint]:
    places: dict[tuple[str, ...], dict[str, float]] = {}
    for column, value in zip(columns, values, strict=False):
        places.setdefault(column[:-1], {})[column[-1].lower()] = value
    for identity, place in places.items():
        if "x" in place and "y" in place:
            seen = place.get("likelihood", 1.0) >= _LEAST_LIKELIHOOD
            y, x = place["y"] + _HALF_PIXEL, place["x"] + _HALF_PIXEL
            yield LabelledPoint(identity, frame, y, x, seen)


def _index(group: Any, name: str) -> list[tuple[str, ...]]:
    """Pandas' index, of which each entry is as many texts as the index has levels."""
    if has_array(group, name):
        return [(_text(value),) for value in read_plain_array(group, name).tolist()]
    levels: list[list[str]] = []
    while has_array(group, f"{name}_level{len(levels)}"):
        level = f"{name}_level{len(levels)}"
        texts = [_text(value) for value in read_plain_array(group, level).tolist()]
        codes = np.asarray(read_plain_array(group, f"{name}_label{len(levels)}"), np.int64)
        if ((codes < 0) | (codes >= len(texts))).any():
            raise InputError(f"it is damaged: {level} has no such entry.")
        levels.append([texts[code] for code in codes.tolist()])
    return list(zip(*levels, strict=True))


def _table(group: Any) -> tuple[list[tuple[str, ...]], NDArray[np.float64], list[str]]:
    """The columns' names, the values and the rows' names of pandas' "table" layout."""
    table = read_plain_array(group, "table")
    columns: list[tuple[str, ...]] = []
    blocks: list[NDArray[np.float64]] = []
    for name in table.dtype.names or ():
        if name.startswith("values_block_"):
            columns += _pickled_names(group["table"], f"{name}_kind")
            blocks.append(np.asarray(table[name], np.float64).reshape(len(table), -1))
    if not blocks or "index" not in (table.dtype.names or ()):
        raise InputError("its table has no index and values; save it as .csv, or format='fixed'.")
    return columns, np.concatenate(blocks, axis=1), [_text(row) for row in table["index"].tolist()]


def _pickled_names(table: Any, name: str) -> list[tuple[str, ...]]:
    pickled = byte_attribute(table, name)
    if pickled is None:
        raise InputError(f"its table does not say {name}, the names of columns.")
    try:
        names = PickleReader(io.BytesIO(pickled), len(pickled)).load()
    except MalformedPickleError as error:
        raise InputError(f"{name} of its table is not a pickle of names: {error}.") from error
    if not isinstance(names, list) or not all(
        isinstance(each, tuple) and all(isinstance(part, str) for part in each) for each in names
    ):
        raise InputError(f"{name} of its table is not a list of names.")
    return names


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
