"""Frames as a clip has them → images that the backbone takes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["resize_frames"]


def resize_frames(frames: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(F, H, W, 3) → float (F, 3, h, w): bilinear, align_corners False, no antialiasing.

    ``frames`` are floats in [-1, 1], or uint8, which become u8/255·2 - 1 before they are resized.
    """
    if frames.dtype == torch.uint8:
        frames = frames.float() / 255 * 2 - 1
    images = frames.permute(0, 3, 1, 2)
    if (images.shape[2], images.shape[3]) == size_hw:
        return images
    return F.interpolate(images, size_hw, mode="bilinear", align_corners=False)
