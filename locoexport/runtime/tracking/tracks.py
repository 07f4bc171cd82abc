"""Tracks of points in a video's own pixels, and the files they are kept in."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError
from locoexport.machine.limits import TRACKS_BYTES
from locoexport.machine.reading.arrays import load_archive
from locoexport.machine.reading.documents import read_json
from locoexport.machine.reading.input_files import read_by_suffix
from locoexport.machine.writing.output_files import whole_file

__all__ = [
    "TRACKS_SCHEMA",
    "Tracks",
    "check_tracks_path",
    "read_tracks",
    "write_point_rows",
    "write_tracks",
]

TRACKS_SCHEMA = "locoexport.tracks/1"
_POINT_COLUMNS = ("frame", "object", "point", "x", "y", "visible", "confidence", "time_s")


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where every point is in every frame.

    Attributes:
        xy: float32 (points, frames, 2) as (x, y) in the original video's pixels, pixel centres
            at .5. In files it is called ``tracks_xy``.
        visible: bool (points, frames).
        confidence: float32 (points, frames) in 0..1: that the point is visible and where the
            track says. ``visible`` is where it is at least 0.5.
        query_points: float32 (points, 3) as (t, y, x): what was asked for. In files
            ``query_points_tyx``.
        fps: frames a second of the video.
        time_s: float64 (frames,), when each frame is shown: seconds after the video's first frame,
            rising. None where nobody knows more than ``fps``.
    """

    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    query_points: NDArray[np.float32]
    fps: float
    time_s: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Raises InputError where types or shapes do not fit together."""
        points, frames = self.visible.shape if self.visible.ndim == 2 else (-1, -1)
        expected: tuple[tuple[str, NDArray[Any], type[np.generic], tuple[int, ...]], ...] = (
            ("xy", self.xy, np.float32, (points, frames, 2)),
            ("visible", self.visible, np.bool_, (points, frames)),
            ("confidence", self.confidence, np.float32, (points, frames)),
            ("query_points", self.query_points, np.float32, (points, 3)),
        )
        if self.time_s is not None:
            expected += (("time_s", self.time_s, np.float64, (frames,)),)
        for name, array, dtype, shape in expected:
            if array.dtype != dtype or array.shape != shape:
                raise InputError(
                    f"Tracks: {name} is {array.dtype} of shape {array.shape}, where "
                    f"{np.dtype(dtype)} of shape {shape} is due."
                )
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"Tracks: fps is {self.fps}; it must be a positive number.")

    @property
    def frame_times_s(self) -> NDArray[np.float64]:
        """``time_s``, or what ``fps`` says where there is none."""
        return np.arange(self.frames) / self.fps if self.time_s is None else self.time_s

    @property
    def points(self) -> int:
        """How many points there are."""
        return int(self.visible.shape[0])

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(self.visible.shape[1])


def check_tracks_path(path: str | Path) -> Path:
    """Check, before any work is done, that the name ends in a kind of file there is.

    Raises:
        UsageError: it does not.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(f"Tracks are written as {', '.join(_WRITERS)}; {path} is none of these.")
    return path


def write_tracks(path: str | Path, tracks: Tracks) -> None:
    """Write tracks as .npz, .csv or .json, by the name's suffix; an existing file is replaced.

    - .npz: the arrays of ``Tracks`` by name, ``fps``, and ``time_s`` where it is known
    - .csv: a row a frame and point: frame,object,point,x,y,visible (0 or 1),confidence,time_s, of
      which object is empty, as these points belong to none
    - .json: the data of the .npz, and a ``schema``

    Numbers in text are the shortest that read back as the same float32.

    Raises:
        UsageError: another suffix.
        OutputError: the file cannot be written.
    """
    path = check_tracks_path(path)
    with whole_file(path) as temporary:
        _WRITERS[path.suffix.lower()](temporary, tracks)


def read_tracks(path: str | Path) -> Tracks:
    """Read what ``write_tracks`` wrote as .npz or .json.

    Raises:
        InputError: the file is missing, of another kind, or malformed.
    """
    return read_by_suffix(path, {".npz": _read_npz, ".json": _read_json}, "tracks")


def _write_npz(path: Path, tracks: Tracks) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "tracks_xy": tracks.xy,
        "visible": tracks.visible,
        "confidence": tracks.confidence,
        "query_points_tyx": tracks.query_points,
        "fps": np.array(tracks.fps, np.float64),
    }
    if tracks.time_s is not None:
        arrays["time_s"] = tracks.time_s
    np.savez_compressed(path, allow_pickle=False, **arrays)


def write_point_rows(path: Path, tracks: Tracks, objects: Sequence[int | None]) -> None:
    """Write a row a frame and point as .csv; of each point the object, None where it has none.

    frame,object,point,x,y,visible (0 or 1),confidence,time_s; numbers as ``write_tracks`` says.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_POINT_COLUMNS)
        for frame in range(tracks.frames):
            writer.writerows(_point_rows(frame, tracks, objects))


def _point_rows(
    frame: int, tracks: Tracks, objects: Sequence[int | None]
) -> Iterator[tuple[Any, ...]]:
    x, y = tracks.xy[:, frame].astype(str).T
    visible = tracks.visible[:, frame].astype(int)
    confidence = tracks.confidence[:, frame].astype(str)
    rows = zip(objects, x, y, visible, confidence, strict=True)
    time_s = round(float(tracks.frame_times_s[frame]), 6)
    for point, (name, *row) in enumerate(rows):
        yield frame, name, point, *row, time_s


def _write_csv(path: Path, tracks: Tracks) -> None:
    write_point_rows(path, tracks, [None] * tracks.points)


def _write_json(path: Path, tracks: Tracks) -> None:
    document = {
        "schema": TRACKS_SCHEMA,
        "fps": float(tracks.fps),
        **({} if tracks.time_s is None else {"time_s": tracks.time_s.tolist()}),
        "query_points_tyx": _shortest(tracks.query_points),
        "tracks_xy": _shortest(tracks.xy),
        "visible": tracks.visible.tolist(),
        "confidence": _shortest(tracks.confidence),
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")


def _shortest(array: NDArray[np.float32]) -> Any:
    """Nested lists of the shortest float64s that read back as the same float32s."""
    return array.astype(str).astype(np.float64).tolist()


_WRITERS = {".npz": _write_npz, ".csv": _write_csv, ".json": _write_json}


def _read_npz(path: Path) -> Tracks:
    arrays = load_archive(path, TRACKS_BYTES)
    return Tracks(
        xy=arrays["tracks_xy"],
        visible=arrays["visible"],
        confidence=arrays["confidence"],
        query_points=arrays["query_points_tyx"],
        fps=float(arrays["fps"]),
        time_s=arrays.get("time_s"),
    )


def _read_json(path: Path) -> Tracks:
    document = read_json(path, limit=TRACKS_BYTES)
    if not isinstance(document, dict) or document.get("schema") != TRACKS_SCHEMA:
        raise InputError(f"it is not a document of the schema {TRACKS_SCHEMA}.")
    return Tracks(
        xy=np.array(document["tracks_xy"], np.float32),
        visible=np.array(document["visible"]),
        confidence=np.array(document["confidence"], np.float32),
        query_points=np.array(document["query_points_tyx"], np.float32),
        fps=float(document["fps"]),
        time_s=None if document.get("time_s") is None else np.array(document["time_s"], np.float64),
    )
