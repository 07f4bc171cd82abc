"""Annotations of points as CSV beside videos: TAP-Vid-Kinetics, and Perception Test and RoboTAP.

A row is the track of one point, without a header, in one of two layouts. After the name follow
``x, y, occluded`` of every frame: positions as shares of the video's width and height, and 0 or 1.

- ``youtube_id, start, end`` and 250 frames: ten seconds at 25 frames a second, of the video
  ``ID_SSSSSS_EEEEEE.mp4`` (google-deepmind/tapnet, ``tapvid/generate_tapvid.py``)
- ``video`` and any number of frames: the frames of ``VIDEO.mp4`` as they are
  (``create_csv_dataset`` in ``tapvid/evaluation_datasets.py``)

The number of columns tells them apart. A file is read twice: whole, to check every row before any
work is done and to learn where each lies; and a video's rows again when that video is scored.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.limits import ANNOTATION_BYTES, ANNOTATION_ROW_BYTES, ROWS
from locoexport.machine.reading.documents import quote
from locoexport.machine.reading.pickles.pickle_reading import shown

__all__ = ["CLIP_FPS", "CLIP_FRAMES", "AnnotatedVideo", "index_annotations", "read_annotations"]

CLIP_FPS, CLIP_FRAMES = 25, 250
"""Of the layout of TAP-Vid-Kinetics."""

_FARTHEST = 1e6  # widths of a video, from its corner
_LONGEST_NAME = 1024
_DIGITS = 6


@dataclass(frozen=True)
class AnnotatedVideo:
    """A video's rows in one CSV: ``name`` is its file's without ``.mp4``; ``resampled`` is True of
    TAP-Vid-Kinetics' layout; ``frames`` are annotated. ``rows`` are (offset, bytes, line)."""

    name: str
    resampled: bool
    frames: int
    rows: list[tuple[int, int, int]] = field(compare=False)


@dataclass(frozen=True, eq=False)
class _Row:
    name: str
    resampled: bool
    points: NDArray[np.float64]
    occluded: NDArray[np.bool_]


def index_annotations(path: Path) -> tuple[AnnotatedVideo, ...]:
    """The videos of a file in the order of their first rows; every row is checked.

    Raises:
        InputError: it cannot be read, is too large, holds no row, or a row is broken; the message
            names file and line.
    """
    try:
        ANNOTATION_BYTES.check(path.stat().st_size, path)
        with open(path, "rb") as file:
            videos = _index(path, file)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not videos:
        raise InputError(f"{path} holds no row: expected annotated points of TAP-Vid as CSV.")
    return tuple(videos.values())


def read_annotations(
    path: Path, video: AnnotatedVideo
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A video's positions, float64 (points, frames, 2) as (x, y), and occluded (points, frames).

    Raises:
        InputError: the file cannot be read, or is another than it was.
    """
    rows = []
    try:
        with open(path, "rb") as file:
            for offset, size, line in video.rows:
                file.seek(offset)
                rows.append(_parse(path, line, file.read(size)))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    if any((row.name, row.occluded.size) != (video.name, video.frames) for row in rows):
        raise InputError(f"{path} was changed while it was used.")
    return np.stack([row.points for row in rows]), np.stack([row.occluded for row in rows])


def _index(path: Path, file: IO[bytes]) -> dict[str, AnnotatedVideo]:
    videos: dict[str, AnnotatedVideo] = {}
    offset = 0
    for number, line in enumerate(_lines(path, file), 1):
        ROWS.check(number, path)
        if line.strip(b",\r\n \xef\xbb\xbf"):
            row = _parse(path, number, line)
            frames = row.occluded.size
            video = videos.setdefault(row.name, AnnotatedVideo(row.name, row.resampled, frames, []))
            if (row.resampled, frames) != (video.resampled, video.frames):
                raise _broken(
                    path,
                    number,
                    f"it has {frames} frames of {quote(row.name)}, which had {video.frames} in "
                    f"line {video.rows[0][2]}",
                )
            video.rows.append((offset, len(line), number))
        offset += len(line)
    return videos


def _lines(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends; one that is too long is not read to its end."""
    limit = ANNOTATION_ROW_BYTES.value
    for number in itertools.count(1):
        line = file.readline(limit + 1)
        if not line:
            return
        ANNOTATION_ROW_BYTES.check(len(line), f"{path}: line {number}")
        yield line


def _parse(path: Path, number: int, line: bytes) -> _Row:
    """One row; InputError naming file and line where it is broken."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        (cells,) = csv.reader([text], strict=True)
    except (ValueError, csv.Error) as error:
        raise _broken(path, number, "it is not CSV in UTF-8") from error
    resampled = len(cells) == 3 + 3 * CLIP_FRAMES
    if not resampled and (len(cells) < 4 or len(cells) % 3 != 1):
        raise _broken(path, number, f"it has {len(cells)} columns")
    try:
        name = _clip_name(cells) if resampled else _video_name(cells[0])
        numbers = cells[3 if resampled else 1 :]
        values = [float(cell) for cell in numbers]
    except ValueError as error:
        raise _broken(path, number, f"it {_reason(error)}") from None
    if any("_" in cell for cell in numbers):
        raise _broken(path, number, "it holds an underscore in a number")
    table = np.array(values, np.float64).reshape(-1, 3)
    occluded = table[:, 2] == 1
    if not (occluded | (table[:, 2] == 0)).all():
        raise _broken(path, number, "a third column of a frame is neither 0 nor 1")
    # Where a point is hidden nobody reads its position.
    if not (np.abs(table[~occluded, :2]) <= _FARTHEST).all():
        raise _broken(path, number, "a point that is not occluded is far outside the video")
    return _Row(name, resampled, table[:, :2], occluded)


def _clip_name(cells: list[str]) -> str:
    start, end = (_whole(cell) for cell in cells[1:3])
    return f"{_video_name(cells[0])}_{start:06}_{end:06}"


def _video_name(cell: str) -> str:
    if not 0 < len(cell) <= _LONGEST_NAME:
        raise ValueError("names no video")
    return cell.removesuffix(".mp4")


def _whole(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= _DIGITS):
        raise ValueError(f"names a second {quote(cell)}")
    return int(cell)


def _reason(error: ValueError) -> str:
    text = str(error)
    _, _, cell = text.partition("could not convert string to float: ")
    return f"holds {cell[:80]}; expected a number" if cell else text


def _broken(path: Path, number: int, what: str) -> InputError:
    return InputError(
        f"{path}, line {number}: {shown(what, longest=300)}. Expected the track of a point without "
        f"a header: youtube_id,start,end and {CLIP_FRAMES} times x,y,occluded, or video and x,y,"
        "occluded of each frame."
    )
