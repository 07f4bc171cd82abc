"""The original LocoTrack's backbone: a pre-activation ResNet with instance normalisation.

Source: github cvlab-kaist/locotrack (Apache-2.0); the network is TAPIR's (arXiv 2306.08637).
Padding is TF "SAME" for the size at hand.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack.config import BackboneConfig
from locoexport.models.locotrack.padding import same_output_hw, same_padding

__all__ = ["ResNetFeatures"]

_CHANNELS = (64, 128, 256, 256)
_STRIDES = (1, 2, 2, 1)
_BLOCKS_PER_GROUP = 2


class ResNetFeatures(nn.Module):
    """The three tapped grids of the ResNet: highest, hires, lowres (finest first)."""

    def __init__(self, config: BackboneConfig) -> None:
        """Builds all four groups."""
        super().__init__()
        self.initial_conv = nn.Conv2d(3, 64, 7, stride=2, bias=False)
        self.block_groups = nn.ModuleList(
            _BlockGroup(before, after, stride)
            for before, after, stride in zip((64, *_CHANNELS), _CHANNELS, _STRIDES, strict=False)
        )
        self._taps = (config.highest, config.hires, config.lowres)

    def forward(self, images: Tensor, image_hw: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, H, W) in [-1, 1] → three (N, C, h, w), finest first.

        ``image_hw`` is (H, W) as Python integers: padding depends on it.
        """
        x, size = _same_conv(self.initial_conv, images, image_hw)
        tapped = []
        for group in self.block_groups:
            x, size = group(x, size)
            tapped.append(x)
        highest, hires, lowres = (tapped[tap.index] for tap in self._taps)
        return highest, hires, lowres

    def grid_sizes(
        self, height: int, width: int
    ) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """(height, width) of the three grids for an image of that size, in cells."""
        size = same_output_hw((height, width), 2)
        sizes = []
        for stride in _STRIDES:
            size = same_output_hw(size, stride)
            sizes.append(size)
        highest, hires, lowres = (sizes[tap.index] for tap in self._taps)
        return highest, hires, lowres


class _BlockGroup(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _PreActivationBlock(
                in_channels if index == 0 else out_channels,
                out_channels,
                stride if index == 0 else 1,
                projects=index == 0,
            )
            for index in range(_BLOCKS_PER_GROUP)
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        for block in self.blocks:
            x, size = block(x, size)
        return x, size


class _PreActivationBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int, *, projects: bool) -> None:
        super().__init__()
        if projects:
            self.proj_conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
        self.bn_0 = nn.InstanceNorm2d(in_channels, eps=1e-5, affine=True)
        self.conv_0 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, bias=False)
        self.conv_1 = nn.Conv2d(out_channels, out_channels, 3, bias=False)
        self.bn_1 = nn.InstanceNorm2d(out_channels, eps=1e-5, affine=True)
        self._projects = projects

    def forward(self, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        shortcut = x
        x = F.relu(self.bn_0(x))
        if self._projects:
            shortcut, _ = _same_conv(self.proj_conv, x, size)
        x, size = _same_conv(self.conv_0, x, size)
        x = F.relu(self.bn_1(x))
        x, size = _same_conv(self.conv_1, x, size)
        return x + shortcut, size


def _same_conv(conv: nn.Conv2d, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    (top, bottom), (left, right) = (same_padding(side, kernel, stride) for side in size)
    if top == bottom and left == right:
        x = F.conv2d(x, conv.weight, conv.bias, stride=stride, padding=(top, left))
    else:
        x = conv(F.pad(x, (left, right, top, bottom)))
    return x, same_output_hw(size, stride)
