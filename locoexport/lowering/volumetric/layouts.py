"""How volumes and points lie while ``gather`` samples them, so that one index serves all channels.

A cell of sample n is number n·D·H·W + cell. Four layouts fetch it:

=============  ================  =======================  ==================================
layout         rows              fetched values           what is copied
=============  ================  =======================  ==================================
one volume     (C, D·H·W)        (C, D', H', W')          nothing: a batch of one, statically
cells          (N·D·H·W, C)      (N, D', H', W', C)       the volume, and the result back
channels       (C, N·D·H·W)      (C, N, D', H', W')       the volume, and the result back
one row        (N·C·D·H·W)       (N, C, D', H', W')       nothing; but an index a channel
=============  ================  =======================  ==================================

Which one: the volume is turned where that takes no more memory than an index a channel would, or
where sizes are open: an index a channel is twice a float32 result, eight times in a row. Few points
in a large volume keep one row. All channels of a cell are fetched as one block by ``cells``: for
64 channels that took 151 ms instead of 926 with border padding, and 266 instead of 1,014 with
zeros; for six channels with zeros padding it was slower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import onnx_ir as ir

from locoexport.graphs.drafts import Draft, Size
from locoexport.lowering.volumetric.samplers.node import VolumetricSample

__all__ = ["Layout", "LayoutName", "lay_out", "layout_name"]

_INT64 = ir.DataType.INT64
_INDEX_BYTES = 8
_BLOCK_CHANNELS = 8
"""From how many channels on a block a cell is faster (ONNX Runtime's CPU provider, 1 thread, border
and zeros padding: 0.65 and 1.05 times the time of ``channels`` at 6, 0.54 and 0.97 at 8)."""


LayoutName = Literal["one volume", "cells", "channels", "one row"]


class Layout(Protocol):
    """How points lie while they are sampled, and how a cell's value is fetched."""

    def points(self, draft: Draft, grid: ir.Value, column: int) -> ir.Value:
        """One coordinate of every point, so that it broadcasts over fetched values."""
        ...

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        """The value of every channel at cell number ``cell`` of its volume."""
        ...

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        """Fetched values as (N, C, D', H', W')."""
        ...


def layout_name(sample: VolumetricSample) -> LayoutName:
    """Which layout is cheapest, by the sizes that are known."""
    batch, channels = sample.volume_shape[:2]
    cells, points = _count(sample.volume_shape[2:]), _count(sample.grid_shape[1:4])
    blocks = channels is not None and channels >= _BLOCK_CHANNELS
    known = worth_it = False
    if cells is not None and points is not None:
        known, worth_it = True, cells * sample.volume_dtype.itemsize <= points * _INDEX_BYTES
    if batch == 1:
        return "cells" if blocks and worth_it else "one volume"
    if known and not worth_it:
        return "one row"
    return "cells" if blocks else "channels"


def lay_out(draft: Draft, sample: VolumetricSample, volume: ir.Value, sizes: list[Size]) -> Layout:
    """Write the nodes that the layout needs first; ``sizes`` are those of the volume's axes."""
    batch, channels, *lengths = sizes
    cells = draft.product(*lengths)
    name = layout_name(sample)
    if name == "one volume":
        return _OneVolume(draft.reshape(volume, channels, cells))
    if name == "one row":
        row = draft.reshape(volume, draft.product(batch, channels, cells))
        return _OneRow(row, _starts(draft, (batch, channels, 1, 1, 1), cells))
    volumes = draft.reshape(volume, batch, channels, cells)
    starts = _starts(draft, (batch, 1, 1, 1), cells)
    every = draft.product(batch, cells)
    if name == "cells":
        turned = draft.op("Transpose", volumes, perm=(0, 2, 1))
        return _Cells(draft.reshape(turned, every, channels), starts)
    turned = draft.op("Transpose", volumes, perm=(1, 0, 2))
    return _Channels(draft.reshape(turned, channels, every), starts)


def _count(sizes: tuple[int | None, ...]) -> int | None:
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def _starts(draft: Draft, shape: tuple[Size, ...], cells: Size) -> ir.Value:
    """Where each volume (or each of its channels) begins."""
    count = draft.product(*shape)
    stop = draft.tensor(count)
    if not isinstance(count, int):
        # Range wants scalars; a size that is read at run time has one axis.
        stop = draft.op("Squeeze", stop, draft.integers(0))
    numbers = draft.op("Range", draft.constant(0, _INT64), stop, draft.constant(1, _INT64))
    return draft.op("Mul", draft.reshape(numbers, *shape), draft.tensor(cells))


def _column(draft: Draft, grid: ir.Value, column: int) -> ir.Value:
    return draft.op("Gather", grid, draft.constant(column, _INT64), axis=4)  # (N, D', H', W')


@dataclass(frozen=True)
class _OneVolume:
    rows: ir.Value

    def points(self, draft: Draft, grid: ir.Value, column: int) -> ir.Value:
        return draft.op("Squeeze", _column(draft, grid, column), draft.integers(0))

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        return draft.op("Gather", self.rows, cell, axis=1)  # (C, D', H', W')

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        return draft.op("Unsqueeze", values, draft.integers(0))


@dataclass(frozen=True)
class _Channels:
    rows: ir.Value
    starts: ir.Value

    def points(self, draft: Draft, grid: ir.Value, column: int) -> ir.Value:
        return _column(draft, grid, column)

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        return draft.op("Gather", self.rows, draft.op("Add", cell, self.starts), axis=1)

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        return draft.op("Transpose", values, perm=(1, 0, 2, 3, 4))


@dataclass(frozen=True)
class _Cells:
    rows: ir.Value
    starts: ir.Value

    def points(self, draft: Draft, grid: ir.Value, column: int) -> ir.Value:
        return draft.op("Gather", grid, draft.integers(column), axis=4)  # (N, D', H', W', 1)

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        cell = draft.op("Squeeze", cell, draft.integers(4))
        return draft.op("Gather", self.rows, draft.op("Add", cell, self.starts), axis=0)

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        return draft.op("Transpose", values, perm=(0, 4, 1, 2, 3))


@dataclass(frozen=True)
class _OneRow:
    row: ir.Value
    starts: ir.Value

    def points(self, draft: Draft, grid: ir.Value, column: int) -> ir.Value:
        return draft.op("Unsqueeze", _column(draft, grid, column), draft.integers(1))

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        return draft.op("Gather", self.row, draft.op("Add", cell, self.starts), axis=0)

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        return values
