"""Our own files of tracks: .npz, .json and .csv, the last of which knows no frame rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.reading.input_files import read_by_suffix, read_rows
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.tracking.tracks import Tracks, read_tracks, write_tracks

__all__ = ["read_own", "write_own"]

_COLUMNS = ("frame", "point", "x", "y", "visible", "confidence")
_UNKNOWN_FPS = 1.0


def read_own(path: Path, facts: ClipFacts) -> Tracks:
    """Tracks from a .npz, .json or .csv that ``track`` wrote.

    A .csv has no query points: each point's is where it is first visible (in frame 0 where it
    never is). It has no frame rate either: without ``facts.fps``, ``fps`` is 1.0, which formats do
    not look at.

    Raises:
        InputError: the file is missing, of another kind, or malformed.
    """
    if path.suffix.lower() != ".csv":
        tracks = read_tracks(path)
        return tracks if facts.fps is None else replace(tracks, fps=facts.fps)
    tracks = read_by_suffix(path, {".csv": _read_csv}, "tracks")
    return replace(tracks, fps=facts.fps or _UNKNOWN_FPS)


def write_own(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write what ``write_tracks`` writes, with the frame rate of ``facts`` where one is known."""
    write_tracks(path, tracks if facts.fps is None else replace(tracks, fps=facts.fps))


def _read_csv(path: Path) -> Tracks:
    rows = read_rows(path)
    if not rows:
        raise InputError("it is empty.")
    header = [name.strip().lower() for name in rows[0][1]]
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise InputError(f"it has no column {', '.join(missing)}; {', '.join(_COLUMNS)} are due.")
    places = [header.index(name) for name in _COLUMNS]
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise InputError(f"line {number} has {len(row)} values; the header has {len(header)}.")
    table = np.array([[float(row[place]) for place in places] for _, row in rows[1:]])
    if not len(table):
        raise InputError("it has a header and no rows.")
    return _tracks_of(table)


def _tracks_of(table: NDArray[np.float64]) -> Tracks:
    counts = table[:, :2]
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts % 1 == 0).all()):
        raise InputError("frame and point must be whole numbers from 0 on.")
    frames, points = (int(count) + 1 for count in counts.max(axis=0))
    if frames * points != len(table):
        raise InputError(
            f"it has {len(table):,} rows; {points:,} points in {frames:,} frames are "
            f"{points * frames:,}."
        )
    frame, point = counts.T.astype(int)
    order = np.full((points, frames), -1)
    order[point, frame] = np.arange(len(table))
    if (order < 0).any():
        raise InputError("two rows are of the same frame and point.")
    ordered = table[order]
    visible = ordered[..., 4] != 0
    first = visible.argmax(axis=1)
    xy = ordered[..., 2:4].astype(np.float32)
    query_xy = xy[np.arange(points), first]
    query_points = np.column_stack([first, query_xy[:, 1], query_xy[:, 0]]).astype(np.float32)
    return Tracks(xy, visible, ordered[..., 5].astype(np.float32), query_points, _UNKNOWN_FPS)
