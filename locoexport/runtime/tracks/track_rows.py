"""Tracks as rows of a table, a row a frame and point: read back into arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.reading.tables import Table

__all__ = ["TrackRows", "gather_rows"]

_NO_OBJECT = -1
_MOST_CELLS = 1 << 40
_TIME_STEP_S = 1e-6
_WORDS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, eq=False)
class TrackRows:
    """What a table says of tracks; ``fps`` is None where it has no times. See ``Tracks``."""

    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    query_points: NDArray[np.float32]
    fps: float | None
    time_s: NDArray[np.float64] | None
    object_ids: NDArray[np.int64] | None


def gather_rows(table: Table) -> TrackRows:
    """Arrays of a table's rows, which may stand in any order.

    Columns: frame, x, y; point, visible, confidence, time_s and object where they are there.

    Raises:
        InputError: a column or row is missing, twice there, or holds another thing than numbers.
    """
    if table.header is None:
        raise InputError("its first line names no columns; expected frame, point, x and y.")
    counts = np.column_stack([_counts(table, "frame"), _counts(table, "point")])
    frames, points = (int(count) + 1 for count in counts.max(axis=0))
    if frames * points != len(counts):
        raise InputError(
            f"it has {len(counts):,} rows; {points:,} points in {frames:,} frames are "
            f"{points * frames:,}."
        )
    order = np.full((points, frames), -1)
    order[counts[:, 1], counts[:, 0]] = np.arange(len(counts))
    if (order < 0).any():
        raise InputError("two rows are of the same frame and point.")
    xy = np.stack([_column(table, "x")[order], _column(table, "y")[order]], axis=-1)
    visible = np.isfinite(xy).all(axis=-1)
    if table.place("visible") is not None:
        said = _column(table, "visible")[order]
        if not np.isin(said, (0, 1)).all():
            raise InputError("its column visible must have 0 or 1 in every row.")
        visible = said != 0
    confidence = visible.astype(np.float32)
    if table.place("confidence") is not None:
        confidence = _column(table, "confidence")[order].astype(np.float32)
    time_s = _times(table, order)
    return TrackRows(
        xy=xy.astype(np.float32),
        visible=visible,
        confidence=confidence,
        query_points=_first_seen(xy, visible),
        fps=None if time_s is None else _rate(time_s),
        time_s=time_s,
        object_ids=_objects(table, order),
    )


def _column(table: Table, name: str, *, empty: float = np.nan) -> NDArray[np.float64]:
    place = table.place(*((name, "t") if name == "frame" else (name,)))
    if place is None:
        raise InputError(f"it has no column {name}; expected frame, point, x and y.")
    values = np.empty(len(table.rows))
    for index, row in enumerate(table.rows):
        text = row.values[place] if place < len(row.values) else ""
        try:
            known = empty if not text else _WORDS.get(text.lower())
            values[index] = table.number(text) if known is None else known
        except ValueError:
            raise InputError(f"line {row.line}: its {name} is not a number.") from None
    return values


def _counts(table: Table, name: str) -> NDArray[np.int64]:
    if name == "point" and table.place("point") is None:
        return np.zeros(len(table.rows), np.int64)
    values = _column(table, name)
    if not (np.isfinite(values).all() and (values >= 0).all() and (values % 1 == 0).all()):
        raise InputError(f"its column {name} must have whole numbers from 0 on.")
    if values.max() >= _MOST_CELLS:
        raise InputError(f"its column {name} goes up to {values.max():g}.")
    return values.astype(np.int64)


def _first_seen(xy: NDArray[np.float64], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Where each point is first seen, or in frame 0; of one that is nowhere, behind the end."""
    placed = np.isfinite(xy[..., 0]) & np.isfinite(xy[..., 1])
    first = (visible & placed).argmax(axis=1)
    at = xy[np.arange(len(xy)), first]
    nowhere = ~placed.any(axis=1)
    if nowhere.all() or not np.isfinite(at[~nowhere]).all():
        raise InputError(
            "a point in it has no position: it is visible in no frame, and has no place in frame 0."
        )
    first[nowhere], at[nowhere] = xy.shape[1], 0
    return np.column_stack([first, at[:, 1], at[:, 0]]).astype(np.float32)


def _times(table: Table, order: NDArray[np.intp]) -> NDArray[np.float64] | None:
    if table.place("time_s") is None:
        return None
    times = _column(table, "time_s")[order]
    if not (times == times[:1]).all():
        raise InputError("two rows of one frame have different times (time_s).")
    return np.asarray(times[0])


def _rate(times: NDArray[np.float64]) -> float | None:
    """The rate that gives these times, which are rounded; the mean where none of the usual does."""
    if len(times) < 2 or not times[-1] > times[0]:
        return None
    mean = (len(times) - 1) / float(times[-1] - times[0])
    for rate in (float(round(mean)), round(mean * 1.001) * 1000 / 1001):
        if rate and np.allclose(times - times[0], np.arange(len(times)) / rate, 0, _TIME_STEP_S):
            return rate
    return mean


def _objects(table: Table, order: NDArray[np.intp]) -> NDArray[np.int64] | None:
    if table.place("object") is None:
        return None
    ids = _column(table, "object", empty=_NO_OBJECT)[order]
    if not ((ids % 1 == 0) & (ids >= _NO_OBJECT) & (ids < _MOST_CELLS)).all():
        raise InputError("its column object must have whole numbers, or nothing.")
    if not (ids == ids[:, :1]).all():
        raise InputError("rows of one point are of different objects.")
    if (ids == _NO_OBJECT).all():
        return None
    return ids[:, 0].astype(np.int64)
