"""Everything that compares features: cost volume, soft-argmax, local 4D correlation, its CNN.

Paper: arXiv 2407.15420, sections 3.1 (initialisation) and 3.2 (local all-pair correspondence).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack.config import SUPPORT_SIDE, CorrelationConfig
from locoexport.models.locotrack.padding import same_output_hw, same_padding

__all__ = [
    "NEAR_SQUARED",
    "TEMPERATURE",
    "CorrelationNetwork",
    "centre_near_peak",
    "correlate_globally",
    "correlate_locally",
    "embed_correlation",
    "resize_planes",
    "same_conv2d",
    "soft_argmax",
]

TEMPERATURE = 20.0
NEAR_SQUARED = 25.0
_SMALLEST_WEIGHT = 1e-12
_GROUP_CHANNELS = 16


def correlate_globally(queries: Tensor, grid: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Cost volume: (B, N, C), (B, T, h, w, C) → (B, N, T, h, w), where (h, w) is ``size_hw``."""
    costs = queries @ grid.flatten(1, 3).transpose(1, 2)  # (B, N, T·h·w)
    return costs.reshape(*queries.shape[:2], -1, *size_hw)


def resize_planes(planes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Bilinear, align_corners False, no antialias: (M, h, w) → (M, *size_hw)."""
    resized = F.interpolate(planes[:, None], size_hw, mode="bilinear", align_corners=False)
    return resized[:, 0]


def soft_argmax(heatmaps: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """(M, h, w) → (M, 2) as (x, y) in cells, cell centres at .5.

    Softmax of 20 times the heatmap; the mean of the cells closer than 5 to the largest one,
    weighted by it.
    """
    weights = torch.softmax(TEMPERATURE * heatmaps.flatten(1), dim=-1)  # (M, h·w)
    return centre_near_peak(weights, grid_hw)


def centre_near_peak(weights: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """(M, h·w) → (M, 2) as (x, y): the weighted mean of the cells near the largest weight."""
    height, width = grid_hw
    x = torch.arange(width, dtype=weights.dtype, device=weights.device) + 0.5
    y = torch.arange(height, dtype=weights.dtype, device=weights.device) + 0.5
    peak = weights.argmax(-1)
    x_away = (x - x[peak % width][:, None]).square()  # (M, w)
    y_away = (y - y[peak // width][:, None]).square()  # (M, h)
    near = x_away[:, None, :] + y_away[:, :, None] < NEAR_SQUARED  # (M, h, w)
    weights = weights.reshape(-1, height, width) * near
    columns, rows = weights.sum(1), weights.sum(2)  # (M, w), (M, h)
    total = rows.sum(-1).clamp(min=_SMALLEST_WEIGHT)
    return torch.stack((columns @ x, rows @ y), -1) / total[:, None]


def correlate_locally(neighbourhoods: Tensor, supports: Tensor) -> tuple[Tensor, Tensor]:
    """All-pair correlation of two 7×7 patches, as two stacks of 49-channel images.

    (B, N, T, 49, C), (B, N, 49, C) → twice (B·N·T, 49, 7, 7): neighbourhood positions as the
    image and support positions as the channels, then the reverse.
    """
    supports = supports[:, :, None]
    by_support = supports @ neighbourhoods.transpose(-1, -2)  # (B, N, T, 49 supp., 49 neighb.)
    images = by_support.flatten(0, 2)
    shape = (-1, SUPPORT_SIDE**2, SUPPORT_SIDE, SUPPORT_SIDE)
    return images.reshape(shape), images.transpose(1, 2).reshape(shape)


def embed_correlation(
    network: CorrelationNetwork, neighbourhoods: Tensor, supports: Tensor
) -> Tensor:
    """The embedding of two patches' correlation, both ways round, by ``network``.

    (B, N, T, 49, C), (B, N, 49, C) → (B·N·T, 2·C').
    """
    embedded: Tensor = network(correlate_locally(neighbourhoods, supports))
    return embedded


def same_conv2d(x: Tensor, conv: nn.Conv2d, size_hw: tuple[int, int]) -> Tensor:
    """A "SAME"-padded convolution of (M, C, h, w), where (h, w) is ``size_hw``."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    (top, bottom), (left, right) = (same_padding(side, kernel, stride) for side in size_hw)
    if top == bottom and left == right:
        return F.conv2d(x, conv.weight, conv.bias, stride=stride, padding=(top, left))
    return F.conv2d(F.pad(x, (left, right, top, bottom)), conv.weight, conv.bias, stride=stride)


class CorrelationNetwork(nn.Module):
    """``cmdtop``: strided convolutions, GroupNorm and ReLU over 49-channel 7×7 images."""

    def __init__(self, config: CorrelationConfig) -> None:
        """One convolution and one GroupNorm a row of ``config``."""
        super().__init__()
        channels = (SUPPORT_SIDE**2, *config.out_channels)
        self.conv = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, kernel, stride=stride),
                nn.GroupNorm(after // _GROUP_CHANNELS, after),
            )
            for before, after, kernel, stride in zip(
                channels, config.out_channels, config.kernels, config.strides, strict=False
            )
        )

    def forward(self, images: tuple[Tensor, Tensor]) -> Tensor:
        """Two stacks (M, 49, 7, 7) through the same network → (M, 2·C)."""
        x = torch.cat(images)  # (2·M, 49, 7, 7)
        size_hw = (SUPPORT_SIDE, SUPPORT_SIDE)
        for layer in self.conv:
            conv, norm = layer[0], layer[1]  # type: ignore[index]
            x = F.relu(norm(same_conv2d(x, conv, size_hw)))
            size_hw = same_output_hw(size_hw, conv.stride[0])
        embeddings = x.mean((-2, -1)).reshape(2, -1, x.shape[1])  # (2, M, C)
        return torch.cat((embeddings[0], embeddings[1]), -1)
