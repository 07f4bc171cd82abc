"""Eight columns of a heatmap in one output row of its convolution.

Replaces: ``cost_conv``, the 3×3 convolution of two cost planes into one heatmap, where the width of
the planes is a multiple of eight and at least 64.

Identity: eight cells side by side read a window of 3×10 cells of the planes. A convolution of that
kernel and of stride eight, with an output channel for each of the eight, holds the 3×3 taps shifted
by 0 to 7 columns and zeros elsewhere; its channels, laid side by side, are the heatmap. No finite
sum changes by the zeros, and the taps stay in their order.

Why: ONNX Runtime's blocked convolutions compute 8 or 16 output channels at a time, and throw all
but one away. Measured with one thread, 24 frames and 64 points: 57 → 23 ms for planes of 64×64, 41
→ 17 for 48×64. Whole calls: b0-tiny 1.10 to 1.13 times as fast, b0 1.05, 1.08 and 1.04 at 8 x 64,
24 x 64 and 24 x 256, b5 level (as far apart as one file is from itself); of 32×32 (b0-wide) 1.04,
0.985 and 0.97 at 8, 16 and 24 frames, so narrow planes are left alone. On a GPU it would be zeros
to multiply: targets `cuda` and `tensorrt` leave it out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack import LocoTrack

__all__ = ["ColumnConvolution", "rewrite"]

_COLUMNS = 8
_NARROWEST = 64


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model with another ``cost_conv``; the same model where its planes are too narrow."""
    height, width, _ = model.grid_shapes(model.config.levels[0]).hires
    conv = model.cost_conv
    if width < _NARROWEST or width % _COLUMNS or not isinstance(conv, nn.Conv2d):
        return model
    rewritten = model.with_operations(model.operations)
    rewritten.add_module("cost_conv", ColumnConvolution(conv, (height, width)))
    return rewritten


class ColumnConvolution(nn.Module):
    """A 3×3 convolution of planes (M, C, h, w) into one (M, 1, h, w), where 8 divides w."""

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, size_hw: tuple[int, int]) -> None:
        """``conv`` keeps the size and has one output; ``size_hw`` is that of every plane."""
        super().__init__()
        assert conv.bias is not None
        shifted = [
            F.pad(conv.weight.detach(), (column, _COLUMNS - 1 - column))
            for column in range(_COLUMNS)
        ]
        self.register_buffer("weight", torch.cat(shifted))  # (8, C, 3, 10)
        self.register_buffer("bias", conv.bias.detach().repeat(_COLUMNS))
        self._size_hw = size_hw

    def forward(self, planes: Tensor) -> Tensor:
        """Equal to the convolution."""
        columns = F.conv2d(planes, self.weight, self.bias, stride=(1, _COLUMNS), padding=1)
        return columns.permute(0, 2, 3, 1).reshape(-1, 1, *self._size_hw)
