"""Bilinear interpolation of an 8×8 patch at 7×7 points of one fraction, as a matrix.

Supports and neighbourhoods are both sampled at integer steps around one point, so that all 49
points have the point's own fraction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from locoexport.models.locotrack.config import SUPPORT_SIDE

__all__ = ["PATCH_SIDE", "lerp_matrices"]

PATCH_SIDE = SUPPORT_SIDE + 1


def lerp_matrices(fraction_xy: Tensor) -> Tensor:
    """(..., 2) → (..., 49, 64): bilinear interpolation of an 8×8 patch, as a matrix.

    Its entries are linear in 1, fx, fy and fx·fy, so that all matrices come out of one product.
    """
    here = torch.eye(SUPPORT_SIDE, PATCH_SIDE, dtype=fraction_xy.dtype, device=fraction_xy.device)
    step = here.roll(1, -1) - here  # d/df of (1 - f on the diagonal, f beside it)
    terms = ((here, here), (here, step), (step, here), (step, step))  # (along y, along x)
    basis = torch.stack([torch.kron(along_y, along_x) for along_y, along_x in terms])
    x, y = fraction_xy[..., :1], fraction_xy[..., 1:]
    coefficients = torch.cat((torch.ones_like(x), x, y, x * y), -1)  # (..., 4)
    matrices = coefficients @ basis.flatten(1)  # (..., 49·64)
    return matrices.reshape(*fraction_xy.shape[:-1], SUPPORT_SIDE**2, PATCH_SIDE**2)
