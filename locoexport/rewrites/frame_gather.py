"""The resize of frames as gathered corners and two lerps; no Resize at all.

Replaces: ``locotrack.frames.resize_frames`` (u8/255·2 - 1, then bilinear, align_corners False, no
antialiasing), for exports that take frames of any size, or look at them at two levels.

Identity: a bilinear resize reads four pixels for each pixel that it writes, at the crossings of two
rows and two columns that depend on sizes alone; beyond the border both are the border's. Weights
of a lerp sum to one, so that it may come before the normalisation, which is linear.

Why: only the pixels that are read become floats: of a frame of 1080x1920, 0.8 million in place of
6.2. ONNX's Resize takes floats, and computes coordinates at scales rounded to float32; here they
are exact where the working resolution is a power of two.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from locoexport.models.locotrack import LocoTrack

__all__ = ["resize_frames", "rewrite"]


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model over the same weights that gathers what a resize reads."""
    return model.with_operations(replace(model.operations, resize_frames=resize_frames))


def resize_frames(frames: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(F, H, W, 3) uint8, or float in [-1, 1] → float (F, 3, h, w); equal to the reference."""
    upper, lower, down = _neighbours(frames.shape[1], size_hw[0])
    left, right, across = _neighbours(frames.shape[2], size_hw[1])
    rows = frames.index_select(1, upper), frames.index_select(1, lower)
    above, below = (_lerp(row, left, right, across[:, None]) for row in rows)
    levels = above + (below - above) * down[:, None, None]
    if frames.dtype == torch.uint8:
        levels = levels * (2 / 255) - 1
    return levels.permute(0, 3, 1, 2)


def _lerp(rows: Tensor, left: Tensor, right: Tensor, fraction: Tensor) -> Tensor:
    """Between two columns of pixels: (F, h, W, 3) → (F, h, w, 3)."""
    first = rows.index_select(2, left).float()
    return first + (rows.index_select(2, right).float() - first) * fraction


def _neighbours(size_in: int, size_out: int) -> tuple[Tensor, Tensor, Tensor]:
    """Along one axis, for each pixel that is written: the two that are read, and the lerp's
    fraction between them. Nothing but ``size_in`` may be a traced size.
    """
    centres = torch.arange(size_out, dtype=torch.float32) + 0.5
    source = (centres * size_in / size_out - 0.5).clamp(min=0)
    first = source.floor()  # at most size_in - 1: the last source is below size_in - 0.5
    second = first + (first < size_in - 1).float()
    return first.long(), second.long(), source - first
