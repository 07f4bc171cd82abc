"""Scores of tracks against ground truth, as the TAP-Vid benchmark defines them. numpy only.

Positions are pixels of the 256×256 video that the benchmark scores at (``SCORED_HW``). The rules,
arguments and names of the results are those of the published evaluator
(google-deepmind/tapnet, ``tapvid/evaluation_datasets.py``, Apache-2.0), so that figures can be
compared with papers; this is an implementation of our own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError, did_you_mean

__all__ = [
    "QUERY_MODES",
    "QUERY_STRIDE",
    "THRESHOLDS_PX",
    "sample_queries",
    "scored_frames",
    "tapvid_metrics",
]

THRESHOLDS_PX = (1, 2, 4, 8, 16)
QUERY_MODES = ("first", "strided")
QUERY_STRIDE = 5
"""Frames between two query frames of the mode ``strided``."""


def tapvid_metrics(
    query_points: Any,
    gt_occluded: Any,
    gt_tracks: Any,
    pred_occluded: Any,
    pred_tracks: Any,
    query_mode: str,
) -> dict[str, NDArray[np.float64]]:
    """Score predicted tracks, one value a video; a benchmark's figure is the mean over videos.

    A frame is scored where it lies after the query's frame (``first``) or is any other than the
    query's (``strided``); a fractional query frame is rounded, halves to even. A prediction is
    within a threshold where its distance is strictly smaller. Distances are computed in the
    arrays' own floating-point type, as the published evaluator does.

    Args:
        query_points: (b, n, 3) as (t, y, x).
        gt_occluded: bool (b, n, t), True where the point cannot be seen.
        gt_tracks: (b, n, t, 2) as (x, y).
        pred_occluded: bool (b, n, t).
        pred_tracks: (b, n, t, 2) as (x, y).
        query_mode: ``first`` or ``strided``.

    Returns:
        float64 arrays of shape (b,) between 0 and 1, NaN where nothing could be scored:

        - ``occlusion_accuracy``: scored frames whose visibility is predicted right
        - ``pts_within_X`` for X in 1, 2, 4, 8, 16: visible scored points within X pixels, whatever
          was said of their visibility; ``average_pts_within_thresh`` is their mean
        - ``jaccard_X``: points that are visible, said visible and within X pixels, among those and
          every point that is visible or said visible wrongly; ``average_jaccard`` is their mean

    Raises:
        UsageError: no such query mode.
        InputError: shapes do not fit together, or a query lies outside the frames.
    """
    _check_mode(query_mode)
    queries, truth, answer = (
        np.asarray(query_points),
        np.asarray(gt_tracks),
        np.asarray(pred_tracks),
    )
    seen, said_seen = ~np.asarray(gt_occluded, bool), ~np.asarray(pred_occluded, bool)
    _check_shapes(queries, seen, truth, said_seen, answer)
    scored = scored_frames(queries[..., 0], truth.shape[2], query_mode)

    def count(wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.asarray(np.count_nonzero(wanted & scored, axis=(1, 2)))

    squared_px = np.square(answer - truth).sum(axis=-1)
    scores = {"occlusion_accuracy": _share(count(seen == said_seen), count(np.ones_like(seen)))}
    within_shares, jaccards = [], []
    for threshold in THRESHOLDS_PX:
        near = squared_px < threshold**2
        within_shares.append(_share(count(near & seen), count(seen)))
        hits = count(near & seen & said_seen)
        false_alarms = count(said_seen & ~(near & seen))
        jaccards.append(_share(hits, count(seen) + false_alarms))
        scores[f"pts_within_{threshold}"] = within_shares[-1]
        scores[f"jaccard_{threshold}"] = jaccards[-1]
    scores["average_jaccard"] = np.mean(jaccards, axis=0)
    scores["average_pts_within_thresh"] = np.mean(within_shares, axis=0)
    return scores


def sample_queries(occluded: Any, points: Any, query_mode: str) -> dict[str, NDArray[Any]]:
    """Query points from annotated tracks, and the tracks that belong to them.

    ``first`` asks for every track once, where it is seen first; a track that is never seen is left
    out. ``strided`` asks in every fifth frame for all tracks that are seen there, so that a track
    comes up as often as that; queries are ordered by frame, then by track.

    Args:
        occluded: bool (n, t).
        points: (n, t, 2) as (x, y), in any unit.
        query_mode: ``first`` or ``strided``.

    Returns:
        What the published evaluator's samplers return, without the video; q queries, a leading
        axis of 1 for the batch:

        - ``query_points``: float64 (1, q, 3) as (t, y, x)
        - ``target_points``: (1, q, t, 2) and ``occluded``: bool (1, q, t), the query's own track
        - ``trackgroup`` (``strided`` only): int (1, q), which track that is

    Raises:
        UsageError: no such query mode.
        InputError: shapes do not fit together.
    """
    _check_mode(query_mode)
    hidden, targets = np.asarray(occluded, bool), np.asarray(points)
    if hidden.ndim != 2 or targets.shape != (*hidden.shape, 2):
        raise InputError(
            f"Tracks are points (n, t, 2) and occluded (n, t); not {targets.shape} and "
            f"{hidden.shape}."
        )
    if query_mode == "first":
        track = np.flatnonzero(~hidden.all(axis=1))
        frame = np.argmin(hidden[track], axis=1) if len(track) else track
    else:
        # Transposed, so that the frame is the slow index.
        stop, track = np.nonzero(~hidden[:, ::QUERY_STRIDE].T)
        frame = stop * QUERY_STRIDE
    x, y = np.asarray(targets[track, frame], np.float64).reshape(-1, 2).T
    sampled: dict[str, NDArray[Any]] = {
        "query_points": np.stack([frame.astype(np.float64), y, x], axis=-1)[None],
        "target_points": targets[track][None],
        "occluded": hidden[track][None],
    }
    if query_mode == "strided":
        sampled["trackgroup"] = track[None]
    return sampled


def scored_frames(
    query_frames: NDArray[Any], frame_count: int, query_mode: str
) -> NDArray[np.bool_]:
    """Which frames of which query count.

    Args:
        query_frames: (...,), rounded, halves to even.
        frame_count: t.
        query_mode: ``first`` or ``strided``.

    Returns:
        Bool (..., t).

    Raises:
        InputError: a query lies outside the frames.
    """
    asked = np.rint(query_frames)[..., None]
    if not ((asked >= 0) & (asked < frame_count)).all():
        raise InputError(
            f"A query is in frame {asked.max():g} or {asked.min():g}, but the frames "
            f"are 0 to {frame_count - 1}."
        )
    frames = np.arange(frame_count)
    scored: NDArray[np.bool_] = frames > asked if query_mode == "first" else frames != asked
    return scored


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Part of whole; NaN where the whole is empty."""
    share = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def _check_mode(query_mode: str) -> None:
    if query_mode not in QUERY_MODES:
        raise UsageError(
            f"There is no query mode {query_mode!r}; expected {' or '.join(QUERY_MODES)}."
            + did_you_mean(query_mode, QUERY_MODES)
        )


def _check_shapes(
    queries: NDArray[Any],
    seen: NDArray[np.bool_],
    truth: NDArray[Any],
    said_seen: NDArray[np.bool_],
    answer: NDArray[Any],
) -> None:
    whole = seen.shape
    right = (
        len(whole) == 3
        and queries.shape == (*whole[:2], 3)
        and truth.shape == answer.shape == (*whole, 2)
        and said_seen.shape == whole
    )
    if not right:
        raise InputError(
            "Expected query_points (b, n, 3), occluded (b, n, t) and tracks (b, n, t, 2), twice "
            f"each but the first; found {queries.shape}, gt_occluded {whole}, gt_tracks "
            f"{truth.shape}, pred_occluded {said_seen.shape}, pred_tracks {answer.shape}."
        )
