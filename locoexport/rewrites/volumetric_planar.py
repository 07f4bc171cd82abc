"""5D ``grid_sample`` of query features as 4D GridSample and a gathered lerp in time.

Replaces: ``locotrack.sampling.sample_supports`` (trilinear, border padding, align_corners False).

Identity: trilinear interpolation is bilinear interpolation in each of two neighbouring frames,
then linear interpolation between the two; border padding clamps each coordinate by itself. In
index units the frame index is t itself, clamped to [0, T - 1].

Why: GridSample of rank 5 enters ONNX with opset 20; OpenVINO, CoreML, DirectML, WebGPU, ONNX
Runtime's CUDA kernel before 1.25 and TensorRT before 11.2 do not have it. Four-dimensional
GridSample they have, from opset 16.

Cost: every query is sampled in every frame (frames are the batch) although two are kept.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.sampling import support_offsets_xy

__all__ = ["neighbouring_frames", "rewrite", "sample_supports"]


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model over the same weights that samples query features plane by plane."""
    return model.with_operations(replace(model.operations, sample_supports=sample_supports))


def sample_supports(grid: Tensor, centres_tyx: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(B, T, h, w, C), (B, N, 3) → (B, N, 49, C); equal to the reference everywhere."""
    frames = grid.shape[1]
    points_xy = centres_tyx[:, :, None, [2, 1]] + support_offsets_xy(centres_tyx)
    sizes = points_xy.new_tensor([size_hw[1], size_hw[0]])
    normalised = 2 * points_xy / sizes - 1  # (B, N, 49, 2)
    by_frame = normalised[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
    sampled = F.grid_sample(
        grid.flatten(0, 1).permute(0, 3, 1, 2),
        by_frame,
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )  # (B·T, C, N, 49)
    rows = sampled.permute(0, 2, 3, 1).flatten(2)  # (B·T, N, 49·C)
    points = rows.shape[1]
    rows = rows.flatten(0, 1)  # (B·T·N, 49·C)
    first, second, fraction = neighbouring_frames(grid, centres_tyx[..., 0])
    column = torch.arange(points, device=grid.device)
    before = rows[(first * points + column).flatten()]
    after = rows[(second * points + column).flatten()]
    blended = torch.lerp(before, after, fraction.reshape(-1, 1))
    return blended.reshape(centres_tyx.shape[0], points, -1, grid.shape[-1])


def neighbouring_frames(grid: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The frames before and after t (B, N), as indices into B·T frames, and the fraction."""
    batch, frames = grid.shape[:2]
    # The last frame as a tensor, so that a traced graph follows the number of frames.
    last = torch.arange(frames, dtype=t.dtype, device=t.device)[-1]
    clamped = torch.minimum(t.clamp(min=0), last)
    floor = clamped.floor()
    start = torch.arange(batch, device=t.device)[:, None] * frames
    first = floor.long() + start
    second = torch.minimum(floor + 1, last).long() + start
    return first, second, clamped - floor
