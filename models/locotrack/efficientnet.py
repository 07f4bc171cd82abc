"""EfficientNet up to its last tap, with the reference's static padding.

Network: Tan & Le, arXiv 1905.11946, in the layout of PyPI efficientnet-pytorch 0.7.1 (key names).
The trap: each convolution pads as TF "SAME" would for a NOMINAL image size, whatever size it is
fed, so padding is a constant of the network and not a function of its input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack.config import BackboneConfig, Tap
from locoexport.models.locotrack.padding import same_output_hw, same_padding

__all__ = ["EfficientNetFeatures", "MBConvBlock", "PaddedConv2d"]

_BATCH_NORM_EPS = 1e-3
_BATCH_NORM_MOMENTUM = 0.01
_SQUEEZE_RATIO = 0.25


@dataclass(frozen=True)
class _Group:
    """A row of EfficientNet-B0's block table."""

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int


_B0_GROUPS = (
    _Group(3, 1, 1, 16, 1),
    _Group(3, 2, 6, 24, 2),
    _Group(5, 2, 6, 40, 2),
    _Group(3, 2, 6, 80, 3),
    _Group(5, 1, 6, 112, 3),
    _Group(5, 2, 6, 192, 4),
    _Group(3, 1, 6, 320, 1),
)


class PaddedConv2d(nn.Conv2d):
    """A convolution whose (possibly uneven) zero padding was fixed for a nominal input size.

    ``pad_ltrb`` is (left, top, right, bottom) in cells. Even padding is left to the convolution;
    uneven padding is a copy, since torch's convolution cannot do it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        nominal_hw: tuple[int, int],
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        """``nominal_hw`` is the (height, width) that the nominal image would have here."""
        top, bottom = same_padding(nominal_hw[0], kernel, stride)
        left, right = same_padding(nominal_hw[1], kernel, stride)
        even = top == bottom and left == right
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            groups=groups,
            bias=bias,
            padding=(top, left) if even else 0,
        )
        self.pad_ltrb = (left, top, right, bottom)
        self._pad_first = None if even else (left, right, top, bottom)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H', W')."""
        if self._pad_first is not None:
            x = F.pad(x, self._pad_first)
        return super().forward(x)

    def output_hw(self, height: int, width: int) -> tuple[int, int]:
        """The size of the output for an input of that size, in cells."""
        left, top, right, bottom = self.pad_ltrb
        kernel, stride = self.kernel_size[0], self.stride[0]
        return (
            (height + top + bottom - kernel) // stride + 1,
            (width + left + right - kernel) // stride + 1,
        )


class MBConvBlock(nn.Module):
    """Inverted residual with depthwise convolution and squeeze-and-excite (arXiv 1801.04381)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        expand: int,
        nominal_hw: tuple[int, int],
    ) -> None:
        """``nominal_hw``: the nominal image's size where the block starts."""
        super().__init__()
        hidden = in_channels * expand
        squeezed = max(1, int(in_channels * _SQUEEZE_RATIO))
        if expand != 1:
            self._expand_conv = PaddedConv2d(in_channels, hidden, 1, nominal_hw=nominal_hw)
            self._bn0 = _batch_norm(hidden)
        self._depthwise_conv = PaddedConv2d(
            hidden, hidden, kernel, nominal_hw=nominal_hw, stride=stride, groups=hidden
        )
        self._bn1 = _batch_norm(hidden)
        self._se_reduce = nn.Conv2d(hidden, squeezed, 1)
        self._se_expand = nn.Conv2d(squeezed, hidden, 1)
        self._project_conv = PaddedConv2d(
            hidden, out_channels, 1, nominal_hw=same_output_hw(nominal_hw, stride)
        )
        self._bn2 = _batch_norm(out_channels)
        self._expands = expand != 1
        self._skips = stride == 1 and in_channels == out_channels
        self.dropped_share = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H/stride, W/stride)."""
        inputs = x
        if self._expands:
            x = F.silu(self._bn0(self._expand_conv(x)))
        x = F.silu(self._bn1(self._depthwise_conv(x)))
        gate = x.mean((2, 3), keepdim=True)
        gate = self._se_expand(F.silu(self._se_reduce(gate)))
        x = torch.sigmoid(gate) * x
        x = self._bn2(self._project_conv(x))
        if not self._skips:
            return x
        if self.training and self.dropped_share:
            x = _drop_images(x, self.dropped_share)
        return x + inputs

    def output_hw(self, height: int, width: int) -> tuple[int, int]:
        """The size of the output for an input of that size, in cells."""
        return self._depthwise_conv.output_hw(height, width)


class EfficientNetFeatures(nn.Module):
    """The three tapped grids of an EfficientNet: highest, hires, lowres (finest first)."""

    def __init__(self, config: BackboneConfig) -> None:
        """Builds the stem and every block up to the last tap; no head."""
        super().__init__()
        stem = _round_filters(32, config.width)
        self._conv_stem = PaddedConv2d(3, stem, 3, nominal_hw=config.nominal_hw, stride=2)
        self._bn0 = _batch_norm(stem)
        self._blocks = nn.ModuleList(_blocks(config, stem, same_output_hw(config.nominal_hw, 2)))
        self._taps = (config.highest, config.hires, config.lowres)
        for number, tap in enumerate(self._taps, start=1):
            if tap.projected_from is not None:
                setattr(self, f"proj_{number}", nn.Conv2d(tap.projected_from, tap.channels, 1))

    def forward(self, images: Tensor, image_hw: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, H, W) in [-1, 1] → three (N, C, h, w), finest first.

        ``image_hw`` is not used: the padding is that of the nominal size.
        """
        x = F.silu(self._bn0(self._conv_stem(images)))
        tapped: dict[int, Tensor] = {}
        for index, block in enumerate(self._blocks):
            x = block(x)
            tapped[index] = x
        highest, hires, lowres = (
            self._project(number, tap, tapped[tap.index])
            for number, tap in enumerate(self._taps, start=1)
        )
        return highest, hires, lowres

    def drop_connections(self, share: float) -> None:
        """In training, leave out each residual branch of an image with a chance of its own.

        The chance grows with depth, from 0 at the first block: ``share``·i/n for block i of n
        (stochastic depth, arXiv 1603.09382; n counts the blocks that are kept).
        """
        for index, block in enumerate(self._blocks):
            assert isinstance(block, MBConvBlock)
            block.dropped_share = share * index / len(self._blocks)

    def grid_sizes(
        self, height: int, width: int
    ) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """(height, width) of the three grids for an image of that size, in cells."""
        size = self._conv_stem.output_hw(height, width)
        sizes = []
        for block in self._blocks:
            assert isinstance(block, MBConvBlock)
            size = block.output_hw(*size)
            sizes.append(size)
        highest, hires, lowres = (sizes[tap.index] for tap in self._taps)
        return highest, hires, lowres

    def _project(self, number: int, tap: Tap, grid: Tensor) -> Tensor:
        if tap.projected_from is None:
            return grid
        projection: nn.Module = getattr(self, f"proj_{number}")
        projected: Tensor = projection(grid)
        return projected


def _blocks(config: BackboneConfig, stem: int, nominal_hw: tuple[int, int]) -> list[MBConvBlock]:
    last = max(tap.index for tap in (config.highest, config.hires, config.lowres))
    blocks: list[MBConvBlock] = []
    channels = stem
    for group in _B0_GROUPS:
        out_channels = _round_filters(group.channels, config.width)
        for repeat in range(math.ceil(group.repeats * config.depth)):
            if len(blocks) > last:
                return blocks
            stride = group.stride if repeat == 0 else 1
            blocks.append(
                MBConvBlock(channels, out_channels, group.kernel, stride, group.expand, nominal_hw)
            )
            channels, nominal_hw = out_channels, same_output_hw(nominal_hw, stride)
    return blocks


def _drop_images(x: Tensor, share: float) -> Tensor:
    """(N, C, h, w) with whole images zeroed, the others enlarged so that the mean stays."""
    kept = torch.rand((len(x), 1, 1, 1), dtype=x.dtype, device=x.device) >= share
    return x * kept / (1 - share)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BATCH_NORM_EPS, momentum=_BATCH_NORM_MOMENTUM)


def _round_filters(filters: int, width: float) -> int:
    """To a multiple of 8, never down by more than 10 %."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded
