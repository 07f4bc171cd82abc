"""4D ``grid_sample`` of 7×7 neighbourhoods as gathered 8×8 patches and one product.

Replaces: ``locotrack.sampling.sample_neighbourhoods`` (bilinear, zeros outside).

Identity: the 49 points of a neighbourhood share one fractional offset, so that bilinear sampling
is one fixed linear map of the 8×8 integer cells around the point. Cells outside the grid are zero:
the grid is framed by one cell of zeros once, and every index outside is clamped into that frame.

Why: GridSample in channels-last data costs transposes that dwarf it; and ``--sampling gather``
promises no GridSample at all.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.config import SUPPORT_SIDE

__all__ = ["PATCH_SIDE", "frame_grid", "lerp_matrices", "rewrite", "sample_neighbourhoods"]

PATCH_SIDE = SUPPORT_SIDE + 1


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model over the same weights that gathers neighbourhoods."""
    operations = replace(
        model.operations, prepare_grid=frame_grid, sample_neighbourhoods=sample_neighbourhoods
    )
    return model.with_operations(operations)


def frame_grid(grid: Tensor) -> Tensor:
    """(B, T, h, w, C) → (B, T, h + 2, w + 2, C), zero all around."""
    return F.pad(grid, (0, 0, 1, 1, 1, 1))


def sample_neighbourhoods(framed: Tensor, centres_xy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(B, T, h + 2, w + 2, C), (B, N, T, 2) → (B, N, T, 49, C); equal to the reference."""
    height, width = size_hw[0] + 2, size_hw[1] + 2
    corner = centres_xy - 0.5  # (B, N, T, 2) in index units of the unframed grid
    floor = corner.floor()
    # A NaN has no cell; its fraction stays NaN, and so does what it samples.
    somewhere = torch.where(floor == floor, floor, 0.0)
    cells = _patch_rows(framed, somewhere, height=height, width=width)  # (B, N, T, 64)
    patches = framed.flatten(0, 3)[cells]  # (B, N, T, 64, C)
    return lerp_matrices(corner - floor) @ patches


def lerp_matrices(fraction_xy: Tensor) -> Tensor:
    """(..., 2) → (..., 49, 64): bilinear interpolation of an 8×8 patch, as a matrix.

    It gives the values at 7×7 points of one fraction: supports and neighbourhoods are both sampled
    at integer steps around one point. Its entries are linear in 1, fx, fy and fx·fy, so that all
    matrices come out of one product.
    """
    here = torch.eye(SUPPORT_SIDE, PATCH_SIDE, dtype=fraction_xy.dtype, device=fraction_xy.device)
    step = here.roll(1, -1) - here  # d/df of (1 - f on the diagonal, f beside it)
    terms = ((here, here), (here, step), (step, here), (step, step))  # (along y, along x)
    basis = torch.stack([torch.kron(along_y, along_x) for along_y, along_x in terms])
    x, y = fraction_xy[..., :1], fraction_xy[..., 1:]
    coefficients = torch.cat((torch.ones_like(x), x, y, x * y), -1)  # (..., 4)
    matrices = coefficients @ basis.flatten(1)  # (..., 49·64)
    return matrices.reshape(*fraction_xy.shape[:-1], SUPPORT_SIDE**2, PATCH_SIDE**2)


def _patch_rows(framed: Tensor, floor_xy: Tensor, *, height: int, width: int) -> Tensor:
    """Row numbers of the 8×8 cells around each point, in the flattened framed grid."""
    batch, frames = framed.shape[:2]
    # 1 for the frame of zeros; clamped before the conversion, so that no coordinate overflows.
    steps = torch.arange(PATCH_SIDE, device=framed.device) - SUPPORT_SIDE // 2 + 1
    x = (floor_xy[..., :1] + steps).clamp(0, width - 1).long()  # (B, N, T, 8)
    y = (floor_xy[..., 1:] + steps).clamp(0, height - 1).long()
    image = torch.arange(batch, device=framed.device)[:, None] * frames
    image = image + torch.arange(frames, device=framed.device)  # (B, T)
    y = y + (image * height)[:, None, :, None]
    return (y[..., :, None] * width + x[..., None, :]).flatten(-2)
