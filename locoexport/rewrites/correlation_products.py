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

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.config import SUPPORT_SIDE
from locoexport.models.locotrack.correlation import CorrelationNetwork
from locoexport.models.locotrack.padding import same_output_hw, same_padding

__all__ = ["CorrelationProducts", "FirstConvolution", "Head", "WindowMatrices", "rewrite"]

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
        norms, convolutions = [GroupNormOfWindows(norm, side)], []
        self.first: nn.Module = FirstConvolution(conv)
        for conv, norm in others:
            convolutions.append(Convolution(conv, side, groups))
            side, groups = _output_side(conv, side), norm.num_groups
            norms.append(GroupNormOfWindows(norm, side))
        self.head: nn.Module = Head(convolutions.pop(), norms.pop())
        self.norms, self.others = nn.ModuleList(norms), nn.ModuleList(convolutions)
        self._channels = conv.out_channels

    def with_parts(
        self, *, first: nn.Module | None = None, head: nn.Module | None = None
    ) -> CorrelationProducts:
        """Another network over the same weights, with one part computed in another way."""
        twin = copy.copy(self)
        twin._modules = dict(self._modules)
        twin.first, twin.head = first or self.first, head or self.head
        return twin

    def forward(self, neighbourhoods: Tensor, supports: Tensor) -> Tensor:
        """(B, N, T, 49, C), (B, N, 49, C) → (B·N·T, 2·C'); equal to the reference."""
        maps: Tensor = self.norms[0](self.first(neighbourhoods, supports))
        for convolution, norm in zip(self.others, list(self.norms)[1:], strict=True):
            maps = norm(convolution(F.relu(maps)))
        embeddings = self.head(F.relu(maps)).reshape(2, -1, self._channels)
        return torch.cat((embeddings[0], embeddings[1]), -1)


class FirstConvolution(nn.Module):
    """The convolution over correlation, fused with the correlation: both ways round."""

    bias: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        """``conv`` reads 49-channel images of 7×7 cells."""
        super().__init__()
        assert conv.bias is not None
        cells, kernels = _windows(conv, SUPPORT_SIDE)  # (Q, K), (Q, O, 49, K)
        # Rows are (cell of the window, channel), then (channel, cell): as the products give them.
        self.near = WindowMatrices(cells, kernels.permute(0, 3, 2, 1).flatten(1, 2))
        self.far = WindowMatrices(cells, kernels.permute(0, 2, 3, 1).flatten(1, 2))
        self.register_buffer("bias", conv.bias.detach())
        self._outputs = conv.out_channels
        self._windows, self._rows = len(cells), cells.shape[1] * _CELLS
        self.cells_of_windows = cells.numel()

    def forward(self, neighbourhoods: Tensor, supports: Tensor) -> Tensor:
        """→ (Q, 2·M, O): neighbourhood cells as the image, then support cells as the image."""
        turned = supports.transpose(-1, -2)  # (B, N, C, 49)
        rows = neighbourhoods.flatten(2, 3)  # (B, N, T·49, C)
        outputs = []
        for (cells, near), (_, far) in zip(self.near, self.far, strict=True):
            window = neighbourhoods[:, :, :, cells].flatten(2, 3)  # (B, N, T·K, C)
            outputs.append(torch.addmm(self.bias, (window @ turned).reshape(-1, self._rows), near))
            correlation = rows @ turned[..., cells]  # (B, N, T·49, K)
            outputs.append(torch.addmm(self.bias, correlation.reshape(-1, self._rows), far))
        # Window by window, so that one concatenation gives both ways round of each.
        return torch.cat(outputs).reshape(self._windows, -1, self._outputs)


class Convolution(nn.Module):
    """A later convolution, over maps of a few cells: (M, G, cells, C/G) → (Q, M, O)."""

    bias: Tensor

    def __init__(self, conv: nn.Conv2d, side: int, groups: int) -> None:
        """``conv`` reads maps of ``side``·``side`` cells, normalised in ``groups``."""
        super().__init__()
        assert conv.bias is not None
        cells, kernels = _windows(conv, side)  # (Q, K), (Q, O, C, K)
        grouped = kernels.reshape(
            *kernels.shape[:2], groups, -1, kernels.shape[3]
        )  # (Q, O, G, C/G, K)
        matrices = grouped.permute(0, 2, 4, 3, 1).flatten(1, 3)  # rows are (G, K, C/G)
        self.matrices = WindowMatrices(cells, matrices)
        self.register_buffer("bias", conv.bias.detach())
        self._whole = cells.shape[1] == side * side
        self._width = matrices.shape[1]

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        outputs = [
            torch.addmm(
                self.bias,
                (maps if self._whole else maps[:, :, cells]).reshape(-1, self._width),
                matrix,
            )
            for cells, matrix in self.matrices
        ]
        return torch.stack(outputs)


class Head(nn.Module):
    """The last convolution, its GroupNorm and ReLU, and the mean over cells → (M, C')."""

    def __init__(self, convolution: Convolution, norm: GroupNormOfWindows) -> None:
        """The convolution and the norm of what it gives."""
        super().__init__()
        self.convolution, self.norm, self.cells = convolution, norm, norm.cells

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        normalised: Tensor = self.norm(self.convolution(maps))
        return F.relu(normalised).mean(2).flatten(1)  # (M, G, C'/G) → (M, C')


class WindowMatrices(nn.Module):
    """The cells and the matrix of each window, each a buffer of its own: a traced index into one
    large buffer would be folded into a copy for every use."""

    def __init__(self, cells: Tensor, matrices: Tensor) -> None:
        """(Q, K) cells of each window and (Q, rows, O) matrices."""
        super().__init__()
        self._count = len(cells)
        for index in range(self._count):
            self.register_buffer(f"cells_{index}", cells[index].clone())
            self.register_buffer(f"matrix_{index}", matrices[index].clone())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in range(self._count):
            yield self.get_buffer(f"cells_{index}"), self.get_buffer(f"matrix_{index}")


class GroupNormOfWindows(nn.Module):
    """GroupNorm of what a convolution gives: (Q, M, O) → (M, G, Q, O/G)."""

    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.GroupNorm, side: int) -> None:
        """``norm`` normalises maps of ``side``·``side`` cells."""
        super().__init__()
        self.register_buffer("weight", norm.weight.detach().reshape(norm.num_groups, 1, -1))
        self.register_buffer("bias", norm.bias.detach().reshape(norm.num_groups, 1, -1))
        self.groups, self.width = norm.num_groups, norm.num_channels // norm.num_groups
        self.cells, self.eps = side * side, norm.eps

    def forward(self, outputs: Tensor) -> Tensor:
        maps = outputs.reshape(self.cells, -1, self.groups, self.width).permute(1, 2, 0, 3)
        maps = F.layer_norm(maps, (self.cells, self.width), eps=self.eps)
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
