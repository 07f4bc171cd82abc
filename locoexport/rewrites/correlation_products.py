"""Local correlation and its CNN as matrix products that skip the padding.

Replaces: ``locotrack.correlation.embed_correlation``: all-pair correlation of two 7×7 patches, then
strided "SAME" convolutions over 49-channel 7×7 images, both ways round.

Identity: a strided convolution over a map of a few cells has few outputs; each is the product of a
window of cells that lies inside the map with the kernel's taps on them (taps that fall on padding
are left out, cells that no tap meets have weight zero). The correlation of a window of one patch
with all of the other comes out of the correlation product already in the layout that the
convolution's product reads. GroupNorm does not mind the order of cells and of channels in a group.

Why: ONNX Runtime runs the 5×5 stride-4 convolution as one tiny product an image: 2.6 of 2.8
seconds at 24 frames and 64 points (b0-wide). As products over all points and frames: 0.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locotrack import LocoTrack
from locotrack.config import SUPPORT_SIDE
from locotrack.correlation import CorrelationNetwork
from locotrack.padding import same_output_hw, same_padding

__all__ = ["CorrelationProducts", "rewrite"]

_CELLS = SUPPORT_SIDE**2


def rewrite(model: LocoTrack) -> LocoTrack:
    """A new model whose ``cmdtop`` networks are products; every other weight is shared."""
    operations = replace(model.operations, embed_correlation=_embed)
    rewritten = model.with_operations(operations)
    networks = [
        network if isinstance(network, CorrelationProducts) else CorrelationProducts(network)
        for network in model.cmdtop
        if isinstance(network, CorrelationNetwork | CorrelationProducts)
    ]
    rewritten.cmdtop = nn.ModuleList(networks)
    return rewritten


def _embed(network: nn.Module, neighbourhoods: Tensor, supports: Tensor) -> Tensor:
    embedded: Tensor = network(neighbourhoods, supports)
    return embedded


class CorrelationProducts(nn.Module):
    """A ``CorrelationNetwork`` over the same numbers, as products. Maps are (M, G, cells, C/G):
    the G groups of GroupNorm first, each group's cells and channels side by side."""

    def __init__(self, network: CorrelationNetwork) -> None:
        """Cuts the kernels of ``network`` into one matrix a window."""
        super().__init__()
        (conv, norm), *others = [(layer[0], layer[1]) for layer in network.conv]  # type: ignore[index]
        side, groups = _output_side(conv, SUPPORT_SIDE), norm.num_groups
        self.first = _FirstConvolution(conv)
        self.norms = nn.ModuleList([_GroupNorm(norm, side)])
        self.others = nn.ModuleList()
        for conv, norm in others:
            self.others.append(_Convolution(conv, side, groups))
            side, groups = _output_side(conv, side), norm.num_groups
            self.norms.append(_GroupNorm(norm, side))
        self._channels = conv.out_channels

    def forward(self, neighbourhoods: Tensor, supports: Tensor) -> Tensor:
        """(B, N, T, 49, C), (B, N, 49, C) → (B·N·T, 2·C'); equal to the reference."""
        maps: Tensor = self.norms[0](self.first(neighbourhoods, supports))
        for convolution, norm in zip(self.others, list(self.norms)[1:], strict=True):
            maps = norm(convolution(F.relu(maps)))
        maps = F.relu(maps).mean(2)  # (2·M, G, C'/G)
        embeddings = maps.reshape(2, -1, self._channels)
        return torch.cat((embeddings[0], embeddings[1]), -1)


class _FirstConvolution(nn.Module):
    """The convolution over correlation, fused with the correlation: both ways round."""

    far: Tensor
    bias: Tensor
    all_cells: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert conv.bias is not None
        cells, kernels = _windows(conv, SUPPORT_SIDE)  # (Q, K), (Q, O, 49, K)
        # Rows are (cell of the window, channel), then (channel, cell): as the products give them.
        self.near = _Matrices(cells, kernels.permute(0, 3, 2, 1).flatten(1, 2))
        self.register_buffer("far", kernels.permute(0, 2, 3, 1).flatten(1, 2).contiguous())
        self.register_buffer("all_cells", cells.flatten())
        self._windows, self._taps = cells.shape
        self.register_buffer("bias", conv.bias.detach())

    def forward(self, neighbourhoods: Tensor, supports: Tensor) -> Tensor:
        """→ (Q, 2·M, O): neighbourhood cells as the image, then support cells as the image."""
        width = self._taps * _CELLS
        turned = supports.transpose(-1, -2)  # (B, N, C, 49)
        near = []
        for cells, matrix in self.near:
            window = neighbourhoods[:, :, :, cells].flatten(2, 3)  # (B, N, T·K, C)
            near.append((window @ turned).reshape(-1, width) @ matrix)
        # (B, N, C, Q·K) → (Q, B, N, C, K): the windows as a batch of one product
        patches = turned[..., self.all_cells].reshape(*turned.shape[:3], self._windows, self._taps)
        correlation = neighbourhoods.flatten(2, 3) @ patches.permute(3, 0, 1, 2, 4)
        far = correlation.reshape(self._windows, -1, width) @ self.far
        return torch.cat((torch.stack(near), far), 1) + self.bias


class _Convolution(nn.Module):
    """A later convolution, over maps of a few cells: (M, G, cells, C/G) → (Q, M, O)."""

    bias: Tensor

    def __init__(self, conv: nn.Conv2d, side: int, groups: int) -> None:
        super().__init__()
        assert conv.bias is not None
        cells, kernels = _windows(conv, side)  # (Q, K), (Q, O, C, K)
        grouped = kernels.reshape(
            *kernels.shape[:2], groups, -1, kernels.shape[3]
        )  # (Q, O, G, C/G, K)
        matrices = grouped.permute(0, 2, 4, 3, 1).flatten(1, 3)  # rows are (G, K, C/G)
        self.windows = _Matrices(cells, matrices)
        self.register_buffer("bias", conv.bias.detach())
        self._whole = cells.shape[1] == side * side
        self._width = matrices.shape[1]

    def forward(self, maps: Tensor) -> Tensor:
        outputs = [
            (maps if self._whole else maps[:, :, cells]).reshape(-1, self._width) @ matrix
            for cells, matrix in self.windows
        ]
        return torch.stack(outputs) + self.bias


class _Matrices(nn.Module):
    """The cells and the matrix of each window, each a buffer of its own: a traced index into one
    large buffer would be folded into a copy for every use."""

    def __init__(self, cells: Tensor, matrices: Tensor) -> None:
        super().__init__()
        self._count = len(cells)
        for index in range(self._count):
            self.register_buffer(f"cells_{index}", cells[index].clone())
            self.register_buffer(f"matrix_{index}", matrices[index].clone())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in range(self._count):
            yield self.get_buffer(f"cells_{index}"), self.get_buffer(f"matrix_{index}")


class _GroupNorm(nn.Module):
    """GroupNorm of what a convolution gives: (Q, M, O) → (M, G, Q, O/G)."""

    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.GroupNorm, side: int) -> None:
        super().__init__()
        self.register_buffer("weight", norm.weight.detach().reshape(norm.num_groups, 1, -1))
        self.register_buffer("bias", norm.bias.detach().reshape(norm.num_groups, 1, -1))
        self._groups, self._width = norm.num_groups, norm.num_channels // norm.num_groups
        self._cells, self._eps = side * side, norm.eps

    def forward(self, outputs: Tensor) -> Tensor:
        maps = outputs.reshape(self._cells, -1, self._groups, self._width).permute(1, 2, 0, 3)
        maps = F.layer_norm(maps, (self._cells, self._width), eps=self._eps)
        return maps * self.weight + self.bias


def _windows(conv: nn.Conv2d, side: int) -> tuple[Tensor, Tensor]:
    """The windows of a "SAME" convolution of a square map, each inside it and all of one size.

    Returns the cells of each window, (Q, K), and the kernel's taps on them, (Q, O, C, K).
    """
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    before, _ = same_padding(side, kernel, stride)
    starts = [output * stride - before for output in range(_output_side(conv, side))]
    # The largest part of a window that lies inside the map; smaller ones are shifted into it.
    reach = max(min(start + kernel, side) - max(start, 0) for start in starts)
    firsts = [min(max(start, 0), side - reach) for start in starts]
    cells, kernels = [], []
    padded = F.pad(conv.weight.detach(), (kernel, kernel, kernel, kernel))
    for y_first, y_start in zip(firsts, starts, strict=True):
        for x_first, x_start in zip(firsts, starts, strict=True):
            y, x = torch.arange(y_first, y_first + reach), torch.arange(x_first, x_first + reach)
            cells.append((y[:, None] * side + x).flatten())
            taps = padded[:, :, y - y_start + kernel][..., x - x_start + kernel]
            kernels.append(taps.flatten(2))
    return torch.stack(cells), torch.stack(kernels)


def _output_side(conv: nn.Conv2d, side: int) -> int:
    return same_output_hw((side, side), conv.stride[0])[0]
