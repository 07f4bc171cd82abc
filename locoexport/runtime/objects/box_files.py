"""Boxes from the command line and from files: a person's own, or another detector's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, QueryError
from locoexport.machine.limits import FRAME_BOXES, ROWS
from locoexport.machine.reading.arrays import load_array
from locoexport.machine.reading.documents import quote, read_json
from locoexport.machine.reading.input_files import read_by_suffix, read_rows
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.objects.boxes import (
    NO_OBJECT,
    Boxes,
    Detections,
    clip_boxes,
    gather_detections,
)

__all__ = ["check_boxes", "parse_box", "read_boxes", "read_or_parse_boxes"]

_CORNERS = ("x0", "y0", "x1", "y1")
_COLUMNS = ("frame", *_CORNERS, "confidence", "object")
_DEFAULTS = {"frame": 0.0, "confidence": 1.0, "object": float(NO_OBJECT)}
_LARGEST_INDEX = 2**31


def read_or_parse_boxes(texts: Sequence[str]) -> Detections:
    """Boxes of several texts, each ``x0,y0,x1,y1[@frame]`` or the name of a file, in order.

    Raises:
        QueryError: a text is neither, a file is malformed, or an object is twice in a frame.
    """
    parts = []
    for text in texts:
        path = Path(text)
        parts.append(
            read_boxes(path)
            if is_file(path) or path.suffix.lower() in _READERS
            else parse_box(text)
        )
    try:
        return gather_detections(parts)
    except InputError as error:
        raise QueryError(f"Boxes: {error}") from error


def parse_box(text: str) -> Detections:
    """Read ``x0,y0,x1,y1[@frame]`` (frame 0 where none is named) as one box of confidence 1.

    Raises:
        QueryError: it is no box.
    """
    corners, _, frame = text.partition("@")
    try:
        values = [float(part) for part in corners.split(",")]
        if len(values) != 4:
            raise ValueError
        return _detections(
            [{"frame": float(frame or 0), **dict(zip(_CORNERS, values, strict=True))}]
        )
    except (ValueError, InputError):
        raise QueryError(
            f"A box is x0,y0,x1,y1 or x0,y0,x1,y1@frame: left, upper, right and lower edge in "
            f"pixels, like 60,30,120,95@12; not {text!r}. (No such file either.)"
        ) from None


def read_boxes(path: str | Path) -> Detections:
    """Read boxes from a file.

    - .csv: columns x0,y0,x1,y1 or frame,x0,y0,x1,y1; with a header line any of frame, x0, y0, x1,
      y1, confidence and object in any order, others are ignored. What is left out or empty is
      frame 0, confidence 1, and an object that is found by how boxes overlap.
    - .json: a list of [x0, y0, x1, y1], of [frame, x0, y0, x1, y1] or of objects with those names;
      or an object that holds such a list as ``boxes``.
    - .npy: an array of shape (boxes, 4) or (boxes, 5), as in .csv.

    A row whose four corners are all empty or null is skipped: so ``--objects FILE`` writes a frame
    in which an object is lost.

    Raises:
        QueryError: the file is missing, of another kind, or malformed; it holds no boxes; or an
            object is twice in a frame.
    """
    found = read_by_suffix(path, _READERS, "boxes", QueryError)
    if not len(found):
        raise QueryError(f"{path} holds no boxes.")
    FRAME_BOXES.check(int(np.unique(found.frames, return_counts=True)[1].max()), path, QueryError)
    return found


def check_boxes(detections: Detections, frames: int, height: int, width: int) -> Detections:
    """Check a person's boxes against the video they are for, and cut them to its frame.

    Raises:
        QueryError: a box is of a frame that the video does not have, or wholly outside the frame.
    """
    late = np.flatnonzero(detections.frames >= frames)
    if len(late):
        raise QueryError(
            f"Box {late[0]} is of frame {detections.frames[late[0]]}; the video has {frames} "
            f"frames, so its last is {frames - 1}."
        )
    boxes = clip_boxes(detections.boxes, height, width)
    if len(boxes) < len(detections):
        xyxy = detections.boxes.xyxy
        limits = np.array([width, height, width, height], np.float32)
        inside = (np.maximum(xyxy[:, :2], 0) < np.minimum(xyxy, limits)[:, 2:]).all(axis=1)
        index = int(np.argmin(inside))
        corners = ",".join(f"{edge:g}" for edge in xyxy[index])
        raise QueryError(
            f"Box {index} is {corners}, which is outside the video's {width}x{height} pixels."
        )
    return Detections(detections.frames, boxes, detections.object_ids)


def _detections(rows: Sequence[dict[str, float]]) -> Detections:
    full = [[row.get(name, _DEFAULTS.get(name, np.nan)) for name in _COLUMNS] for row in rows]
    table = np.array(full, np.float64)
    table = table.reshape(-1, len(_COLUMNS))
    with np.errstate(over="ignore"):  # 1e300 becomes inf, which Boxes refuses
        boxes = Boxes(table[:, 1:5].astype(np.float32), table[:, 5].astype(np.float32))
    return Detections(
        _whole("frame", table[:, 0], 0), boxes, _whole("object", table[:, 6], NO_OBJECT)
    )


def _whole(name: str, values: NDArray[np.float64], least: int) -> NDArray[np.int64]:
    """Whole numbers out of floats."""
    right = (values >= least) & (values < _LARGEST_INDEX) & (values == np.floor(values))
    if not right.all():
        index = int(np.argmin(right))
        raise InputError(
            f"box {index} has {name} = {values[index]:g}; it must be a whole number from {least}."
        )
    return values.astype(np.int64)


def _read_csv(path: Path) -> Detections:
    rows = read_rows(path)
    if not rows:
        return _detections([])
    header = [name.strip().lower() for name in rows[0][1]]
    if set(_CORNERS) <= set(header):
        rows.pop(0)
    elif len(header) in (4, 5):
        header = list(_COLUMNS[5 - len(header) : 5])
    else:
        raise InputError(
            f"it must have the columns x0,y0,x1,y1 or frame,x0,y0,x1,y1, or a header line that "
            f"names them; its first line is {quote(','.join(rows[0][1]))}."
        )
    boxes = []
    for number, row in rows:
        named = {
            name: text.strip()
            for name, text in zip(header, row, strict=False)
            if name in _COLUMNS and text.strip()
        }
        if not set(_CORNERS) & set(named) and len(row) == len(header):
            continue
        try:
            boxes.append({name: float(text) for name, text in named.items()})
            if len(row) != len(header) or not set(_CORNERS) <= set(named):
                raise ValueError
        except ValueError:
            raise InputError(f"line {number} is not a box: {quote(','.join(row))}.") from None
    return _detections(boxes)


def _read_json(path: Path) -> Detections:
    document = read_json(path, rows=ROWS)
    if isinstance(document, dict):
        document = document["boxes"]
    if not isinstance(document, list):
        raise InputError("it must hold a list of boxes.")
    boxes = (_json_box(index, item) for index, item in enumerate(document))
    return _detections([box for box in boxes if box is not None])


def _json_box(index: int, item: Any) -> dict[str, float] | None:
    if isinstance(item, list) and len(item) in (4, 5):
        item = dict(zip(_COLUMNS[5 - len(item) : 5], item, strict=True))
    if isinstance(item, dict):
        item = {name: value for name, value in item.items() if name in _COLUMNS}
        if set(_CORNERS) <= set(item) and all(item[name] is None for name in _CORNERS):
            return None
        named = {name: value for name, value in item.items() if value is not None}
        # json knows true and "1"; float would quietly make numbers of both.
        if set(_CORNERS) <= set(named) and all(type(v) in (int, float) for v in named.values()):
            return {name: _as_float(value) for name, value in named.items()}
    raise InputError(
        f"box {index} is neither [x0, y0, x1, y1], [frame, x0, y0, x1, y1] nor an object with "
        "x0, y0, x1 and y1."
    )


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of over 308 digits
        return float("inf")


def _read_npy(path: Path) -> Detections:
    array = load_array(path)
    if array.dtype.kind not in "iuf" or array.ndim != 2 or array.shape[1] not in (4, 5):
        raise InputError(
            f"boxes are numbers of shape (boxes, 4) or (boxes, 5), not {array.dtype} of shape "
            f"{quote(array.shape)}."
        )
    names = _COLUMNS[5 - array.shape[1] : 5]
    return _detections([dict(zip(names, map(float, row), strict=True)) for row in array.tolist()])


_READERS = {".csv": _read_csv, ".json": _read_json, ".npy": _read_npy}
