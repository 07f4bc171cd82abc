"""Query points: a grid, single points from the command line, and files of points.

A query is (t, y, x): the frame index (fractions allowed) and a position in the original video's
pixels, pixel centres at .5. Arrays of queries are float32 (points, 3).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import QueryError, UsageError
from locoexport.machine.limits import ROWS
from locoexport.machine.reading.arrays import load_array
from locoexport.machine.reading.documents import quote, read_json
from locoexport.machine.reading.input_files import read_by_suffix
from locoexport.machine.reading.tables import Table, read_table
from locoexport.runtime.queries.coco_points import is_coco, read_coco_document
from locoexport.runtime.queries.cvat_points import read_cvat
from locoexport.runtime.queries.deeplabcut_points import (
    is_deeplabcut,
    read_deeplabcut_rows,
)
from locoexport.runtime.queries.hdf5_points import read_hdf5_points

__all__ = [
    "PointGrid",
    "QueryOrder",
    "check_order",
    "check_queries",
    "grid_queries",
    "parse_points",
    "parse_query",
    "read_queries",
]

QueryOrder = Literal["tyx", "txy"]
"""The order of a query's numbers where nothing names them: ours, and CoTracker's."""

_COLUMNS = ("t", "y", "x")
_UNNAMED = ("0", "1", "2")
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


def check_order(order: str) -> QueryOrder:
    """The order that a text names.

    Raises:
        UsageError: it is none.
    """
    for known in get_args(QueryOrder):
        if order == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(
        f"Queries are in the order {' or '.join(get_args(QueryOrder))}, not {order!r}."
    )


def parse_query(text: str, order: QueryOrder = "tyx") -> NDArray[np.float32]:
    """Read ``t,y,x`` (``t,x,y`` with the order txy) into float32 (3,) as (t, y, x).

    Raises:
        QueryError: it is not three numbers.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
        t, y, x = _in_order(numbers, order)
    except ValueError:
        raise QueryError(
            f"A query is {','.join(order)}: a frame index and a position in pixels, like "
            f"0,120.5,64; not {text!r}."
        ) from None
    return np.array([t, y, x], np.float32)


def read_queries(path: str | Path, order: QueryOrder = "tyx") -> NDArray[np.float32]:
    """Read query points from a file; float32 (points, 3) as (t, y, x).

    - .csv: three columns t, y, x; with a header line they may stand in any order, others are
      ignored, and t may be called frame. With commas, semicolons or tabs, and decimal commas. Or
      DeepLabCut's (``deeplabcut_points``)
    - .json: a list of [t, y, x], or an object that holds one as ``query_points_tyx``. Or COCO's
      keypoints (``coco_points``)
    - .npy: an array of shape (points, 3)
    - .h5: DeepLabCut's, or an analysis of SLEAP (``sleap_points``)
    - .slp: SLEAP's (``sleap_points``)
    - .xml: CVAT's (``cvat_points``)

    Args:
        path: the file.
        order: of a query's numbers, where the file does not name them.

    Raises:
        QueryError: the file is missing, of another kind, or malformed; or it holds no points.
        PackageMissingError: .h5 or .slp, and h5py is not installed.
    """
    readers: dict[str, Callable[[Path], NDArray[np.float32]]] = {
        ".csv": partial(_read_csv, order=order),
        ".json": partial(_read_json, order=order),
        ".npy": lambda path: _ordered(_as_float32(load_array(path)), order),
        ".h5": lambda path: _as_float32(read_hdf5_points(path)),
        ".slp": lambda path: _as_float32(read_hdf5_points(path)),
        ".xml": lambda path: _as_float32(read_cvat(path)),
    }
    points = read_by_suffix(path, readers, "query points (t, y, x)", QueryError)
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
            f"{limits[axis]:g}"
            + (f" ({others} more points are wrong)." if others else ".")
            + _swapped_hint(points, limits)
        )
    return points


def _swapped_hint(points: NDArray[np.float32], limits: NDArray[np.float32]) -> str:
    """What to say where all points lie within once their columns change places."""
    for columns, advice in _SWAPS:
        swapped = points[:, columns]
        if (np.isfinite(swapped) & (swapped >= 0) & (swapped <= limits)).all():
            return f" All points would be inside as {advice}"
    return ""


_SWAPS = (
    ([0, 2, 1], "t,x,y: is that their order? --query-order says which it is (tyx or txy)."),
    ([2, 1, 0], "x,y,t: is that their order? Name the columns in a header line: x,y,t."),
    ([2, 0, 1], "y,x,t: is that their order? Name the columns in a header line: y,x,t."),
)
"""Where t, y and x stand among the numbers that were given, and what to say."""


def _read_csv(path: Path, order: QueryOrder) -> NDArray[np.float32]:
    table = read_table(path)
    if is_deeplabcut(table):
        return _as_float32(read_deeplabcut_rows(table))
    columns = [order.index(name) for name in _COLUMNS]
    if table.header is not None:
        columns = _named_columns(table)
    elif table.rows and len(table.rows[0].values) != 3:
        first = table.rows[0]
        raise QueryError(
            f"line {first.line} has {len(first.values)} columns; expected {', '.join(order)}."
        )
    due = "t,y,x" if table.header is not None else ",".join(order)
    points = _as_float32([table.numbers(row, columns, due) for row in table.rows])
    if table.header is None and len(table.rows) > 1 and table.rows[0].values == _UNNAMED:
        raise QueryError(
            f"line {table.rows[0].line} is 0,1,2: a point, or the numbers that pandas gives to "
            "columns without names? Name the columns t, y, x, or write the point as 0.0,1,2."
        )
    return points


def _named_columns(table: Table) -> list[int]:
    header = ",".join(table.header or ())
    places = [table.place("t", "frame"), table.place("y"), table.place("x")]
    if None in places:
        raise QueryError(f"its header is {quote(header)}; it must name t, y and x.")
    _check_one_time(table)
    if _has_tracks(table):
        raise QueryError(
            f"its header is {quote(header)}: these are tracks, not queries, with a place in every "
            "frame. Keep the rows of the points and frames to begin at, and the columns t, y, x."
        )
    return [place for place in places if place is not None]


def _check_one_time(table: Table) -> None:
    """Raises QueryError where t is not the frame: it will be a time in seconds."""
    times = [table.place("t"), table.place("frame")]
    columns = [place for place in times if place is not None]
    for row in table.rows if len(columns) == 2 else ():
        t, frame = table.numbers(row, columns, "t,frame")
        if t != frame:
            raise QueryError(
                f"line {row.line} has t = {t:g} and frame = {frame:g}, and either may be the "
                "frame's number; leave one of the columns out."
            )


def _has_tracks(table: Table) -> bool:
    """Whether a row is a place of a point that other rows have as well."""
    point = table.place("point")
    if point is None:
        return False
    names = [row.values[point] for row in table.rows if point < len(row.values)]
    return table.place("visible") is not None or len(set(names)) < len(names)


def _in_order(numbers: list[float], order: QueryOrder) -> list[float]:
    """Three numbers as t, y, x; ValueError for others."""
    if len(numbers) != 3:
        raise ValueError(f"{len(numbers)} numbers")
    return [numbers[order.index(name)] for name in _COLUMNS]


def _ordered(points: NDArray[np.float32], order: QueryOrder) -> NDArray[np.float32]:
    return points[:, [order.index(name) for name in _COLUMNS]]


def _read_json(path: Path, order: QueryOrder) -> NDArray[np.float32]:
    document = read_json(path, rows=ROWS)
    if is_coco(document):
        return _as_float32(read_coco_document(document))
    if isinstance(document, dict):
        document, order = document["query_points_tyx"], "tyx"
    # json knows true and "1"; numpy would quietly make numbers of both.
    if not isinstance(document, list) or not all(
        isinstance(point, list) and all(type(value) in (int, float) for value in point)
        for point in document
    ):
        raise QueryError("it must hold a list of [t, y, x] numbers.")
    return _ordered(_as_float32(document), order)


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
