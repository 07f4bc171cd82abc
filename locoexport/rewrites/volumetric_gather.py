"""5D ``grid_sample`` of query features as gathered rows and weights; no GridSample at all.

Replaces: ``locotrack.sampling.sample_supports`` (trilinear, border padding, align_corners False).

Identity: the 49 points of a support share one fractional offset, so that their corners are the
8×8 integer cells around the query in two neighbouring frames, and all three interpolations are one
fixed linear map of these 128 cells. Clamping the INDEX of a corner equals clamping the coordinate:
beyond the border both corners are the border cell.

Why: see ``volumetric_planar``; and the cost does not grow with the number of frames.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.config import SUPPORT_SIDE
from locoexport.rewrites.neighbourhood_gather import PATCH_SIDE, lerp_matrices
from locoexport.rewrites.volumetric_planar import neighbouring_frames

__all__ = ["rewrite", "sample_supports"]


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model over the same weights that gathers query features."""
    return model.with_operations(replace(model.operations, sample_supports=sample_supports))


def sample_supports(grid: Tensor, centres_tyx: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(B, T, h, w, C), (B, N, 3) → (B, N, 49, C); equal to the reference everywhere."""
    height, width = size_hw
    first, second, fraction = neighbouring_frames(grid, centres_tyx[..., 0])
    corner = centres_tyx[..., 1:] - 0.5  # (B, N, 2) as (y, x), in index units
    floor = corner.floor()
    steps = torch.arange(PATCH_SIDE, device=grid.device) - SUPPORT_SIDE // 2
    y = (floor[..., :1].long() + steps).clamp(0, height - 1)  # (B, N, 8)
    x = (floor[..., 1:].long() + steps).clamp(0, width - 1)
    cells = (y[..., :, None] * width + x[..., None, :]).flatten(-2)  # (B, N, 64)
    cells = torch.cat(
        (first[..., None] * (height * width) + cells, second[..., None] * (height * width) + cells),
        -1,
    )  # (B, N, 128)
    patches = grid.flatten(0, 3)[cells]  # (B, N, 128, C)
    in_plane = lerp_matrices((corner - floor).flip(-1))  # (B, N, 49, 64)
    after = fraction[..., None, None]
    return torch.cat((in_plane * (1 - after), in_plane * after), -1) @ patches
