"""Objects through a whole clip: a box in every frame in which the object can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.runtime.objects.boxes import NO_OBJECT
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["BoxSource", "ObjectTracks", "TrackedObject"]


class BoxSource(IntEnum):
    """Where an object's box in a frame comes from."""

    LOST = 0
    """There is none: too few of its points can be seen."""
    DETECTED = 1
    """A detector, or the boxes that were given."""
    TRACKED = 2
    """The object's points, in a frame in which the detector lost it."""


@dataclass(frozen=True, eq=False)
class TrackedObject:
    """One object through a clip of T frames.

    Attributes:
        object_id: 0 or more.
        boxes_xyxy: float32 (T, 4), within the frame; NaN where the object is lost.
        source: uint8 (T,), ``BoxSource`` values.
        confidence: float32 (T,) in 0..1: the detector's where it saw the object, the share of
            its points that are visible where they carry the box, 0 where it is lost.
        hulls_xy: for each frame the convex hull of the object's visible points, float32
            (corners, 2); no corners where fewer than 3 points are visible or it is lost.
    """

    object_id: int
    boxes_xyxy: NDArray[np.float32]
    source: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    hulls_xy: tuple[NDArray[np.float32], ...]

    def __post_init__(self) -> None:
        """Raises InputError where types or shapes do not fit together."""
        frames = len(self.source)
        expected: tuple[tuple[str, NDArray[Any], type[np.generic], tuple[int, ...]], ...] = (
            ("boxes_xyxy", self.boxes_xyxy, np.float32, (frames, 4)),
            ("source", self.source, np.uint8, (frames,)),
            ("confidence", self.confidence, np.float32, (frames,)),
        )
        for name, array, dtype, shape in expected:
            if array.dtype != dtype or array.shape != shape:
                raise InputError(
                    f"Object {self.object_id}: {name} is {array.dtype} of shape {array.shape}; "
                    f"expected {np.dtype(dtype)} of shape {shape}."
                )
        if len(self.hulls_xy) != frames:
            raise InputError(
                f"Object {self.object_id} has {len(self.hulls_xy)} hulls and {frames} frames."
            )

    def frames_of(self, source: BoxSource) -> int:
        """In how many frames the box comes from there."""
        return int((self.source == source).sum())


@dataclass(frozen=True, eq=False)
class ObjectTracks:
    """Objects, and all tracked points.

    Attributes:
        tracks: of all points. The points of objects are also invisible in frames in which they
            are outliers (``mark_outliers``), whatever their confidence.
        object_ids: int64 (points,), the object of each point; ``NO_OBJECT`` for points that were
            asked for by themselves. Objects of a mask have points and no box.
        objects: in the order of their ids.
        spans: int64 (points, 2), from which frame to before which one a point stands for its
            object; elsewhere it is invisible, and of no meaning. None: through the whole clip.
    """

    tracks: Tracks
    object_ids: NDArray[np.int64]
    objects: tuple[TrackedObject, ...]
    spans: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Raises InputError where ids, points and frames do not fit together."""
        if self.object_ids.dtype != np.int64 or self.object_ids.shape != (self.tracks.points,):
            raise InputError(
                f"object_ids is {self.object_ids.dtype} of shape {self.object_ids.shape}; expected "
                f"int64 of shape ({self.tracks.points},)."
            )
        if self.spans is not None and self.spans.shape != (self.tracks.points, 2):
            raise InputError(f"spans has the shape {self.spans.shape}; it is (points, 2).")
        if (self.object_ids < NO_OBJECT).any():
            raise InputError("Some points belong to objects of numbers below 0.")
        if any(len(item.source) != self.tracks.frames for item in self.objects):
            raise InputError("The objects and the tracks have different numbers of frames.")

    @property
    def visible_share(self) -> float:
        """How much of the time points are visible, 0..1, of the frames in which they count."""
        tracks = self.tracks
        due = tracks.visible.size if self.spans is None else int(np.diff(self.spans).sum())
        return float(tracks.visible.sum() / max(due, 1))
