"""5D GridSample as 4D GridSample of every point on every slice of one axis, and a gathered lerp.

Replaces: GridSample of rank 5, linear or nearest, any padding.

Identity: trilinear interpolation is bilinear interpolation in each of the two slices next to the
point, then linear interpolation between the two; each padding mode acts on each axis by itself.
Slices are the batch of the 4D GridSample. (Folding them into the height of one image would be one
node, but fp32 coordinates over D·H rows lose bits: 6e-6 at 5×7×4 and 1.4e-3 at 128×128×16.)

Why: GridSample of rank 5 enters ONNX with opset 20, and OpenVINO, CoreML, DirectML, WebGPU, ONNX
Runtime's CUDA kernel before 1.25 and TensorRT before 11.2 do not have it. Of rank 4 they have it,
from opset 16.

Cost: every point is sampled on every slice although two are kept, in time and in memory, so the
sliced axis is the shortest one (see ``sliced_axis`` for axes whose length is not known).
"""

from __future__ import annotations

import onnx_ir as ir

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.drafts import Draft, Size
from locoexport.lowering.volumetric.axis import axis_cells, finite_grid
from locoexport.lowering.volumetric.samplers.node import VolumetricSample, respelled_mode

__all__ = ["AXIS_NAMES", "lower_to_planar", "sliced_axis"]

AXIS_NAMES = {2: "D", 3: "H", 4: "W"}
_INT64 = ir.DataType.INT64
_BOUND = 1e4
"""|coordinate| beyond which border and zeros padding change nothing any more (5 would do). It keeps
4D kernels away from coordinates that their weights and integers cannot hold."""


def sliced_axis(sample: VolumetricSample) -> int:
    """2, 3 or 4: the shortest axis whose length is known, the first of equals; D if none is."""
    known = [(size, axis) for axis in (2, 3, 4) if (size := sample.volume_shape[axis]) is not None]
    return min(known)[1] if known else 2


def lower_to_planar(
    draft: Draft, sample: VolumetricSample, volume: ir.Value, grid: ir.Value
) -> ir.Value:
    """Write the nodes; returns the value that is the node's output.

    Raises:
        GraphCheckFailedError: the volume is of integers, which the 4D kernels do not sample.
    """
    if not sample.volume_dtype.is_floating_point():
        raise GraphCheckFailedError(
            f"GridSample {sample.name!r} samples {sample.volume_dtype.name}; no runtime has a 4D "
            "kernel for it. Lower it with --to gather."
        )
    axis = sliced_axis(sample)
    batch, channels, *lengths = (
        draft.size(volume, number, sample.volume_shape[number]) for number in range(5)
    )
    points = [draft.size(grid, number, sample.grid_shape[number]) for number in (1, 2, 3)]
    slices = lengths.pop(axis - 2)
    grid = finite_grid(draft, sample, grid)
    planes = _planes(draft, sample, volume, axis, (batch, channels, slices, *lengths))
    in_plane = _in_plane_grid(draft, sample, grid, axis, (batch, slices, *points))
    sampled = draft.op(
        "GridSample",
        planes,
        in_plane,
        **_stated_mode(sample),
        padding_mode=sample.padding,
        align_corners=int(sample.align_corners),
    )  # (N·slices, C, D'·H', W')
    count = draft.product(*points)
    stack = draft.reshape(sampled, batch, slices, channels, count)
    column = draft.op("Gather", grid, draft.constant(4 - axis, _INT64), axis=4)
    column = draft.reshape(column, batch, 1, 1, count)
    blended = _blend(draft, sample, stack, column, slices, (batch, channels, count))
    blended = draft.cast(blended, sample.work_dtype, sample.volume_dtype)
    return draft.reshape(blended, batch, channels, *points)


def _stated_mode(sample: VolumetricSample) -> dict[str, str]:
    """The mode as the opset spells it; from opset 20 on ``linear`` goes unsaid.

    It is the default there, and OpenVINO before 2026.3 refuses the word while TensorRT reads it as
    nearest: both take the default as linear.
    """
    spelled = respelled_mode(sample.mode, sample.opset)
    return {} if spelled == "linear" else {"mode": spelled}


def _planes(
    draft: Draft, sample: VolumetricSample, volume: ir.Value, axis: int, sizes: tuple[Size, ...]
) -> ir.Value:
    """(N·slices, C, rows, columns) of (N, C, D, H, W)."""
    batch, channels, slices, rows, columns = sizes
    volume = draft.cast(volume, sample.volume_dtype, sample.work_dtype)
    order = (0, axis, 1, *(number for number in (2, 3, 4) if number != axis))
    turned = draft.op("Transpose", volume, perm=order)
    return draft.reshape(turned, draft.product(batch, slices), channels, rows, columns)


def _in_plane_grid(
    draft: Draft, sample: VolumetricSample, grid: ir.Value, axis: int, sizes: tuple[Size, ...]
) -> ir.Value:
    """(N·slices, D'·H', W', 2): the other two coordinates of every point, for every slice."""
    batch, slices, depth, height, width = sizes
    columns = [number for number in (0, 1, 2) if number != 4 - axis]
    pair = draft.op("Gather", grid, draft.integers(*columns), axis=4)
    dtype = sample.coordinate_dtype
    if sample.padding != "reflection":
        low, high = draft.constant(-_BOUND, dtype), draft.constant(_BOUND, dtype)
        pair = draft.op("Min", draft.op("Max", pair, low), high)
    pair = draft.cast(pair, dtype, sample.work_dtype)
    rows = draft.product(depth, height)
    pair = draft.reshape(pair, batch, 1, rows, width, 2)
    pair = draft.op("Expand", pair, draft.shape(batch, slices, rows, width, 2))
    return draft.reshape(pair, draft.product(batch, slices), rows, width, 2)


def _blend(
    draft: Draft,
    sample: VolumetricSample,
    stack: ir.Value,
    coordinate: ir.Value,
    slices: Size,
    sizes: tuple[Size, Size, Size],
) -> ir.Value:
    """The slices next to each point, weighted: (N, slices, C, P) → (N, 1, C, P)."""
    batch, channels, count = sizes
    total: ir.Value | None = None
    for cell in axis_cells(draft, sample, coordinate, slices):
        index = cell.index
        if channels == 0:
            # No index at all. ONNX Runtime's optimiser takes an Expand to no channels for nothing.
            index = draft.op("Slice", index, *(draft.integers(number) for number in (0, 0, 2)))
        elif channels != 1:
            index = draft.op("Expand", index, draft.shape(batch, 1, channels, count))
        value = draft.op("GatherElements", stack, index, axis=1)
        if cell.inside is not None:
            zero = draft.constant(0.0, sample.work_dtype)
            value = draft.op("Where", cell.inside, value, zero)
        if cell.weight is not None:
            value = draft.op("Mul", value, cell.weight)
        total = value if total is None else draft.op("Add", total, value)
    assert total is not None
    return total
