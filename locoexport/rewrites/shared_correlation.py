"""One correlation product for both ways round, where features have many channels.

Replaces: the first convolution of each ``cmdtop`` network as ``correlation-products`` leaves it
(that rewrite is needed), at levels of at least 40 channels.

Identity: both ways round read the same numbers, the correlation of 49 neighbourhood cells with 49
support cells. One product correlates with the support cells of all windows side by side: 64
columns for four windows of 16, 15 of them twice. Windows of support cells are then runs of its
columns, and windows of neighbourhood cells are rows; the kernel's taps lie on the first of equal
columns and are zero on the others.

Why: two products of 6 272·C multiply-adds become one; copies of 3 136 numbers and zeros for a third
more taps do not depend on C. Measured at 24 frames and 64 points, one level: 31 → 21 ms at 112
channels, 65 → 34 at 256, level at 40, slower at 16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.config import SUPPORT_SIDE
from locoexport.rewrites.correlation_products import (
    CorrelationProducts,
    FirstConvolution,
    WindowMatrices,
)

__all__ = ["SharedCorrelation", "rewrite"]

_CELLS = SUPPORT_SIDE**2
_FEWEST_CHANNELS = 40
_MOST_COLUMNS = 64
"""The small and tiny networks have 4 windows of 16 cells; the base ones 16 of 9, which overlap so
much that zeros would cost more than is saved."""


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model in which levels of many channels correlate once; every weight is shared."""
    taps = model.config.backbone
    channels = (taps.hires.channels, taps.lowres.channels, taps.highest.channels)
    rewritten = model.with_operations(model.operations)
    rewritten.cmdtop = nn.ModuleList(
        network.with_parts(first=SharedCorrelation(network.first))
        if width >= _FEWEST_CHANNELS
        and isinstance(network, CorrelationProducts)
        and isinstance(network.first, FirstConvolution)
        and network.first.cells_of_windows <= _MOST_COLUMNS
        else network
        for network, width in zip(model.cmdtop, channels, strict=True)
    )
    return rewritten


class SharedCorrelation(nn.Module):
    """``FirstConvolution`` over the same numbers: (B, N, T, 49, C), (B, N, 49, C) → (Q, 2·M, O)."""

    bias: Tensor
    columns: Tensor

    def __init__(self, first: FirstConvolution) -> None:
        """Spreads the near kernels over the columns of all windows; the far ones stay."""
        super().__init__()
        windows = list(first.near)
        self.far = first.far
        self.register_buffer("bias", first.bias)
        self.register_buffer("columns", torch.cat([cells for cells, _ in windows]))
        self._count, self._taps = len(windows), len(windows[0][0])
        self._width = self._count * self._taps
        self._outputs = first.bias.shape[0]
        # Every support cell lies in some window; argmax finds the first.
        leaders = (self.columns == torch.arange(_CELLS)[:, None]).int().argmax(1)
        spread = []
        for _, matrix in windows:  # rows are (cell of the window, support cell)
            wide = matrix.new_zeros(self._taps, self._width, self._outputs)
            wide[:, leaders] = matrix.reshape(self._taps, _CELLS, self._outputs)
            spread.append(wide.flatten(0, 1))
        self.near = WindowMatrices(
            torch.stack([cells for cells, _ in windows]), torch.stack(spread)
        )

    def forward(self, neighbourhoods: Tensor, supports: Tensor) -> Tensor:
        """Equal to ``FirstConvolution``."""
        columns = supports.transpose(-1, -2)[..., self.columns]  # (B, N, C, Q·K)
        correlation = (neighbourhoods.flatten(2, 3) @ columns).reshape(-1, _CELLS, self._width)
        by_window = correlation.reshape(-1, _CELLS, self._count, self._taps)
        outputs = []
        for index, ((cells, near), (_, far)) in enumerate(zip(self.near, self.far, strict=True)):
            rows = correlation[:, cells].reshape(-1, self._taps * self._width)
            outputs.append(torch.addmm(self.bias, rows, near))
            window = by_window[:, :, index].reshape(-1, _CELLS * self._taps)
            outputs.append(torch.addmm(self.bias, window, far))
        return torch.cat(outputs).reshape(self._count, -1, self._outputs)
