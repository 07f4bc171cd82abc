"""What a tracker learns from: a clip, points asked for, and where they are in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["TrainingBatch", "TrainingSample", "batch_samples"]


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One clip with its answers.

    video: float32 (T, H, W, 3) RGB in [-1, 1].
    query_points_tyx: float32 (N, 3), t a frame index, y x in pixels of the video.
    tracks_xy: float32 (N, T, 2) in pixels of the video; anything where a point is hidden.
    occluded: bool (N, T).
    judged: bool (N, T), False where the answer is not to be trusted: it enters no loss.
    name: says where it came from, for messages.
    remarks: what a person should know of it, such as a record that was skipped.
    """

    video: NDArray[np.float32]
    query_points_tyx: NDArray[np.float32]
    tracks_xy: NDArray[np.float32]
    occluded: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    name: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """Samples of one size, stacked: the arrays of ``TrainingSample`` with B in front."""

    video: Tensor
    query_points_tyx: Tensor
    tracks_xy: Tensor
    occluded: Tensor
    judged: Tensor
    names: tuple[str, ...]
    remarks: tuple[str, ...]

    def to(self, device: torch.device, *, non_blocking: bool = False) -> TrainingBatch:
        """The same on another device."""
        moved = {
            field.name: value.to(device, non_blocking=non_blocking)
            if isinstance(value := getattr(self, field.name), Tensor)
            else value
            for field in fields(self)
        }
        return TrainingBatch(**moved)


def batch_samples(samples: Sequence[TrainingSample]) -> TrainingBatch:
    """Samples of equal sizes as one batch."""

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))

    return TrainingBatch(
        stack("video"),
        stack("query_points_tyx"),
        stack("tracks_xy"),
        stack("occluded"),
        stack("judged"),
        tuple(sample.name for sample in samples),
        tuple(remark for sample in samples for remark in sample.remarks),
    )
