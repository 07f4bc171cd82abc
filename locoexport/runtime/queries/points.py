"""Query points: a grid, single points from the command line, and files of points.

A query is (t, y, x): the frame index (fractions allowed) and a position in the original video's
pixels, pixel centres at .5. Arrays of queries are float32 (points, 3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import QueryError
from locoexport.machine.limits import ROWS
from locoexport.machine.reading.arrays import load_array
from locoexport.machine.reading.documents import quote, read_json
from locoexport.machine.reading.input_files import read_by_suffix, read_rows

__all__ = [
    "PointGrid",
    "check_queries",
    "grid_queries",
    "parse_points",
    "parse_query",
    "read_queries",
]

_COLUMNS = ("t", "y", "x")
_MAX_GRID = 1000


@dataclass(frozen=True)
class PointGrid:
    """A grid of query points on frame 0, still without a video size."""

    rows: int
    columns: int

    def queries(self, height: int, width: int) -> NDArray[np.float32]:
        """The grid's points, float32 (rows·columns, 3), for a video of that size in pixels."""
        return grid_queries(self.rows, height, width, columns=self.columns)


def grid_queries(
    rows: int, height: int, width: int, *, columns: int | None = None
) -> NDArray[np.float32]:
    """The centres of rows × columns equal cells of frame 0, row by row.

    Args:
        rows: of points.
        height: of the video, in pixels.
        width: of the video, in pixels.
        columns: of points; as many as rows where None.

    Raises:
        QueryError: there are fewer than 1 or more than 1000 rows or columns.
    """
    columns = rows if columns is None else columns
    if not (1 <= rows <= _MAX_GRID and 1 <= columns <= _MAX_GRID):
        raise QueryError(f"A grid has 1 to {_MAX_GRID} points a side, not {rows}x{columns}.")
    y, x = np.meshgrid(
        (np.arange(rows) + 0.5) / rows * height,
        (np.arange(columns) + 0.5) / columns * width,
        indexing="ij",
    )
    points = np.stack([0 * y, y, x], axis=-1).reshape(-1, 3)
    return points.astype(np.float32)


def parse_points(text: str) -> PointGrid:
    """Read ``grid:N`` (N rows of N points) or ``grid:NxM`` (N rows of M points).

    Raises:
        QueryError: the text is anything else, or a number is out of range.
    """
    match = re.fullmatch(r"grid:([0-9]{1,9})(?:x([0-9]{1,9}))?", text)
    sides = [int(side) for side in match.groups(default=match[1])] if match else []
    if not sides or not all(1 <= side <= _MAX_GRID for side in sides):
        raise QueryError(
            f"Points are given as grid:N, or grid:NxM for N rows of M points, with numbers from 1 "
            f"to {_MAX_GRID}; not {text!r}."
        )
    return PointGrid(*sides)


def parse_query(text: str) -> NDArray[np.float32]:
    """Read ``t,y,x`` into float32 (3,).

    Raises:
        QueryError: it is not three numbers.
    """
    try:
        t, y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise QueryError(
            f"A query is t,y,x: a frame index and a position in pixels, like 0,120.5,64; "
            f"not {text!r}."
        ) from None
    return np.array([t, y, x], np.float32)


def read_queries(path: str | Path) -> NDArray[np.float32]:
    """Read query points from a file; float32 (points, 3).

    - .csv: three columns t, y, x; with a header line they may stand in any order, others are
      ignored
    - .json: a list of [t, y, x], or an object that holds one as ``query_points_tyx``
    - .npy: an array of shape (points, 3)

    Raises:
        QueryError: the file is missing, of another kind, or malformed; or it holds no points.
    """
    points = read_by_suffix(path, _READERS, "query points (t, y, x)", QueryError)
    if len(points) == 0:
        raise QueryError(f"{path} holds no query points.")
    return points


def check_queries(
    query_points_tyx: NDArray[Any], frames: int | None, height: int, width: int
) -> NDArray[np.float32]:
    """Check query points against the video they are for; returns them as float32 (points, 3).

    Args:
        query_points_tyx: numbers of shape (points, 3).
        frames: of the video; None where that is not known yet.
        height: of the video, in pixels.
        width: of the video, in pixels.

    Raises:
        QueryError: there are no points, or one is not finite or outside the video: t outside
            [0, frames - 1], y outside [0, height], x outside [0, width].
    """
    points = _as_float32(query_points_tyx)
    if len(points) == 0:
        raise QueryError("There are no query points; give at least one.")
    last = np.inf if frames is None else frames - 1
    limits = np.array([last, height, width], np.float32)
    # `not inside` rather than `outside`, so that NaN counts as wrong.
    wrong = np.argwhere(~(np.isfinite(points) & (points >= 0) & (points <= limits)))
    if len(wrong):
        index, axis = (int(i) for i in wrong[0])
        others = len(np.unique(wrong[:, 0])) - 1
        count = "" if frames is None else f"{frames} "
        raise QueryError(
            f"Query point {index} has {_COLUMNS[axis]} = {points[index, axis]:g}; the video has "
            f"{count}frames of {height}x{width}, so {_COLUMNS[axis]} must be from 0 to "
            f"{limits[axis]:g}" + (f" ({others} more points are wrong)." if others else ".")
        )
    return points


def _read_csv(path: Path) -> NDArray[np.float32]:
    rows = read_rows(path)
    columns = [0, 1, 2]
    if rows and not _is_number(rows[0][1][0]):
        header = [name.strip().lower() for name in rows.pop(0)[1]]
        if not set(_COLUMNS) <= set(header):
            raise QueryError(f"its header is {quote(','.join(header))}; it must name t, y and x.")
        columns = [header.index(name) for name in _COLUMNS]
    elif rows and len(rows[0][1]) != 3:
        raise QueryError(f"line {rows[0][0]} has {len(rows[0][1])} columns where t, y, x are due.")
    points = []
    for number, row in rows:
        try:
            points.append([float(row[column]) for column in columns])
        except (ValueError, IndexError):
            raise QueryError(f"line {number} is not t,y,x: {quote(','.join(row))}.") from None
    return _as_float32(points)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_json(path: Path) -> NDArray[np.float32]:
    document = read_json(path, rows=ROWS)
    if isinstance(document, dict):
        document = document["query_points_tyx"]
    # json knows true and "1"; numpy would quietly make numbers of both.
    if not isinstance(document, list) or not all(
        isinstance(point, list) and all(type(value) in (int, float) for value in point)
        for point in document
    ):
        raise QueryError("it must hold a list of [t, y, x] numbers.")
    return _as_float32(document)


def _read_npy(path: Path) -> NDArray[np.float32]:
    return _as_float32(load_array(path))


def _as_float32(points: Any) -> NDArray[np.float32]:
    """Numbers of shape (points, 3) as float32; an empty list has shape (0, 3)."""
    try:
        array = np.asarray(points)
    except ValueError:  # lists of different lengths
        raise QueryError("query points are three numbers each: t, y, x.") from None
    if array.size == 0 and array.ndim <= 2:
        return np.zeros((0, 3), np.float32)
    if array.dtype.kind not in "iuf" or array.ndim != 2 or array.shape[1] != 3:
        raise QueryError(
            f"query points are numbers of shape (points, 3), each t, y, x; not {array.dtype} of "
            f"shape {quote(array.shape)}."
        )
    with np.errstate(over="ignore"):  # 1e300 becomes inf, which check_queries refuses
        return array.astype(np.float32)


_READERS = {".csv": _read_csv, ".json": _read_json, ".npy": _read_npy}
