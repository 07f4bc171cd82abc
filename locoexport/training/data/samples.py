"""What a tracker learns from: a clip, points asked for, and where they are in every frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Skipped", "SkippedCount", "TrainingBatch", "TrainingSample", "batch_samples"]


@dataclass(frozen=True)
class Skipped:
    """A part of a source that could not be used; ``text`` names it and says why."""

    source: str
    text: str


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One clip with its answers.

    video: float32 (T, H, W, 3) RGB in [-1, 1].
    query_points_tyx: float32 (N, 3), t a frame index, y x in pixels of the video.
    tracks_xy: float32 (N, T, 2) in pixels of the video; anything where a point is hidden.
    occluded: bool (N, T).
    judged: bool (N, T), False where the answer is not to be trusted: it enters no loss.
    name: says where it came from, for messages.
    skipped: what was passed over on the way to it.
    """

    video: NDArray[np.float32]
    query_points_tyx: NDArray[np.float32]
    tracks_xy: NDArray[np.float32]
    occluded: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    name: str
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """Samples of one size, stacked: the arrays of ``TrainingSample`` with B in front."""

    video: Tensor
    query_points_tyx: Tensor
    tracks_xy: Tensor
    occluded: Tensor
    judged: Tensor
    names: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of it: what was skipped on the way."""
        return tuple(f"Skipped: {each.text}" for each in self.skipped)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> TrainingBatch:
        """The same on another device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        return replace(
            self,
            video=move(self.video),
            query_points_tyx=move(self.query_points_tyx),
            tracks_xy=move(self.tracks_xy),
            occluded=move(self.occluded),
            judged=move(self.judged),
        )


class SkippedCount:
    """How much of each source could not be used, each thing once however often it is met.

    Worker processes make samples, and what they skipped comes with the batch: so it is counted
    where batches arrive. Of several devices each counts its own batches.
    """

    def __init__(self, skipped: Sequence[Skipped] = ()) -> None:
        """``skipped`` was found when the sources were opened."""
        self._known: set[Skipped] = set(skipped)

    def add(self, skipped: Sequence[Skipped]) -> None:
        """Count what a batch, or a source, reports."""
        self._known.update(skipped)

    @property
    def known(self) -> tuple[Skipped, ...]:
        """All that was counted, in the order of names."""
        return tuple(sorted(self._known, key=lambda each: (each.source, each.text)))

    @property
    def by_source(self) -> dict[str, int]:
        """Sources that had something skipped, by name."""
        return dict(sorted(Counter(each.source for each in self._known).items()))


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
        tuple(each for sample in samples for each in sample.skipped),
    )
