"""Scores of single query points: a row a query, in the columns of ``COLUMNS``. numpy only."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.evaluation.metrics import THRESHOLDS_PX, scored_frames, tapvid_metrics
from locoexport.machine.writing.output_files import check_output, whole_file

__all__ = [
    "COLUMNS",
    "LOST_PX",
    "TrackTable",
    "check_track_file",
    "score_tracks",
    "write_track_file",
]

COLUMNS = (
    *("t", "y", "x", "scored_frames", "visible_frames"),
    *("average_jaccard", "average_pts_within_thresh", "occlusion_accuracy"),
    *(f"pts_within_{x}" for x in THRESHOLDS_PX),
    *(f"jaccard_{x}" for x in THRESHOLDS_PX),
    *("median_px", "mean_px", "survival"),
)
LOST_PX = 50
"""A track is lost where it is farther than that from a visible point, in pixels of 256×256."""

_COUNTS = ("scored_frames", "visible_frames")
_WHERE = ("dataset", "video", "side", "query")
_SCHEMA = "locoexport.eval_tracks/1"


@dataclass(frozen=True, eq=False)
class TrackTable:
    """The rows of one video: ``figures`` is float64 (sides, queries, len(COLUMNS))."""

    dataset: str
    video: str
    sides: tuple[str, ...]
    figures: NDArray[np.float64]


def score_tracks(
    asked: Mapping[str, NDArray[Any]],
    tracks: NDArray[np.floating[Any]],
    visible: NDArray[np.bool_],
    query_mode: str,
) -> NDArray[np.float64]:
    """Figures of every query of one video by itself, float64 (q, len(COLUMNS)).

    AJ, δ and OA are ``tapvid_metrics`` of a video that has this one query alone; NaN where nothing
    could be scored. Errors are over the scored frames in which the point is really visible.
    ``survival`` is the share of scored frames that are reached from the query's frame without
    passing a visible one that is more than ``LOST_PX`` off.

    Args:
        asked: of ``sample_queries``, in pixels of 256×256.
        tracks: (1, q, t, 2) in such pixels.
        visible: bool (1, q, t), as predicted.
        query_mode: ``first`` or ``strided``.
    """
    queries = asked["query_points"][0]
    hidden, truth = asked["occluded"][0].astype(bool), asked["target_points"][0]
    alone = (queries[:, None], hidden[:, None], truth[:, None])
    metrics = tapvid_metrics(*alone, ~visible[0][:, None], tracks[0][:, None], query_mode)
    scored = scored_frames(queries[:, 0], truth.shape[1], query_mode)
    errors = np.sqrt(np.square(tracks[0] - truth).sum(axis=-1))
    counted = scored & ~hidden
    figures = {
        **dict(zip("tyx", queries.T, strict=True)),
        "scored_frames": np.count_nonzero(scored, axis=1),
        "visible_frames": np.count_nonzero(counted, axis=1),
        **metrics,
        "median_px": _over(np.median, errors, counted),
        "mean_px": _over(np.mean, errors, counted),
        "survival": _survival(counted & ~(errors <= LOST_PX), scored, queries[:, 0]),
    }
    return np.stack([np.asarray(figures[name], np.float64) for name in COLUMNS], axis=1)


def check_track_file(path: str | Path, *, force: bool) -> Path:
    """Check before any work that the file may be written; see ``check_output``.

    Raises:
        UsageError: it is neither .csv nor .json.
        OutputError: it cannot be written, or exists and ``force`` is not given.
    """
    if Path(path).suffix.lower() not in _WRITERS:
        raise UsageError(f"Scores of tracks are written to .csv or .json, not to {str(path)!r}.")
    return check_output(path, force=force)


def write_track_file(path: Path, tables: Sequence[TrackTable]) -> None:
    """A row a data set, video, side and query, as .csv with a header line or as .json.

    What could not be scored is empty, or null.

    Raises:
        OutputError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        _WRITERS[path.suffix.lower()](temporary, tables)


def _over(
    average: Any, errors: NDArray[np.floating[Any]], counted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    rows = zip(errors, counted, strict=True)
    return np.array([average(row[of]) if of.any() else np.nan for row, of in rows], np.float64)


def _survival(
    lost: NDArray[np.bool_], scored: NDArray[np.bool_], query_frames: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    shares = np.full(len(lost), np.nan)
    for index, frame in enumerate(np.rint(query_frames).astype(int)):
        # Away from the query's frame, to both sides.
        after = np.logical_and.accumulate(~lost[index, frame:])
        before = np.logical_and.accumulate(~lost[index, frame::-1])[::-1]
        alive = np.concatenate((before, after[1:]))
        if scored[index].any():
            shares[index] = np.mean(alive[scored[index]])
    return shares


def _rows(tables: Sequence[TrackTable]) -> Iterator[tuple[Any, ...]]:
    counts = [name in _COUNTS for name in COLUMNS]
    for table in tables:
        for side, figures in zip(table.sides, table.figures, strict=True):
            for query, row in enumerate(figures.tolist()):
                cells = (
                    None if math.isnan(value) else int(value) if is_count else value
                    for value, is_count in zip(row, counts, strict=True)
                )
                yield table.dataset, table.video, side, query, *cells


def _write_csv(path: Path, tables: Sequence[TrackTable]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*_WHERE, *COLUMNS))
        writer.writerows(_rows(tables))


def _write_json(path: Path, tables: Sequence[TrackTable]) -> None:
    names = (*_WHERE, *COLUMNS)
    head = json.dumps({"schema": _SCHEMA, "lost_px": LOST_PX})[:-1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{head}, "tracks": [')
        for index, row in enumerate(_rows(tables)):
            document = dict(zip(names, row, strict=True))
            file.write(("," if index else "") + "\n" + json.dumps(document, allow_nan=False))
        file.write("\n]}\n")


_WRITERS = {".csv": _write_csv, ".json": _write_json}
