"""What a tracker's steps hand one another: grids, estimates, and the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

__all__ = ["ByLevel", "Estimate", "FeatureGrids", "TrackingResult", "count_frames"]

Value = TypeVar("Value")


@dataclass(frozen=True)
class ByLevel(Generic[Value]):
    """One value for each feature grid, in the order of ``cmdtop``."""

    hires: Value
    lowres: Value
    highest: Value

    def __iter__(self) -> Iterator[Value]:
        return iter((self.hires, self.lowres, self.highest))


@dataclass(frozen=True)
class FeatureGrids:
    """Normalised features of a clip at one resolution (height, width).

    ``grids`` are (B, T, h, w, C); ``sizes_hw`` their (h, w) as Python integers.
    """

    grids: ByLevel[Tensor]
    sizes_hw: ByLevel[tuple[int, int]]
    resolution_hw: tuple[int, int]


@dataclass(frozen=True)
class TrackingResult:
    """What the model says of every query in every frame.

    ``tracks`` (B, N, T, 2) as (x, y) in pixels of the video; ``occlusion`` and ``expected_dist``
    (B, N, T) logits. The ``unrefined_*`` hold the state before each refinement, the initial one
    first.
    """

    tracks: Tensor
    occlusion: Tensor
    expected_dist: Tensor
    unrefined_tracks: tuple[Tensor, ...]
    unrefined_occlusion: tuple[Tensor, ...]
    unrefined_expected_dist: tuple[Tensor, ...]

    @classmethod
    def of(
        cls,
        final: Estimate,
        history: Sequence[Estimate],
        initial_hw: tuple[int, int],
        video_hw: tuple[int, int],
    ) -> TrackingResult:
        """The last state and those before it, their positions in pixels of the video."""
        scale = final.positions_xy.new_tensor(
            [video_hw[1] / initial_hw[1], video_hw[0] / initial_hw[0]]
        )
        return cls(
            final.positions_xy * scale,
            final.occlusion,
            final.expected_dist,
            tuple(state.positions_xy * scale for state in history),
            tuple(state.occlusion for state in history),
            tuple(state.expected_dist for state in history),
        )

    @property
    def visible(self) -> Tensor:
        """(B, N, T) bool: 1 - (1 - σ(occlusion))·(1 - σ(expected_dist)) ≤ 0.5."""
        seen = torch.sigmoid(-self.occlusion) * torch.sigmoid(-self.expected_dist)
        return 1 - seen <= 0.5


@dataclass(frozen=True)
class Estimate:
    """A state of the tracks: positions in pixels of the initial resolution."""

    positions_xy: Tensor  # (B, N, T, 2)
    occlusion: Tensor  # (B, N, T)
    expected_dist: Tensor  # (B, N, T)

    def detached(self) -> Estimate:
        """The same numbers, through which no gradient flows."""
        return Estimate(
            self.positions_xy.detach(), self.occlusion.detach(), self.expected_dist.detach()
        )


def count_frames(grid: Tensor) -> Tensor:
    """(T,) float frame indices 0..T-1 of a (B, T, ...) grid; its length follows the grid's."""
    return torch.arange(grid.shape[1], dtype=grid.dtype, device=grid.device)
