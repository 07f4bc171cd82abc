"""Boxes around things: of one frame, of a whole video, and how much two of them overlap.

A box is (x0, y0, x1, y1) in the video's pixels: its left, upper, right and lower edge, so that the
whole of a 176 pixels wide and 144 pixels high frame is (0, 0, 176, 144).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError

__all__ = ["NO_OBJECT", "Boxes", "Detections", "box_overlaps", "clip_boxes", "gather_detections"]

NO_OBJECT = -1
"""The object id of what belongs to no object, or to one that is not known yet."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """What a detector sees in one frame.

    Attributes:
        xyxy: float32 (boxes, 4) as (x0, y0, x1, y1) in the frame's pixels; x0 < x1, y0 < y1.
            A box may reach outside the frame.
        confidence: float32 (boxes,) in 0..1.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Raises InputError where types, shapes or values are wrong."""
        count = len(self.xyxy) if self.xyxy.ndim else 0
        for name, array, shape in (
            ("xyxy", self.xyxy, (count, 4)),
            ("confidence", self.confidence, (count,)),
        ):
            if array.dtype != np.float32 or array.shape != shape:
                raise InputError(
                    f"Boxes: {name} is {array.dtype} of shape {array.shape}; expected float32 of "
                    f"shape {shape}."
                )
        # `not right` rather than `wrong`, so that NaN counts as wrong.
        right = np.isfinite(self.xyxy).all(axis=1) & (self.xyxy[:, :2] < self.xyxy[:, 2:]).all(1)
        right &= (self.confidence >= 0) & (self.confidence <= 1)
        if not right.all():
            index = int(np.argmin(right))
            raise InputError(
                f"Box {index} is {self.xyxy[index].tolist()} with confidence "
                f"{self.confidence[index]:g}; it must be x0,y0,x1,y1 with x0 < x1 and y0 < y1, and "
                "a confidence from 0 to 1."
            )

    @classmethod
    def of(cls, xyxy: Any, confidence: Any = None) -> Boxes:
        """Boxes from nested lists or arrays of any number type; confidence 1 where none is given.

        Raises:
            InputError: they are no boxes.
        """
        try:
            corners = np.asarray(xyxy, np.float32)
            corners = corners.reshape(0, 4) if corners.size == 0 else corners
            certain = np.ones(len(corners), np.float32)
            trust = certain if confidence is None else np.asarray(confidence, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"These are not boxes x0,y0,x1,y1: {error}.") from error
        return cls(corners, trust)

    def __len__(self) -> int:
        """How many boxes there are."""
        return len(self.xyxy)


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of a whole video.

    Attributes:
        frames: int64 (boxes,), the frame index of each box.
        boxes: the boxes.
        object_ids: int64 (boxes,); ``NO_OBJECT`` where it is not known which object a box shows.
    """

    frames: NDArray[np.int64]
    boxes: Boxes
    object_ids: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raises InputError where types or shapes are wrong, or an object is twice in a frame."""
        for name, array in (("frames", self.frames), ("object_ids", self.object_ids)):
            if array.dtype != np.int64 or array.shape != (len(self.boxes),):
                raise InputError(
                    f"Detections: {name} is {array.dtype} of shape {array.shape}; expected int64 "
                    f"of shape ({len(self.boxes)},)."
                )
        if (self.frames < 0).any() or (self.object_ids < NO_OBJECT).any():
            raise InputError("Frame indices and object ids are 0 or more.")
        known = self.object_ids != NO_OBJECT
        pairs = np.stack([self.object_ids, self.frames], axis=1)[known]
        unique, counts = np.unique(pairs, axis=0, return_counts=True)
        if (counts > 1).any():
            object_id, frame = unique[np.argmax(counts)].tolist()
            raise InputError(
                f"Object {object_id} has {counts.max()} boxes in frame {frame}; it can have one."
            )

    def __len__(self) -> int:
        """How many boxes there are, over all frames."""
        return len(self.boxes)

    def select(self, kept: NDArray[Any]) -> Detections:
        """The boxes of an index or of a bool array."""
        boxes = Boxes(self.boxes.xyxy[kept], self.boxes.confidence[kept])
        return Detections(self.frames[kept], boxes, self.object_ids[kept])


def gather_detections(parts: Sequence[Detections]) -> Detections:
    """Several sources of boxes as one, in their order; none gives no boxes.

    Raises:
        InputError: two sources have a box of one object in one frame.
    """
    xyxy = [part.boxes.xyxy for part in parts] or [np.zeros((0, 4), np.float32)]
    confidence = [part.boxes.confidence for part in parts] or [np.zeros(0, np.float32)]
    none = [np.zeros(0, np.int64)]
    return Detections(
        np.concatenate([part.frames for part in parts] or none),
        Boxes(np.concatenate(xyxy), np.concatenate(confidence)),
        np.concatenate([part.object_ids for part in parts] or none),
    )


def clip_boxes(boxes: Boxes, height: int, width: int) -> Boxes:
    """Cut boxes to a frame; those that do not touch it are left out."""
    limits = np.array([width, height, width, height], np.float32)
    cut = np.clip(boxes.xyxy, 0, limits)
    kept = (cut[:, :2] < cut[:, 2:]).all(axis=1)
    return Boxes(cut[kept], boxes.confidence[kept])


def box_overlaps(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of every box with every other, float64 (boxes, other boxes).

    Args:
        one: float32 (boxes, 4).
        other: float32 (other boxes, 4).
    """
    a, b = one[:, None].astype(np.float64), other[None].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b)]
    overlaps: NDArray[np.float64] = shared / (areas[0] + areas[1] - shared)
    return overlaps
