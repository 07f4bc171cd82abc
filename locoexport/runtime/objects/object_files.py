"""Files of objects: all points with the object of each, or only boxes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError
from locoexport.machine.limits import TRACKS_BYTES
from locoexport.machine.reading.arrays import load_archive
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.objects.boxes import NO_OBJECT
from locoexport.runtime.objects.tracked import BoxSource, ObjectTracks, TrackedObject
from locoexport.runtime.tracks.tapvid import tapvid_clip, write_tapvid
from locoexport.runtime.tracks.track_documents import plain_values
from locoexport.runtime.tracks.tracks import track_arrays, tracks_of_arrays, write_point_rows

__all__ = [
    "BOXES_SCHEMA",
    "OBJECT_TRACKS_SCHEMA",
    "check_boxes_path",
    "check_object_tracks_path",
    "read_object_tracks",
    "write_boxes",
    "write_object_tracks",
]

OBJECT_TRACKS_SCHEMA = "locoexport.object-tracks/1"
BOXES_SCHEMA = "locoexport.boxes/1"
_BOX_COLUMNS: tuple[str, ...] = ("frame", "object", "x0", "y0", "x1", "y1", "source", "confidence")
_TRACK_KINDS = (".npz", ".csv", ".json", ".pkl")
_BOX_KINDS = (".csv", ".json")


def check_object_tracks_path(path: str | Path) -> Path:
    """Raise UsageError, before any work, where ``write_object_tracks`` knows no such kind."""
    return _check_kind(path, _TRACK_KINDS, "Tracks")


def check_boxes_path(path: str | Path) -> Path:
    """Raise UsageError, before any work, where ``write_boxes`` knows no such kind."""
    return _check_kind(path, _BOX_KINDS, "Boxes")


def write_object_tracks(
    path: str | Path, found: ObjectTracks, frames_rgb: NDArray[np.uint8] | None, name: str
) -> None:
    """Write all points and objects, by the path's suffix; an existing file is replaced.

    - .npz: what ``write_tracks`` writes of ``Tracks``; ``object_ids`` int64 (points,), -1 for
      none; ``objects`` int64 (objects,), their ids; ``boxes_xyxy`` float32 (objects, frames, 4),
      NaN where lost; ``box_source`` uint8 (objects, frames), 0 lost, 1
      detected, 2 tracked;
      ``box_confidence`` float32 (objects, frames); ``hulls_xy`` float32 (corners, 2) of all hulls,
      the one of object i in frame t being ``hulls_xy[s[k]:s[k + 1]]`` with s = ``hull_starts`` and
      k = i·frames + t
    - .csv: a row a frame and point: frame,object,point,x,y,visible (0 or 1),confidence,time_s;
      object is empty for none
    - .json: the data of the .npz, a ``schema``, and null for what is lost
    - .pkl: TAP-Vid's layout, with the video in it (``tapvid``)

    Numbers in text are the shortest that read back as the same float32.

    Args:
        path: the file.
        found: what to write.
        frames_rgb: uint8 (frames, height, width, 3), for .pkl; the others need none.
        name: of the clip, for .pkl.

    Raises:
        UsageError: another suffix, or a .pkl without frames.
        OutputError: the file cannot be written.
    """
    path = check_object_tracks_path(path)
    kind = path.suffix.lower()
    if kind == ".pkl":
        if frames_rgb is None:
            raise UsageError(f"{path}: TAP-Vid's layout holds the video; pass its frames.")
        write_tapvid(path, {name: tapvid_clip(frames_rgb, found.tracks)})
        return
    with whole_file(path) as temporary:
        if kind == ".npz":
            np.savez_compressed(temporary, allow_pickle=False, **_arrays(found))
        elif kind == ".csv":
            ids = found.object_ids.tolist()
            names = [None if name == NO_OBJECT else name for name in ids]
            write_point_rows(temporary, found.tracks, names)
        else:
            _write_json(temporary, _document(found))


def read_object_tracks(path: str | Path) -> ObjectTracks:
    """Read what ``write_object_tracks`` wrote as .npz.

    Raises:
        InputError: the file is missing, of another kind, or malformed.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"{path}: objects are read from .npz files.")
    try:
        arrays = load_archive(path, TRACKS_BYTES)
        return _from_arrays(arrays)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (LookupError, ValueError, TypeError, OverflowError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} does not hold objects: {reason}.") from error


def write_boxes(
    path: str | Path,
    objects: Sequence[TrackedObject],
    time_s: NDArray[np.float64] | None = None,
) -> None:
    """Write a row a frame and object, as .csv or .json; an existing file is replaced.

    frame,object,x0,y0,x1,y1,source,confidence, where source is ``detected``, ``tracked`` or
    ``lost``; of a lost object the corners are empty (null). ``read_boxes`` reads it again. With
    ``time_s``, float64 (frames,), a last column of that name says when each frame is shown.

    Raises:
        UsageError: another suffix.
        OutputError: the file cannot be written.
    """
    path = check_boxes_path(path)
    rows, columns = list(_box_rows(objects)), _BOX_COLUMNS
    if time_s is not None:
        rows = [(*row, round(float(time_s[row[0]]), 6)) for row in rows]
        columns = (*columns, "time_s")
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".csv":
            _write_rows(temporary, columns, rows)
        else:
            boxes = [dict(zip(columns, row, strict=True)) for row in rows]
            _write_json(temporary, {"schema": BOXES_SCHEMA, "boxes": boxes})


def _check_kind(path: str | Path, kinds: Sequence[str], what: str) -> Path:
    path = Path(path)
    if path.suffix.lower() not in kinds:
        raise UsageError(f"{what} are written as {', '.join(kinds)}; {path} is none of these.")
    return path


def _arrays(found: ObjectTracks) -> dict[str, NDArray[Any]]:
    frames, objects = found.tracks.frames, found.objects
    hulls = [hull for item in objects for hull in item.hulls_xy]
    lengths = [len(hull) for hull in hulls]
    return {
        **track_arrays(found.tracks),
        "object_ids": found.object_ids,
        "objects": np.array([item.object_id for item in objects], np.int64),
        "boxes_xyxy": np.array([item.boxes_xyxy for item in objects], np.float32).reshape(
            -1, frames, 4
        ),
        "box_source": np.array([item.source for item in objects], np.uint8).reshape(-1, frames),
        "box_confidence": np.array([item.confidence for item in objects], np.float32).reshape(
            -1, frames
        ),
        "hulls_xy": np.concatenate([np.zeros((0, 2), np.float32), *hulls]),
        "hull_starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    }


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> ObjectTracks:
    tracks = replace(tracks_of_arrays(arrays), object_ids=None)
    starts = arrays["hull_starts"]
    hulls = [arrays["hulls_xy"][start:stop] for start, stop in pairwise(starts)]
    objects = tuple(
        TrackedObject(
            int(object_id),
            arrays["boxes_xyxy"][index],
            arrays["box_source"][index],
            arrays["box_confidence"][index],
            tuple(hulls[index * tracks.frames : (index + 1) * tracks.frames]),
        )
        for index, object_id in enumerate(arrays["objects"])
    )
    return ObjectTracks(tracks, arrays["object_ids"], objects)


def _document(found: ObjectTracks) -> dict[str, Any]:
    return {
        "schema": OBJECT_TRACKS_SCHEMA,
        **{name: plain_values(array) for name, array in track_arrays(found.tracks).items()},
        "object_ids": found.object_ids.tolist(),
        "objects": [
            {
                "object": item.object_id,
                "boxes_xyxy": [
                    None if source == BoxSource.LOST else plain_values(box)
                    for source, box in zip(item.source, item.boxes_xyxy, strict=True)
                ],
                "source": [BoxSource(source).name.lower() for source in item.source.tolist()],
                "confidence": plain_values(item.confidence),
                "hulls_xy": [plain_values(hull) for hull in item.hulls_xy],
            }
            for item in found.objects
        ],
    }


def _box_rows(objects: Sequence[TrackedObject]) -> Iterator[tuple[Any, ...]]:
    for frame in range(len(objects[0].source) if objects else 0):
        for item in objects:
            source = BoxSource(int(item.source[frame]))
            corners: list[float | None] = plain_values(item.boxes_xyxy[frame])
            if source == BoxSource.LOST:
                corners = [None] * 4
            confidence = float(str(item.confidence[frame]))
            yield frame, item.object_id, *corners, source.name.lower(), confidence


def _write_rows(path: Path, columns: Sequence[str], rows: Any) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, allow_nan=False)
        file.write("\n")
