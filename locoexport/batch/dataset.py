"""The Parquet dataset: a row a clip, point and frame, in one file a clip; and the list of clips.

Rows and not nested lists: every reader (DuckDB, pandas, Polars, Spark, a SQL engine) filters and
joins on columns, few on what lies inside lists, and Parquet keeps the repeated columns in a few
bytes (benchmarks/many_clips.py compares the sizes of both). One file a clip, since a file that
appears by a rename is what makes a clip's rows be there once or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from locoexport.errors import InputError
from locoexport.machine.reading.documents import parse_json
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.tracks.tracks import Tracks

__all__ = [
    "PART_SCHEMA",
    "ClipFacts",
    "ClipPicture",
    "PartFile",
    "read_part",
    "write_clip_table",
    "write_part",
]

PART_SCHEMA = "locoexport.clip-tracks/1"
_FACTS = b"locoexport.clip"
_ROWS_A_GROUP = 1 << 20
_COORDINATES = ("x", "y", "confidence")


_SQUARE = Fraction(1)


@dataclass(frozen=True)
class ClipPicture:
    """What is known of a clip's frames.

    Attributes:
        frame_hw: height and width in stored pixels, in which coordinates are.
        pixel_aspect: the width of a pixel to its height, as players show it.
        frames_repeated: the frames that stand for lost ones, and show the one before.
        deinterlaced: whether interlaced frames were made frames of one time.
    """

    frame_hw: tuple[int, int]
    pixel_aspect: Fraction = _SQUARE
    frames_repeated: tuple[int, ...] = ()
    deinterlaced: bool = False


@dataclass(frozen=True)
class ClipFacts:
    """What is known of a clip beside its tracks: one row of the list of clips."""

    clip: str
    clip_id: str
    picture: ClipPicture
    fps: float
    points: int
    frames: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartFile:
    """One clip's file of the dataset."""

    path: Path
    facts: ClipFacts


def write_part(
    path: Path,
    clip: str,
    name: str,
    picture: ClipPicture,
    tracks: Tracks,
    warnings: Sequence[str] = (),
) -> None:
    """Write one clip's rows, whole; the same tracks give the same bytes.

    Columns: clip and clip_id (text); point and frame (int32); x, y (float32, pixels of the clip);
    visible (bool); confidence (float32); query_t, query_y, query_x (float32): what was asked for;
    warnings (list of text): what was wrong with the clip, in every row of it; time_s (float64):
    when the frame is shown, in seconds after the clip's first; repeated (bool): whether it stands
    for a lost one.
    Rows are sorted by point, then frame.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow.parquet

    height, width = picture.frame_hw
    facts = {
        "schema": PART_SCHEMA,
        "clip": clip,
        "clip_id": name,
        "height": height,
        "width": width,
        "fps": tracks.fps,
        "points": tracks.points,
        "frames": tracks.frames,
        "warnings": list(warnings),
        "pixel_aspect": list(picture.pixel_aspect.as_integer_ratio()),
        "frames_repeated": list(picture.frames_repeated),
        "deinterlaced": picture.deinterlaced,
    }
    schema = _part_schema().with_metadata({_FACTS: _dump(facts)})
    repeated = [name for name in schema.names if name not in _COORDINATES]
    plain = ("visible", "repeated")
    with (
        whole_file(path) as temporary,
        pyarrow.parquet.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            use_dictionary=[name for name in repeated if name not in plain],
            # Neighbouring floats share their upper bytes: kept together they compress.
            column_encoding=dict.fromkeys(_COORDINATES, "BYTE_STREAM_SPLIT"),
        ) as writer,
    ):
        for table in _row_groups(schema, clip, name, picture, tracks, list(warnings)):
            writer.write_table(table)


def read_part(path: Path) -> PartFile | None:
    """What a clip's file says of itself; None where there is none. Its rows are not read.

    Raises:
        InputError: it is another file.
    """
    try:
        rows, text = _read_footer(path)
        return PartFile(path, _facts_of(parse_json(text, "what it says", finite=True), rows))
    except FileNotFoundError:
        return None
    except InputError as error:
        raise InputError(f"{path} is not a file of this program ({error}); delete it.") from error


def _read_footer(path: Path) -> tuple[int, bytes]:
    """How many rows a Parquet file has, and what is said of them."""
    import pyarrow.parquet

    try:
        footer = pyarrow.parquet.read_metadata(path)
        return int(footer.num_rows), bytes(footer.metadata[_FACTS])
    except FileNotFoundError:
        raise
    except Exception as error:  # pyarrow and a damaged file
        reason = " ".join(str(error).split())
        raise InputError(f"it is not a Parquet file of tracks: {reason[:200]}") from error


def _facts_of(said: Any, rows: int) -> ClipFacts:
    """Raises InputError where a fact is missing or of another type, or the rows are not as many."""
    sizes = ("height", "width", "points", "frames")
    # Files of earlier versions say nothing of warnings.
    warnings = said.get("warnings", []) if isinstance(said, dict) else None
    if not (
        isinstance(said, dict)
        and said.get("schema") == PART_SCHEMA
        and isinstance(warnings, list)
        and all(isinstance(text, str) for text in warnings)
        and all(isinstance(said.get(name), str) for name in ("clip", "clip_id"))
        and all(type(said.get(name)) is int and 0 < said[name] < 2**31 for name in sizes)
        and type(said.get("fps")) in (int, float)
        and 0 < said["fps"] < math.inf
        and said["points"] * said["frames"] == rows
    ):
        raise InputError("its contents are not those that are expected")
    picture = _picture_of(said)
    return ClipFacts(
        clip=said["clip"],
        clip_id=said["clip_id"],
        picture=picture,
        fps=said["fps"],
        points=said["points"],
        frames=said["frames"],
        warnings=tuple(warnings),
    )


def _picture_of(said: dict[str, Any]) -> ClipPicture:
    """Files of earlier versions say the size alone. Raises InputError for what is not due."""
    aspect = said.get("pixel_aspect", [1, 1])
    repeated = said.get("frames_repeated", [])
    deinterlaced = said.get("deinterlaced", False)
    if not (
        isinstance(aspect, list)
        and len(aspect) == 2
        and all(type(part) is int and 0 < part < 2**31 for part in aspect)
        and isinstance(repeated, list)
        and all(type(frame) is int and 0 <= frame < said["frames"] for frame in repeated)
        and isinstance(deinterlaced, bool)
    ):
        raise InputError("its description of the picture is not what is expected")
    return ClipPicture(
        (said["height"], said["width"]),
        Fraction(*aspect),
        tuple(repeated),
        deinterlaced=deinterlaced,
    )


def write_clip_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the list of clips: a row a clip that was named; see ``CLIP_COLUMNS`` in the source.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
        [
            ("clip", pyarrow.string()),
            ("clip_id", pyarrow.string()),
            ("outcome", pyarrow.string()),
            ("reason", pyarrow.string()),
            ("points", pyarrow.int32()),
            ("frames", pyarrow.int32()),
            ("fps", pyarrow.float64()),
            ("height", pyarrow.int32()),
            ("width", pyarrow.int32()),
            ("options", pyarrow.string()),
            ("model_sha256", pyarrow.string()),
            ("warnings", pyarrow.list_(pyarrow.string())),
            ("pixel_aspect", pyarrow.float64()),
            ("frames_repeated", pyarrow.list_(pyarrow.int32())),
            ("deinterlaced", pyarrow.bool_()),
        ]
    )
    table = pyarrow.Table.from_pylist(list(rows), schema=schema)
    with whole_file(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, compression="zstd")


def _part_schema() -> Any:
    import pyarrow

    text, number, single = pyarrow.string(), pyarrow.int32(), pyarrow.float32()
    return pyarrow.schema(
        [
            ("clip", text),
            ("clip_id", text),
            ("point", number),
            ("frame", number),
            ("x", single),
            ("y", single),
            ("visible", pyarrow.bool_()),
            ("confidence", single),
            ("query_t", single),
            ("query_y", single),
            ("query_x", single),
            ("warnings", pyarrow.list_(text)),
            ("time_s", pyarrow.float64()),
            ("repeated", pyarrow.bool_()),
        ]
    )


def _row_groups(
    schema: Any,
    clip: str,
    name: str,
    picture: ClipPicture,
    tracks: Tracks,
    warnings: list[str],
) -> Iterator[Any]:
    """Tables of about a million rows, of whole points."""
    import pyarrow

    frames = tracks.frames
    repeated = np.isin(np.arange(frames), picture.frames_repeated)
    step = max(1, _ROWS_A_GROUP // frames)
    for first in range(0, tracks.points, step):
        some = slice(first, min(first + step, tracks.points))
        count = some.stop - some.start
        rows = count * frames
        columns = [
            pyarrow.repeat(clip, rows),
            pyarrow.repeat(name, rows),
            np.arange(some.start, some.stop, dtype=np.int32).repeat(frames),
            np.tile(np.arange(frames, dtype=np.int32), count),
            tracks.xy[some, :, 0].reshape(-1),
            tracks.xy[some, :, 1].reshape(-1),
            tracks.visible[some].reshape(-1),
            tracks.confidence[some].reshape(-1),
            *(tracks.query_points[some, axis].repeat(frames) for axis in range(3)),
            pyarrow.repeat(pyarrow.scalar(warnings, pyarrow.list_(pyarrow.string())), rows),
            np.tile(tracks.frame_times_s, count),
            np.tile(repeated, count),
        ]
        yield pyarrow.Table.from_arrays([pyarrow.array(c) for c in columns], schema=schema)


def _dump(facts: dict[str, Any]) -> bytes:
    import json

    return json.dumps(facts).encode()
