"""Tracks of points in a video's own pixels: cut, compared, and the files they are kept in."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError
from locoexport.machine.installation import require_packages
from locoexport.machine.limits import TRACKS_BYTES
from locoexport.machine.reading.arrays import load_archive
from locoexport.machine.reading.documents import quote
from locoexport.machine.reading.input_files import read_by_suffix
from locoexport.machine.reading.tables import read_table
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.tracks.track_documents import read_document, write_document
from locoexport.runtime.tracks.track_rows import gather_rows
from locoexport.runtime.tracks.track_slices import frame_slice, kept_axis, kept_numbers

if TYPE_CHECKING:
    import pandas

__all__ = [
    "TRACKS_SCHEMA",
    "Tracks",
    "check_tracks_path",
    "read_tracks",
    "track_arrays",
    "tracks_of_arrays",
    "write_point_rows",
    "write_tracks",
]

NO_OBJECT = -1
TRACKS_SCHEMA = "locoexport.tracks/1"
_OBJECT_TRACKS_SCHEMA = "locoexport.object-tracks/1"
"""As ``runtime.objects.object_files`` writes it: the same data, and objects."""
_ARRAYS = ("xy", "visible", "confidence", "query_points", "time_s", "object_ids")
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
        object_ids: int64 (points,): which object each point was asked for on, -1 for none. None
            where no point is of any.
        frames_repeated: int64 (any,), rising: which frames stand for one that the video lost; they
            show the frame before. None where nobody knows.
        frame_hw: (height, width) of a frame in the pixels that ``xy`` counts; None where nobody
            knows.
        warnings: what was wrong with the video, though it could be tracked.

    A point has no position if the video ended before its query's frame: it is invisible in all
    frames, its confidence is 0, and its ``xy`` is NaN.

    ``len`` is the number of points. Two are equal where arrays and ``fps`` are, NaN counting as
    equal to NaN, whatever is known of where they come from (the last three); like arrays, they
    have no hash.
    """

    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    query_points: NDArray[np.float32]
    fps: float
    time_s: NDArray[np.float64] | None = None
    object_ids: NDArray[np.int64] | None = None
    frames_repeated: NDArray[np.int64] | None = None
    frame_hw: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()

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
        if self.object_ids is not None:
            expected += (("object_ids", self.object_ids, np.int64, (points,)),)
        repeated = self.frames_repeated
        if repeated is not None:
            expected += (("frames_repeated", repeated, np.int64, (repeated.size,)),)
        for name, array, dtype, shape in expected:
            if array.dtype != dtype or array.shape != shape:
                raise InputError(
                    f"Tracks: {name} is {array.dtype} of shape {array.shape}; expected "
                    f"{np.dtype(dtype)} of shape {shape}."
                )
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"Tracks: fps is {self.fps}; it must be a positive number.")
        if repeated is not None and not _rises_within(repeated, frames):
            raise InputError(
                f"Tracks: frames_repeated is {repeated}; it must rise within 0 to {frames - 1}."
            )
        if self.frame_hw is not None and min(self.frame_hw) < 1:
            raise InputError(f"Tracks: frame_hw is {self.frame_hw}; both must be at least 1.")

    @property
    def frame_times_s(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds: ``time_s``, or frame numbers divided by ``fps``."""
        return np.arange(self.frames) / self.fps if self.time_s is None else self.time_s

    @property
    def points(self) -> int:
        """How many points there are."""
        return int(self.visible.shape[0])

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(self.visible.shape[1])

    @classmethod
    def load(cls, path: str | Path, *, fps: float | None = None) -> Tracks:
        """Read tracks from a file that ``track`` or ``save`` wrote; see ``read_tracks``.

        Raises:
            InputError: the file is missing, of another kind, or malformed.
        """
        return read_tracks(path, fps=fps)

    def save(self, path: str | Path) -> None:
        """Write .npz, .csv or .json by the name's suffix, replacing a file; see ``write_tracks``.

        Raises:
            UsageError: another suffix.
            OutputError: the file cannot be written.
        """
        write_tracks(path, self)

    def to_pandas(self) -> pandas.DataFrame:
        """A row a frame and point, frame by frame: what the .csv has, with the types of arrays.

        Columns: frame and point (int64), object (Int64, missing for none), x and y (float32),
        visible (bool), confidence (float32), time_s (float64).

        Raises:
            PackageMissingError: pandas is not installed.
        """
        require_packages("pandas", extra="exchange")
        import pandas

        ids = np.full(self.points, NO_OBJECT) if self.object_ids is None else self.object_ids
        objects = pandas.array(np.tile(ids, self.frames), dtype="Int64")
        objects[np.tile(ids, self.frames) == NO_OBJECT] = pandas.NA
        return pandas.DataFrame(
            {
                "frame": np.repeat(np.arange(self.frames), self.points),
                "object": objects,
                "point": np.tile(np.arange(self.points), self.frames),
                "x": self.xy[..., 0].T.ravel(),
                "y": self.xy[..., 1].T.ravel(),
                "visible": self.visible.T.ravel(),
                "confidence": self.confidence.T.ravel(),
                "time_s": np.repeat(self.frame_times_s, self.points),
            }
        )

    def __len__(self) -> int:
        """How many points there are."""
        return self.points

    def __getitem__(self, index: Any) -> Tracks:
        """Some points, ``tracks[points]``, in some of the frames, ``tracks[points, frames]``.

        Both axes stay: a single number takes one point or frame. Points are a number, a slice, a
        list, or an array of numbers or truth values, as numpy takes them. Frames are a number or a
        slice that goes forwards. Arrays are views of these wherever numpy's would be.

        Of the frames that are kept, the first is frame 0: query times become (t - start) / step,
        below 0 or behind the end where a query's frame was cut off, and ``fps`` is divided by the
        step. ``time_s`` keeps its zero, the first frame of the whole video.

        Raises:
            IndexError: there is no such point or frame.
            UsageError: frames are neither a number nor a slice that goes forwards.
        """
        points, frames = index if isinstance(index, tuple) and len(index) == 2 else (index, None)
        if isinstance(index, tuple) and len(index) != 2:
            raise UsageError(
                f"Tracks have two axes, points and frames; {len(index)} indices were given."
            )
        chosen = kept_axis(points)
        kept = slice(0, self.frames) if frames is None else frame_slice(frames, self.frames)
        step = kept.step or 1
        queries = self.query_points[chosen]
        if kept.start or step != 1:
            queries = (queries - (kept.start, 0, 0)) / np.array((step, 1, 1))
            queries = queries.astype(np.float32)
        uncut = self.time_s is None and not kept.start and step == 1
        return Tracks(
            xy=self.xy[chosen][:, kept],
            visible=self.visible[chosen][:, kept],
            confidence=self.confidence[chosen][:, kept],
            query_points=queries,
            fps=self.fps / step,
            time_s=None if uncut else self.frame_times_s[kept],
            object_ids=None if self.object_ids is None else self.object_ids[chosen],
            frames_repeated=kept_numbers(self.frames_repeated, kept),
            frame_hw=self.frame_hw,
            warnings=self.warnings,
        )

    def __eq__(self, other: object) -> bool:
        """Whether all arrays and the frame rate are equal."""
        if not isinstance(other, Tracks):
            return NotImplemented
        return self.fps == other.fps and all(
            _equal(getattr(self, name), getattr(other, name)) for name in _ARRAYS
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """One line: how many points and frames, how fast, how much of it is visible."""
        share = f", {self.visible.mean():.0%} visible" if self.visible.size else ""
        return f"<Tracks of {self.points} points in {self.frames} frames, {self.fps:g} fps{share}>"


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

    - .npz: the arrays of ``Tracks`` by name, ``fps``, and what else is known: ``time_s``,
      ``object_ids``, ``frames_repeated``, ``frame_hw`` int64 (2,), and ``warnings``, text (any,)
    - .csv: a row a frame and point: frame,object,point,x,y,visible (0 or 1),confidence,time_s, of
      which object is empty for a point of none
    - .json: the data of the .npz, and a ``schema``; null where a point is nowhere

    Numbers in text are the shortest that read back as the same float32.

    Raises:
        UsageError: another suffix.
        OutputError: the file cannot be written.
    """
    path = check_tracks_path(path)
    with whole_file(path) as temporary:
        _WRITERS[path.suffix.lower()](temporary, tracks)


def read_tracks(path: str | Path, *, fps: float | None = None) -> Tracks:
    """Read what ``write_tracks`` or ``write_object_tracks`` wrote; of objects only their ids.

    A .csv knows neither query points nor a frame rate. A point's query is where it is first
    visible, or in frame 0. The rate is the one that the column time_s goes with, where there is
    one. Columns are found by their names, in any order; frame, x and y must be there, point where
    there is more than one; a point is visible where nothing says otherwise, with confidence 1.
    Semicolons, tabs, decimal commas and byte order marks are understood.

    Args:
        path: .npz, .json or .csv.
        fps: the frame rate, in place of the file's.

    Raises:
        InputError: the file is missing, of another kind, or malformed; or nobody knows the rate.
    """
    readers: dict[str, Callable[[Path], Tracks]] = {
        ".npz": _read_npz,
        ".json": _read_json,
        ".csv": partial(_read_csv, fps=fps),
    }
    tracks = read_by_suffix(path, readers, "tracks")
    return tracks if fps is None else replace(tracks, fps=float(fps))


def _write_npz(path: Path, tracks: Tracks) -> None:
    np.savez_compressed(path, allow_pickle=False, **track_arrays(tracks))


def track_arrays(tracks: Tracks) -> dict[str, NDArray[Any]]:
    """What a .npz holds of tracks, by name: all that is known. ``tracks_of_arrays`` reads it."""
    arrays: dict[str, Any] = {
        "tracks_xy": tracks.xy,
        "visible": tracks.visible,
        "confidence": tracks.confidence,
        "query_points_tyx": tracks.query_points,
        "fps": np.float64(tracks.fps),
        "time_s": tracks.time_s,
        "object_ids": tracks.object_ids,
        "frames_repeated": tracks.frames_repeated,
        "frame_hw": tracks.frame_hw,
        "warnings": tracks.warnings or None,
    }
    return {name: np.asarray(array) for name, array in arrays.items() if array is not None}


def tracks_of_arrays(arrays: Mapping[str, NDArray[Any]]) -> Tracks:
    """Tracks of what a .npz holds; of other arrays in it nothing is read.

    Raises:
        InputError, LookupError, ValueError, TypeError: it is malformed.
    """
    size = arrays.get("frame_hw")
    return _checked(
        Tracks(
            xy=arrays["tracks_xy"],
            visible=arrays["visible"],
            confidence=arrays["confidence"],
            query_points=arrays["query_points_tyx"],
            fps=float(arrays["fps"]),
            time_s=arrays.get("time_s"),
            object_ids=arrays.get("object_ids"),
            frames_repeated=arrays.get("frames_repeated"),
            frame_hw=None if size is None else _size_of(size.tolist()),
            warnings=tuple(_texts_of(arrays["warnings"].tolist())) if "warnings" in arrays else (),
        )
    )


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
    ids = [] if tracks.object_ids is None else tracks.object_ids.tolist()
    names = [None if name == NO_OBJECT else name for name in ids]
    write_point_rows(path, tracks, names or [None] * tracks.points)


def _write_json(path: Path, tracks: Tracks) -> None:
    write_document(path, TRACKS_SCHEMA, track_arrays(tracks))


_WRITERS = {".npz": _write_npz, ".csv": _write_csv, ".json": _write_json}


def _rises_within(numbers: NDArray[np.int64], count: int) -> bool:
    return bool(((numbers >= 0) & (numbers < count)).all() and (np.diff(numbers) > 0).all())


def _equal(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _read_npz(path: Path) -> Tracks:
    return tracks_of_arrays(load_archive(path, TRACKS_BYTES))


def _read_json(path: Path) -> Tracks:
    return tracks_of_arrays(read_document(path, (TRACKS_SCHEMA, _OBJECT_TRACKS_SCHEMA)))


def _size_of(value: Any) -> tuple[int, int]:
    match value:
        case [int(height), int(width)]:
            return height, width
    raise InputError(f"frame_hw in it is {quote(value)}; it must be two whole numbers.")


def _texts_of(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InputError("its warnings are not a list of texts.")
    return value


def _read_csv(path: Path, fps: float | None) -> Tracks:
    table = read_table(path)
    if not table.rows:
        raise InputError("it has no rows.")
    rows = gather_rows(table)
    rate = rows.fps if fps is None else float(fps)
    if rate is None:
        raise InputError("it does not say how many frames a second there are; give fps.")
    return _checked(
        Tracks(
            *(rows.xy, rows.visible, rows.confidence, rows.query_points, rate),
            *(rows.time_s, rows.object_ids),
        )
    )


def _checked(tracks: Tracks) -> Tracks:
    """Tracks of a file, whose numbers are such as ``Tracks`` says."""
    if not ((tracks.confidence >= 0) & (tracks.confidence <= 1)).all():
        raise InputError("a confidence in it is not from 0 to 1.")
    if not np.isfinite(tracks.query_points).all():
        raise InputError("a query point in it is not finite.")
    times = tracks.time_s
    if times is not None and not (np.isfinite(times).all() and (np.diff(times) >= 0).all()):
        raise InputError("its times (time_s) do not increase.")
    return tracks
