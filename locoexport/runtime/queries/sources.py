"""Where query points come from: all the ways at once, as one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import QueryError
from locoexport.runtime.queries.masks import (
    erode_mask,
    grid_in_mask,
    parse_mask,
    read_mask_objects,
)
from locoexport.runtime.queries.points import QueryOrder, parse_points, parse_query, read_queries

__all__ = [
    "AskedPoints",
    "PointSources",
    "collect_asked_points",
    "collect_points",
    "feature_queries",
    "join_points",
]

_MAX_FEATURES = 100_000
_NO_OBJECT = -1


@dataclass(frozen=True)
class PointSources:
    """What a user asked for, as it was written; any number of the fields may be filled.

    Attributes:
        points: ``grid:N`` or ``grid:NxM``, on frame 0.
        queries: ``t,y,x`` each.
        query_file: of points, or of another program's labels; see ``read_queries``.
        masks: ``FILE[@frame][:grid]`` each; see ``parse_mask``.
        mask_erosion_px: how far from a mask's edge points begin; see ``erode_mask``.
        features: how many corners to look for on frame 0; see ``feature_queries``.
        query_order: of the numbers in ``queries``, and in a ``query_file`` that does not name them.
    """

    points: str | None = None
    queries: tuple[str, ...] = ()
    query_file: Path | None = None
    masks: tuple[str, ...] = ()
    mask_erosion_px: float = 2.0
    features: int | None = None
    query_order: QueryOrder = "tyx"

    @property
    def given(self) -> bool:
        """Whether anything was asked for."""
        asked = (self.points, self.queries, self.query_file, self.masks, self.features)
        return any(source not in (None, ()) for source in asked)

    def described(self) -> dict[str, Any]:
        """The fields by name, for a record: without an order that earlier versions had not got."""
        fields = asdict(self)
        if self.query_order == "tyx":
            del fields["query_order"]
        return fields


@dataclass(frozen=True, eq=False)
class AskedPoints:
    """Query points, and the object that each is on.

    Attributes:
        query_points_tyx: float32 (points, 3).
        object_ids: int64 (points,): the palette index of a mask of several objects, -1 for none.
            None where no point has one.
    """

    query_points_tyx: NDArray[np.float32]
    object_ids: NDArray[np.int64] | None

    @property
    def ids(self) -> NDArray[np.int64]:
        """``object_ids``, -1 for all where there are none."""
        none = np.full(len(self.query_points_tyx), _NO_OBJECT, np.int64)
        return none if self.object_ids is None else self.object_ids

    def select(self, kept: NDArray[np.bool_]) -> AskedPoints:
        """Those points that are kept."""
        ids = None if self.object_ids is None else self.object_ids[kept]
        return AskedPoints(self.query_points_tyx[kept], ids)


def collect_points(
    sources: PointSources, height: int, width: int, first_frame: Callable[[], NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """The query points of ``collect_asked_points``, without their objects."""
    return collect_asked_points(sources, height, width, first_frame).query_points_tyx


def collect_asked_points(
    sources: PointSources, height: int, width: int, first_frame: Callable[[], NDArray[np.uint8]]
) -> AskedPoints:
    """All query points of all sources.

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
    order = sources.query_order
    free = [np.zeros((0, 3), np.float32)]
    if sources.points is not None:
        free.append(parse_points(sources.points).queries(height, width))
    if sources.queries:
        free.append(np.stack([parse_query(text, order) for text in sources.queries]))
    if sources.query_file is not None:
        free.append(read_queries(sources.query_file, order))
    collected = [(_NO_OBJECT, points) for points in free]
    for text in sources.masks:
        collected += _mask_queries(text, sources.mask_erosion_px, height, width)
    if sources.features is not None:
        collected.append((_NO_OBJECT, feature_queries(first_frame(), sources.features)))
    return join_points(
        [
            AskedPoints(points.astype(np.float32), np.full(len(points), name, np.int64))
            for name, points in collected
        ]
    )


def join_points(asked: Sequence[AskedPoints]) -> AskedPoints:
    """Points after one another; an object of the same number is the same object."""
    points_tyx = np.concatenate([each.query_points_tyx for each in asked])
    ids = np.concatenate([each.ids for each in asked])
    return AskedPoints(points_tyx, None if (ids == _NO_OBJECT).all() else ids)


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


def _mask_queries(
    text: str, erosion_px: float, height: int, width: int
) -> list[tuple[int, NDArray[np.float32]]]:
    """A grid in each object of a mask, and that object."""
    source = parse_mask(text)
    found = []
    for name, mask in read_mask_objects(source.path):
        if mask.shape != (height, width):
            raise QueryError(
                f"The mask {source.path} has {mask.shape[1]}x{mask.shape[0]} pixels and the video "
                f"{width}x{height}; they must be of one size."
            )
        yx = grid_in_mask(erode_mask(mask, erosion_px), source.grid_hw)
        frame = np.full((len(yx), 1), source.frame)
        points = np.concatenate([frame, yx], axis=1).astype(np.float32)
        found.append((_NO_OBJECT if name is None else name, points))
    return found
