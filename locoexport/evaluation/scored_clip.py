"""One annotated clip through some sides: their answers at 256×256, and the scores of each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.contract.visibility import visible_from_logits
from locoexport.evaluation.datasets.resizing import resize_as_published
from locoexport.evaluation.metrics import sample_queries, tapvid_metrics
from locoexport.evaluation.scores import Scores
from locoexport.evaluation.sides import Side
from locoexport.evaluation.track_scores import score_tracks
from locoexport.runtime.tracks.tapvid import TapVidClip

__all__ = ["ScoredClip", "score_clip"]

Answer = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class ScoredClip:
    """By side: scores, seconds, and the answer: tracks (1, q, t, 2) in pixels of 256×256 and
    visibility (1, q, t) of ``queries`` points over ``frames`` frames.

    ``asked`` is what ``sample_queries`` gave, in such pixels."""

    asked: Mapping[str, NDArray[Any]]
    queries: int
    frames: int
    scores: tuple[Scores, ...]
    seconds: tuple[float, ...]
    answers: tuple[Answer, ...]

    def track_figures(self, query_mode: str) -> NDArray[np.float64]:
        """Scores of single queries, (sides, q, len(COLUMNS)); see ``score_tracks``."""
        return np.stack([score_tracks(self.asked, *each, query_mode) for each in self.answers])


def score_clip(
    clip: TapVidClip,
    sides: Sequence[Side],
    query_mode: str,
    *,
    full_resolution: bool = False,
) -> ScoredClip | None:
    """Scores of every side; None where no point of the clip is ever visible.

    Raises:
        PackageMissingError: the clip is to be resized and Pillow is not installed.
    """
    # float64, as the published readers make positions.
    truth = clip.points * np.array(SCORED_HW[::-1], np.float64)
    asked = sample_queries(clip.occluded, truth, query_mode)
    if not asked["query_points"].shape[1]:
        return None
    frames = clip.video if full_resolution else resize_as_published(clip.video, SCORED_HW)
    queries = asked["query_points"].astype(np.float32)
    answers, seconds, scores = [], [], []
    for side in sides:
        began = time.perf_counter()
        raw = side.track(frames, queries)
        seconds.append(time.perf_counter() - began)
        tracks = raw.tracks_xy
        visible, _ = visible_from_logits(raw.occlusion, raw.expected_dist)
        answers.append((tracks, visible))
        scores.append(_score(asked, tracks, visible, query_mode))
    return ScoredClip(
        asked, queries.shape[1], len(frames), tuple(scores), tuple(seconds), tuple(answers)
    )


def _score(
    asked: dict[str, NDArray[np.float64]],
    tracks: NDArray[np.float32],
    visible: NDArray[np.bool_],
    query_mode: str,
) -> Scores:
    targets, hidden = asked["target_points"], asked["occluded"].astype(bool)
    metrics = tapvid_metrics(asked["query_points"], hidden, targets, ~visible, tracks, query_mode)
    query_frames = asked["query_points"][0, :, 0, None]
    frames = np.arange(targets.shape[2])
    counted = frames > query_frames if query_mode == "first" else frames != query_frames
    counted &= ~hidden[0]
    errors = np.sqrt(np.square(tracks - targets).sum(axis=-1))[0][counted]
    return Scores.of_video(metrics, float(np.median(errors)) if errors.size else np.nan)
