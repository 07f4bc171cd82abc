"""Where query points come from: all the ways at once, as one array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import QueryError
from locoexport.runtime.queries.masks import erode_mask, grid_in_mask, parse_mask, read_mask
from locoexport.runtime.queries.points import parse_points, parse_query, read_queries

__all__ = ["PointSources", "collect_points", "feature_queries"]

_MAX_FEATURES = 100_000


@dataclass(frozen=True)
class PointSources:
    """What a user asked for, as it was written; any number of the fields may be filled.

    Attributes:
        points: ``grid:N`` or ``grid:NxM``, on frame 0.
        queries: ``t,y,x`` each.
        query_file: .csv, .json or .npy; see ``read_queries``.
        masks: ``FILE[@frame][:grid]`` each; see ``parse_mask``.
        mask_erosion_px: how far from a mask's edge points begin; see ``erode_mask``.
        features: how many corners to look for on frame 0; see ``feature_queries``.
    """

    points: str | None = None
    queries: tuple[str, ...] = ()
    query_file: Path | None = None
    masks: tuple[str, ...] = ()
    mask_erosion_px: float = 2.0
    features: int | None = None

    @property
    def given(self) -> bool:
        """Whether anything was asked for."""
        asked = (self.points, self.queries, self.query_file, self.masks, self.features)
        return any(source not in (None, ()) for source in asked)


def collect_points(
    sources: PointSources, height: int, width: int, first_frame: Callable[[], NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """All query points of all sources, float32 (points, 3) as (t, y, x).

    They follow one another in the order of the fields of ``PointSources``. Points that two
    sources name are tracked twice. Whether they lie in the video is for ``check_queries``.

    Args:
        sources: what was asked for.
        height: of the video, in pixels.
        width: of the video, in pixels.
        first_frame: gives frame 0, uint8 (height, width, 3), where ``features`` needs it.

    Raises:
        QueryError: a source is malformed, or does not fit the video's size.
    """
    collected = [np.zeros((0, 3), np.float32)]
    if sources.points is not None:
        collected.append(parse_points(sources.points).queries(height, width))
    if sources.queries:
        collected.append(np.stack([parse_query(text) for text in sources.queries]))
    if sources.query_file is not None:
        collected.append(read_queries(sources.query_file))
    for text in sources.masks:
        collected.append(_mask_queries(text, sources.mask_erosion_px, height, width))
    if sources.features is not None:
        collected.append(feature_queries(first_frame(), sources.features))
    return np.concatenate(collected).astype(np.float32)


def feature_queries(frame_rgb: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
    """Corners that are easy to follow (Shi and Tomasi), the best first, at t = 0.

    OpenCV's ``goodFeaturesToTrack``: at least a hundredth as good as the best, and at least half
    as far apart as ``count`` points spread evenly would be.

    Args:
        frame_rgb: uint8 (height, width, 3).
        count: at most so many; flat pictures have fewer.

    Raises:
        QueryError: ``count`` is not from 1 to 100 000, or the picture has no corner.
    """
    if not 1 <= count <= _MAX_FEATURES:
        raise QueryError(f"Features are 1 to {_MAX_FEATURES} points, not {count}.")
    grey = cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2GRAY)
    apart = max(1.0, 0.5 * (grey.size / count) ** 0.5)
    corners = cv2.goodFeaturesToTrack(grey, count, qualityLevel=0.01, minDistance=apart)
    if corners is None or not len(corners):
        raise QueryError("Frame 0 is flat: it has no corner to track. Give points in another way.")
    # OpenCV's pixel centres lie on whole numbers, ours at .5.
    yx = corners.reshape(-1, 2)[:, ::-1] + 0.5
    return np.concatenate([np.zeros((len(yx), 1)), yx], axis=1).astype(np.float32)


def _mask_queries(text: str, erosion_px: float, height: int, width: int) -> NDArray[np.float32]:
    source = parse_mask(text)
    mask = read_mask(source.path)
    if mask.shape != (height, width):
        raise QueryError(
            f"The mask {source.path} has {mask.shape[1]}x{mask.shape[0]} pixels and the video "
            f"{width}x{height}; they must be of one size."
        )
    yx = grid_in_mask(erode_mask(mask, erosion_px), source.grid_hw)
    frame = np.full((len(yx), 1), source.frame)
    return np.concatenate([frame, yx], axis=1).astype(np.float32)
