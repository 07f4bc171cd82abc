"""5D GridSample as gathered cells and weights: no GridSample at all.

Replaces: GridSample of rank 5, linear or nearest, any padding.

Identity: the sum over the 2×2×2 cells around a point of weight_z·weight_y·weight_x·value, each axis
by itself as ``axis`` says; one cell and no weight for nearest.

Why: the cost is that of the points alone: neither the volume's size nor the length of any axis
enters it (nothing of the volume is copied or transposed). It runs where no GridSample exists.
Indices are int64 throughout; float16 volumes are gathered as float16 and weighted in float32.

Cells are fetched one corner after the other: all eight at once would be fewer nodes and eight
times the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import onnx_ir as ir

from locoexport.graphs.drafts import Draft, Size
from locoexport.lowering.volumetric.axis import Cell, axis_cells, finite_grid
from locoexport.lowering.volumetric.node import VolumetricSample

__all__ = ["lower_to_gather"]

_INT64 = ir.DataType.INT64


class _Layout(Protocol):
    """How points lie while they are sampled, and how a cell's value is fetched."""

    def points(self, draft: Draft, coordinate: ir.Value) -> ir.Value:
        """(N, D', H', W') so that it broadcasts over fetched values."""
        ...

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        """The value of every channel at cell number ``cell`` of its volume."""
        ...

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        """Fetched values as (N, C, D', H', W')."""
        ...


def lower_to_gather(
    draft: Draft, sample: VolumetricSample, volume: ir.Value, grid: ir.Value
) -> ir.Value:
    """Write the nodes; returns the value that is the node's output."""
    sizes = [draft.size(volume, axis, sample.volume_shape[axis]) for axis in range(5)]
    grid = finite_grid(draft, sample, grid)
    layout = _layout(draft, sample, volume, sizes)
    by_axis = []
    for axis, column in ((2, 2), (3, 1), (4, 0)):
        number = draft.constant(column, _INT64)
        coordinate = layout.points(draft, draft.op("Gather", grid, number, axis=4))
        by_axis.append(axis_cells(draft, sample, coordinate, sizes[axis]))
    total: ir.Value | None = None
    for corner in _corners(draft, by_axis, sizes[3], sizes[4]):
        value = _contribution(draft, sample, layout.fetch(draft, corner.index), corner)
        total = value if total is None else draft.op("Add", total, value)
    assert total is not None
    if sample.mode == "linear":
        total = draft.cast(total, sample.work_dtype, sample.volume_dtype)
    return layout.finish(draft, total)


def _corners(draft: Draft, by_axis: list[list[Cell]], height: Size, width: Size) -> Iterator[Cell]:
    """Every corner of every point's cube, its index that of the flattened volume.

    One after the other: each corner's nodes are written when it is asked for, so that a runtime
    that keeps the order can free them before the next.
    """
    layers = _strided(draft, by_axis[0], draft.product(height, width))
    rows = _strided(draft, by_axis[1], width)
    for layer in layers:
        for row in rows:
            edge = _joined(draft, layer, row)
            for column in by_axis[2]:
                yield _joined(draft, edge, column)


def _strided(draft: Draft, cells: list[Cell], stride: Size) -> list[Cell]:
    step = draft.tensor(stride)
    return [replace(cell, index=draft.op("Mul", cell.index, step)) for cell in cells]


def _joined(draft: Draft, first: Cell, second: Cell) -> Cell:
    return Cell(
        draft.op("Add", first.index, second.index),
        _both(draft, "Mul", first.weight, second.weight),
        _both(draft, "And", first.inside, second.inside),
    )


def _both(
    draft: Draft, op_type: str, first: ir.Value | None, second: ir.Value | None
) -> ir.Value | None:
    if first is None or second is None:
        return None
    return draft.op(op_type, first, second)


def _contribution(
    draft: Draft, sample: VolumetricSample, value: ir.Value, corner: Cell
) -> ir.Value:
    if corner.inside is not None:
        zero = draft.constant(0, sample.volume_dtype)
        value = draft.op("Where", corner.inside, value, zero)
    if corner.weight is None:
        return value
    value = draft.cast(value, sample.volume_dtype, sample.work_dtype)
    return draft.op("Mul", value, corner.weight)


def _layout(draft: Draft, sample: VolumetricSample, volume: ir.Value, sizes: list[Size]) -> _Layout:
    batch, channels, depth, height, width = sizes
    cells = draft.product(depth, height, width)
    if batch == 1:
        rows = draft.reshape(volume, channels, cells)
        return _OneVolume(rows)
    count = draft.op("Range", *_range(draft, draft.product(batch, channels)))
    shape = draft.shape(batch, channels, 1, 1, 1)
    starts = draft.op("Mul", draft.op("Reshape", count, shape), draft.tensor(cells))
    return _ManyVolumes(draft.op("Reshape", volume, draft.integers(-1)), starts)


def _range(draft: Draft, count: Size) -> tuple[ir.Value, ir.Value, ir.Value]:
    stop = draft.tensor(count)
    if not isinstance(count, int):
        # Range wants scalars; a size that is read at run time has one axis.
        stop = draft.op("Squeeze", stop, draft.integers(0))
    return draft.constant(0, _INT64), stop, draft.constant(1, _INT64)


@dataclass(frozen=True)
class _OneVolume:
    """A batch of one, statically: (C, D·H·W), one index serves every channel."""

    rows: ir.Value

    def points(self, draft: Draft, coordinate: ir.Value) -> ir.Value:
        return coordinate  # (1, D', H', W')

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        return draft.op("Gather", self.rows, cell, axis=1)  # (C, 1, D', H', W')

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        return draft.op("Transpose", values, perm=(1, 0, 2, 3, 4))


@dataclass(frozen=True)
class _ManyVolumes:
    """Any batch: all volumes in one row; ``starts`` (N, C, 1, 1, 1) is where each begins."""

    row: ir.Value
    starts: ir.Value

    def points(self, draft: Draft, coordinate: ir.Value) -> ir.Value:
        return draft.op("Unsqueeze", coordinate, draft.integers(1))  # (N, 1, D', H', W')

    def fetch(self, draft: Draft, cell: ir.Value) -> ir.Value:
        return draft.op("Gather", self.row, draft.op("Add", cell, self.starts), axis=0)

    def finish(self, draft: Draft, values: ir.Value) -> ir.Value:
        return values
