"""5D GridSample as gathered cells and weights: no GridSample at all.

Replaces: GridSample of rank 5, linear or nearest, any padding.

Identity: the sum over the 2×2×2 cells around a point of weight_z·weight_y·weight_x·value, each axis
by itself as ``axis`` says; one cell and no weight for nearest.

Why: the cost is that of the points: the length of no axis enters it. It runs where no GridSample
exists. Indices are int64 throughout; float16 volumes are gathered as float16 and weighted in
float32. Whether the volume is copied is said in ``layouts``.

Memory: ONNX Runtime runs a graph depth first from its end, and of one node's inputs takes the one
that was written last first. A sum written after each corner would hold all eight fetched values
before the first is added; each sum is therefore written after the NEXT corner's value, so that
three are held at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import onnx_ir as ir

from locoexport.graphs.drafts import Draft, Size
from locoexport.lowering.volumetric.axis import Cell, axis_cells, finite_grid
from locoexport.lowering.volumetric.layouts import lay_out
from locoexport.lowering.volumetric.samplers.node import VolumetricSample

__all__ = ["lower_to_gather"]

_INT64 = ir.DataType.INT64


def lower_to_gather(
    draft: Draft, sample: VolumetricSample, volume: ir.Value, grid: ir.Value
) -> ir.Value:
    """Write the nodes; returns the value that is the node's output."""
    sizes = [draft.size(volume, axis, sample.volume_shape[axis]) for axis in range(5)]
    grid = finite_grid(draft, sample, grid)
    layout = lay_out(draft, sample, volume, sizes)
    by_axis = []
    for axis, column in ((2, 2), (3, 1), (4, 0)):
        coordinate = layout.points(draft, grid, column)
        by_axis.append(axis_cells(draft, sample, coordinate, sizes[axis]))
    corners = _corners(draft, by_axis, sizes[3], sizes[4])
    total = _sum(
        draft,
        (
            _contribution(draft, sample, layout.fetch(draft, corner.index), corner)
            for corner in corners
        ),
    )
    if sample.mode == "linear":
        total = draft.cast(total, sample.work_dtype, sample.volume_dtype)
    return layout.finish(draft, total)


def _corners(draft: Draft, by_axis: list[list[Cell]], height: Size, width: Size) -> Iterator[Cell]:
    """Every corner of every point's cube, its index that of the flattened volume.

    Each corner's nodes are written when it is asked for.
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


def _sum(draft: Draft, values: Iterator[ir.Value]) -> ir.Value:
    """The values added up in their order, each sum written one value later than it could be."""
    total, latest = next(values), next(values, None)
    while latest is not None:
        following = next(values, None)
        total, latest = draft.op("Add", total, latest), following
    return total
