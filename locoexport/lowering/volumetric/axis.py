"""One axis of GridSample: from normalised coordinates to cell indices and weights.

Replaces: the per-axis part of GridSample (ONNX GridSample-16/20/22, attributes ``align_corners``,
``padding_mode``, ``mode``).

Identity: N-linear interpolation is a product of one linear interpolation an axis, and each padding
mode acts on each axis by itself, so that all of it can be said of one axis of length L:

- the index coordinate is x = ((g + 1)·L - 1) / 2, or (g + 1) / 2 · (L - 1) with align_corners,
  computed in this order in at least float32, as ONNX Runtime and PyTorch do;
- ``linear``: cells floor(x) and floor(x) + 1 with weights (floor(x) + 1) - x and x - floor(x);
- ``nearest``: the cell round(x), halves to even (std::nearbyint in ONNX Runtime's kernel;
  "rounds to the nearest even index" in the specification);
- ``zeros``: a cell outside contributes 0. The index is clamped so that it can be fetched, and the
  fetched value is replaced, not multiplied: 0·NaN is NaN;
- ``border``: the index is clamped. Beyond the border both cells are the border cell, so that their
  weights do not matter, and no cell further inside enters with weight 0;
- ``reflection``: indices are reflected as integers, as in ONNX Runtime's kernel and the ONNX
  reference: i mod 2L mirrored at L - ½, or i mod 2(L - 1) mirrored at L - 1 with align_corners.
  PyTorch reflects x before it rounds; the two differ only for ``nearest`` without align_corners
  at exact ties outside the volume (x = -1.5 is cell 1 here, cell 0 in PyTorch).

Beyond what float32 counts: ONNX Runtime's linear weights lose their meaning for |x| > 2²⁴ (it
returns 0 with border padding); here x is clamped to ±2²² first, where every cell of the volume is
far behind, and the border value comes out as the specification says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from locoexport.graphs.drafts import Draft, Size
from locoexport.lowering.volumetric.samplers.node import VolumetricSample

__all__ = ["Cell", "axis_cells", "finite_grid"]

_INT64 = ir.DataType.INT64
_CASTABLE = 2.0**62
_EXACT_FRACTION = 2.0**22
"""Below it a float32 still has a fraction; no axis is as long."""
_LARGEST = {ir.DataType.FLOAT: 3.4028234663852886e38, ir.DataType.DOUBLE: 1.7976931348623157e308}


@dataclass(frozen=True)
class Cell:
    """A cell along one axis: its index, always inside, and what it counts.

    ``weight`` is None for nearest. ``inside`` is None where padding leaves nothing outside.
    """

    index: ir.Value
    weight: ir.Value | None
    inside: ir.Value | None


def finite_grid(draft: Draft, sample: VolumetricSample, grid: ir.Value) -> ir.Value:
    """The grid in the coordinates' type, with -1 in place of NaN and infinity.

    ONNX leaves both open. ONNX Runtime takes the lowest coordinate for them (since its pull request
    28302; before, a cast whose result C++ leaves undefined); PyTorch's CPU kernel takes other
    values. This is ONNX Runtime's.
    """
    dtype = sample.coordinate_dtype
    grid = draft.cast(grid, sample.grid_dtype, dtype)
    finite = draft.op("LessOrEqual", draft.op("Abs", grid), draft.constant(_LARGEST[dtype], dtype))
    return draft.op("Where", finite, grid, draft.constant(-1.0, dtype))


def axis_cells(
    draft: Draft, sample: VolumetricSample, coordinate: ir.Value, length: Size
) -> list[Cell]:
    """The one (nearest) or two (linear) cells of every point along an axis.

    ``coordinate`` is normalised, finite and in ``sample.coordinate_dtype``.
    """
    x = _clamped(draft, sample, _index_coordinate(draft, sample, coordinate, length))
    if sample.mode == "nearest":
        index = draft.op("Cast", draft.op("Round", x), to=int(_INT64))
        return [_cell(draft, sample, index, None, length)]
    dtype = sample.coordinate_dtype
    floor = draft.op("Floor", x)
    above = draft.op("Sub", draft.op("Add", floor, draft.constant(1.0, dtype)), x)
    below = draft.op("Sub", x, floor)
    first = draft.op("Cast", floor, to=int(_INT64))
    second = draft.op("Add", first, draft.constant(1, _INT64))
    return [
        _cell(draft, sample, index, draft.cast(weight, dtype, sample.work_dtype), length)
        for index, weight in ((first, above), (second, below))
    ]


def _index_coordinate(
    draft: Draft, sample: VolumetricSample, coordinate: ir.Value, length: Size
) -> ir.Value:
    dtype = sample.coordinate_dtype
    one, half = draft.constant(1.0, dtype), draft.constant(0.5, dtype)
    shifted = draft.op("Add", coordinate, one)
    if sample.align_corners:
        last = draft.tensor(draft.less(length, 1), dtype)
        return draft.op("Mul", draft.op("Mul", shifted, half), last)
    scaled = draft.op("Mul", shifted, draft.tensor(length, dtype))
    return draft.op("Mul", draft.op("Sub", scaled, one), half)


def _clamped(draft: Draft, sample: VolumetricSample, x: ir.Value) -> ir.Value:
    """x within what weights and integers can hold, without changing any cell that counts."""
    dtype = sample.coordinate_dtype
    bound = _CASTABLE if sample.padding == "reflection" else _EXACT_FRACTION
    low, high = draft.constant(-bound, dtype), draft.constant(bound, dtype)
    return draft.op("Min", draft.op("Max", x, low), high)


def _cell(
    draft: Draft, sample: VolumetricSample, index: ir.Value, weight: ir.Value | None, length: Size
) -> Cell:
    if sample.padding == "reflection":
        return Cell(_REFLECTIONS[sample.align_corners](draft, index, length), weight, None)
    clamped = _clamped_index(draft, index, draft.less(length, 1))
    inside = draft.op("Equal", clamped, index) if sample.padding == "zeros" else None
    return Cell(clamped, weight, inside)


def _clamped_index(draft: Draft, index: ir.Value, last: Size) -> ir.Value:
    lowest = draft.constant(0, _INT64)
    return draft.op("Min", draft.op("Max", index, lowest), draft.tensor(last))


def _mirrored_between_cells(draft: Draft, index: ir.Value, length: Size) -> ir.Value:
    """… 1 0 | 0 1 2 | 2 1 …"""
    period = draft.product(length, 2)
    inner = draft.op("Mod", index, draft.tensor(period))
    return draft.op("Min", inner, draft.op("Sub", draft.tensor(draft.less(period, 1)), inner))


def _mirrored_at_cells(draft: Draft, index: ir.Value, length: Size) -> ir.Value:
    """… 2 1 0 1 2 1 0 …; a single cell is its own mirror image (its period must not be 0)."""
    period = draft.product(draft.less(length, 1), 2)
    if isinstance(period, int):
        period = max(period, 1)
    else:
        period = draft.op("Max", period, draft.integers(1))
    inner = draft.op("Mod", index, draft.tensor(period))
    return draft.op("Min", inner, draft.op("Sub", draft.tensor(period), inner))


_REFLECTIONS: dict[bool, Callable[[Draft, ir.Value, Size], ir.Value]] = {
    False: _mirrored_between_cells,
    True: _mirrored_at_cells,
}
