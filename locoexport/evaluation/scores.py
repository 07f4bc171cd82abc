"""What an evaluation finds: scores of each side, how far the sides are apart, video by video.

Data only, so that rendering needs neither ONNX Runtime nor torch. numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.evaluation.metrics import THRESHOLDS_PX

__all__ = ["Difference", "Scores", "VideoResult", "difference", "mean_scores"]


@dataclass(frozen=True)
class Scores:
    """TAP-Vid's figures, 0 to 1, and the median error in pixels of 256×256.

    ``jaccard`` and ``pts_within`` go with the thresholds 1, 2, 4, 8 and 16 px. ``median_px`` is
    over the points that are scored and really visible. NaN where nothing could be scored.
    """

    average_jaccard: float
    average_pts_within_thresh: float
    occlusion_accuracy: float
    jaccard: tuple[float, ...]
    pts_within: tuple[float, ...]
    median_px: float

    @classmethod
    def of_video(cls, metrics: Mapping[str, NDArray[np.float64]], median_px: float) -> Scores:
        """From ``tapvid_metrics`` of one video."""
        return cls(
            float(metrics["average_jaccard"][0]),
            float(metrics["average_pts_within_thresh"][0]),
            float(metrics["occlusion_accuracy"][0]),
            tuple(float(metrics[f"jaccard_{x}"][0]) for x in THRESHOLDS_PX),
            tuple(float(metrics[f"pts_within_{x}"][0]) for x in THRESHOLDS_PX),
            median_px,
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Scores:
        """From what ``asdict`` gave; null is NaN."""

        def number(value: float | None) -> float:
            return math.nan if value is None else float(value)

        values = {
            field.name: tuple(number(v) for v in document[field.name])
            if isinstance(document[field.name], list | tuple)
            else number(document[field.name])
            for field in fields(cls)
        }
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Difference:
    """How far one side's tracks are from another's: pixels of 256×256 over all points and frames,
    and how many of them one side calls visible and the other not."""

    p50_px: float
    p99_px: float
    max_px: float
    flips: int
    compared: int

    @property
    def flip_share(self) -> float:
        """Flips among all points and frames."""
        return self.flips / self.compared


@dataclass(frozen=True)
class VideoResult:
    """One video: its scores by side, how far each other side is from the first, and what a person
    should know of its file."""

    name: str
    frames: int
    queries: int
    scores: tuple[Scores, ...]
    seconds: tuple[float, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...] = ()

    @property
    def unscored(self) -> bool:
        """Whether a figure is missing: no point of it is visible in a frame that is scored, say."""
        return any(
            math.isnan(figure)
            for scores in self.scores
            for figure in (
                scores.average_jaccard,
                scores.average_pts_within_thresh,
                scores.occlusion_accuracy,
            )
        )

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> VideoResult:
        """From what ``to_document`` gave; KeyError, TypeError or ValueError for anything else."""
        return cls(
            str(document["name"]),
            int(document["frames"]),
            int(document["queries"]),
            tuple(Scores.from_document(scores) for scores in document["scores"]),
            tuple(float(seconds) for seconds in document["seconds"]),
            tuple(Difference(**difference) for difference in document["differences"]),
            tuple(str(remark) for remark in document["remarks"]),
        )


def mean_scores(results: Iterable[Scores]) -> Scores:
    """The simple mean over videos, each figure over the videos that have it."""
    rows = [
        (
            *(s.average_jaccard, s.average_pts_within_thresh, s.occlusion_accuracy),
            *(*s.jaccard, *s.pts_within, s.median_px),
        )
        for s in results
    ]
    table = np.array(rows, np.float64)
    counted = np.isfinite(table)
    means = np.full(table.shape[1], np.nan)
    totals, counts = np.where(counted, table, 0).sum(axis=0), counted.sum(axis=0)
    np.divide(totals, counts, out=means, where=counts > 0)
    values = [float(mean) for mean in means]
    size = len(THRESHOLDS_PX)
    return Scores(
        average_jaccard=values[0],
        average_pts_within_thresh=values[1],
        occlusion_accuracy=values[2],
        jaccard=tuple(values[3 : 3 + size]),
        pts_within=tuple(values[3 + size : 3 + 2 * size]),
        median_px=values[-1],
    )


def difference(
    tracks: NDArray[np.floating[Any]],
    visible: NDArray[np.bool_],
    reference_tracks: NDArray[np.floating[Any]],
    reference_visible: NDArray[np.bool_],
) -> Difference:
    """Between two answers: tracks (..., 2) in pixels and visibility (...)."""
    distance = np.sqrt(np.square(tracks - reference_tracks).sum(axis=-1))
    p50, p99 = np.quantile(distance, (0.5, 0.99))
    return Difference(
        float(p50),
        float(p99),
        float(distance.max()),
        int(np.count_nonzero(visible != reference_visible)),
        int(visible.size),
    )
