"""Soft-argmax over the cells near the peak alone.

Replaces: ``locotrack.correlation.soft_argmax``: softmax over all cells, then a mean over the cells
within squared distance < 25 of the largest, weighted by it.

Identity: the softmax's normaliser stands in the numerator and the denominator of that mean and
cancels: exp(20·(heatmap - its largest)) on the 69 cells of the disk is enough. Softmax keeps
order, so that its argmax is the heatmap's. The floor of 1e-12 under the sum of weights is never
reached: the largest of h·w softmax weights is at least 1/(h·w).

Why: ten passes over every heatmap (6 million cells at 24 frames, 64 points and 64×64) become one,
the argmax.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.correlation import NEAR_SQUARED, TEMPERATURE

__all__ = ["rewrite", "soft_argmax"]

_REACH = 4


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model over the same weights that looks near the peaks alone."""
    return model.with_operations(replace(model.operations, soft_argmax=soft_argmax))


def soft_argmax(heatmaps: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """(M, h, w) → (M, 2) as (x, y) in cells, cell centres at .5; equal to the reference."""
    height, width = grid_hw
    cells = heatmaps.flatten(1)  # (M, h·w)
    peak = cells.argmax(-1, keepdim=True)  # (M, 1)
    offsets_xy = _disk(heatmaps.device)
    x = peak % width + offsets_xy[0]  # (M, 69)
    y = peak // width + offsets_xy[1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    near = cells.gather(1, y.clamp(0, height - 1) * width + x.clamp(0, width - 1))
    weights = torch.exp(TEMPERATURE * (near - cells.gather(1, peak))) * inside
    total = weights.sum(-1, keepdim=True)
    # Offsets from the peak are small numbers: their mean keeps its last digits.
    offsets = offsets_xy.to(heatmaps.dtype)
    centre = torch.cat((peak % width, peak // width), -1).to(heatmaps.dtype) + 0.5
    return centre + weights @ offsets.T / total


def _disk(device: torch.device) -> Tensor:
    """(2, 69) integer offsets (x, y) with x² + y² < 25."""
    steps = torch.arange(-_REACH, _REACH + 1, device=device)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    near = x * x + y * y < NEAR_SQUARED
    return torch.stack((x[near], y[near]))
