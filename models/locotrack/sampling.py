"""The only place that samples feature grids.

Grids are (B, T, h, w, C). Coordinates are raster: cell centres lie at .5, so the value of cell
(row i, column j) sits at y = i + .5, x = j + .5. Time is different: frame t sits at t.
Volumetric sampling clamps to the grid (border padding); planar sampling is zero outside.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from locoexport.models.locotrack.config import SUPPORT_SIDE

__all__ = [
    "keep_grid",
    "sample_neighbourhoods",
    "sample_plane",
    "sample_supports",
    "sample_volume",
    "support_offsets_xy",
]


def support_offsets_xy(like: Tensor) -> Tensor:
    """(49, 2): the integer offsets (dx, dy) of a 7×7 support, dx running fastest."""
    reach = SUPPORT_SIDE // 2
    steps = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
    return torch.stack((steps.repeat(SUPPORT_SIDE), steps.repeat_interleave(SUPPORT_SIDE)), -1)


def sample_supports(grid: Tensor, centres_tyx: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """The 7×7 support of every query: (B, T, h, w, C), (B, N, 3) → (B, N, 49, C).

    Sampled trilinearly with border padding at the query's time (spec/model.md, section 2).
    ``size_hw`` is (h, w) as Python integers, for rewrites whose graph must hold them as constants.
    """
    offsets_tyx = F.pad(support_offsets_xy(centres_tyx).flip(-1), (1, 0))  # (49, 3): (0, dy, dx)
    points = centres_tyx[:, :, None] + offsets_tyx  # (B, N, 49, 3)
    sampled = sample_volume(grid, points.flatten(1, 2))  # (B, N·49, C)
    return sampled.reshape(*centres_tyx.shape[:2], SUPPORT_SIDE**2, grid.shape[-1])


def sample_volume(grid: Tensor, points_tyx: Tensor) -> Tensor:
    """Trilinear, border padding: (B, T, h, w, C), (B, P, 3) → (B, P, C).

    In index units: t, y - .5 and x - .5, each clamped to [0, size - 1]
    (the reference's ``map_coordinates_3d``).
    """
    frames, height, width = grid.shape[1:4]
    sizes = points_tyx.new_tensor([frames, height, width])
    shifted = points_tyx + points_tyx.new_tensor([0.5, 0.0, 0.0])
    normalised_xyt = (2 * shifted / sizes - 1).flip(-1)
    sampled = F.grid_sample(
        grid.permute(0, 4, 1, 2, 3),
        normalised_xyt[:, :, None, None],  # (B, P, 1, 1, 3)
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )  # (B, C, P, 1, 1)
    return sampled.flatten(2).transpose(1, 2)


def keep_grid(grid: Tensor) -> Tensor:
    """Nothing needs to be prepared for ``sample_neighbourhoods`` below."""
    return grid


def sample_neighbourhoods(grid: Tensor, centres_xy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """The 7×7 neighbourhood of every point in every frame, zero outside the grid.

    (B, T, h, w, C), (B, N, T, 2) → (B, N, T, 49, C) (the reference's ``map_coordinates_2d``).
    """
    points_xy = centres_xy[:, :, :, None] + support_offsets_xy(centres_xy)  # (B, N, T, 49, 2)
    by_frame = points_xy.transpose(1, 2).flatten(0, 1)  # (B·T, N, 49, 2)
    sampled = sample_plane(grid.flatten(0, 1), by_frame, size_hw)  # (B·T, C, N, 49)
    return sampled.reshape(*grid.shape[:2], *sampled.shape[1:]).permute(0, 3, 1, 4, 2)


def sample_plane(images: Tensor, points_xy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Bilinear, zeros outside: (M, h, w, C), (M, P, Q, 2) → (M, C, P, Q)."""
    sizes = points_xy.new_tensor([size_hw[1], size_hw[0]])
    return F.grid_sample(
        images.permute(0, 3, 1, 2),
        2 * points_xy / sizes - 1,
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
