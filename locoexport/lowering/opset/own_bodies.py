"""Operators of later opsets, written in operators that opset 16 has: a function each.

Here is what the bodies of ONNX's own schemas (``schema_bodies``) do not serve:

- Gelu and LayerNormalization are written as torch's exporter writes them below their opsets: ONNX
  Runtime fuses these patterns into the same kernels again.
- The normalisations: the schemas' bodies take the variance as E[x²] - E[x]², which cancels where
  the mean is large; here it is the mean of the squared deviations. RMSNormalization's body computes
  its axes at run time, which older reductions do not take.
- AffineGrid: the schema's body squeezes the batch away where it is 1.
- Split into equal parts is an attribute of version 18, and older versions are told the sizes; Pad
  takes the axes that it pads since version 18, and older versions are told of all axes.

Half precisions are computed in float32 and rounded once, as ONNX Runtime's kernels do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from locoexport.errors import ModelFileError
from locoexport.graphs.drafts import Draft, Size
from locoexport.graphs.values.known_values import read_constant
from locoexport.machine.limits import EVALUATED_BYTES

__all__ = ["OWN_BODIES", "CannotExpandError", "Writer"]

Writer = Callable[[Draft, ir.Node, int], Sequence[ir.Value]]
"""(draft, node, the model's opset) → a value for each of the node's outputs."""

_AXES_AS_INPUT = 18
_SCALE_A_CHANNEL = 21
_HIGHEST_RANK = 64
_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


class CannotExpandError(Exception):
    """Why a node is left as it is."""


def write_gelu(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """x·Φ(x), by erf or by tanh."""
    x = _Floats(draft, node, 0)
    if node.attributes.get_string("approximate", "none") == "tanh":
        cubed = draft.op("Pow", x.value, x.number(3.0))
        inner = draft.op("Add", x.value, draft.op("Mul", cubed, x.number(0.044715)))
        scaled = draft.op("Mul", inner, x.number(math.sqrt(2 / math.pi)))
        both = draft.op("Add", draft.op("Tanh", scaled), x.number(1.0))
        result = draft.op("Mul", draft.op("Mul", x.value, x.number(0.5)), both)
    else:
        scaled = draft.op("Div", x.value, x.number(math.sqrt(2)))
        both = draft.op("Add", draft.op("Erf", scaled), x.number(1.0))
        result = draft.op("Mul", draft.op("Mul", x.value, both), x.number(0.5))
    return [x.narrowed(result)]


def write_layer_normalization(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """(x - mean)/√(variance + ε)·scale + bias, over the last axes; and the mean and 1/√."""
    x = _Floats(draft, node, 0)
    axes = _last_axes(node, x.source_value)
    mean = _mean(draft, x.value, axes, opset)
    deviation, deviations = _standardised(draft, x, mean, axes, node, opset)
    result = _scaled(draft, node, x, draft.op("Div", deviation, deviations))
    outputs = [x.narrowed(result)]
    for wanted, value in zip(node.outputs[1:], (mean, deviations), strict=False):
        if not wanted.name:
            outputs.append(value)  # left out
            continue
        told = draft.op("Reciprocal", value) if value is deviations else value
        outputs.append(draft.cast(told, x.work, ir.DataType.FLOAT))
    return outputs


def write_group_normalization(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """LayerNormalization of each group of channels; scale and bias a channel (a group at 18)."""
    x = _Floats(draft, node, 0)
    groups = node.attributes.get_int("num_groups", None)
    if groups is None:
        raise CannotExpandError("it gives no num_groups")
    shape = draft.op("Shape", x.source_value)
    grouped = draft.op("Reshape", x.value, draft.integers(0, groups, -1))
    mean = _mean(draft, grouped, [2], opset)
    of_group = x.over(grouped)
    deviation, deviations = _standardised(draft, of_group, mean, [2], node, opset)
    normalised = draft.op("Div", deviation, deviations)
    if opset >= _SCALE_A_CHANNEL:
        whole = draft.op("Reshape", normalised, shape)
        normalised = draft.op("Reshape", whole, draft.integers(0, 0, -1))
    scaled = _scaled(draft, node, x, normalised, spread=draft.integers(1, -1, 1))
    return [x.narrowed(draft.op("Reshape", scaled, shape))]


def write_rms_normalization(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """x/√(mean of x² + ε)·scale, over the last axes."""
    x = _Floats(draft, node, 0)
    axes = _last_axes(node, x.source_value)
    squared = _mean(draft, draft.op("Mul", x.value, x.value), axes, opset)
    epsilon = x.number(_number(node, "epsilon", 1e-5))
    root = draft.op("Sqrt", draft.op("Add", squared, epsilon))
    return [x.narrowed(_scaled(draft, node, x, draft.op("Div", x.value, root)))]


def write_affine_grid(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """theta (N, d, d + 1) on the cell centres of a size (N, C, ..., H, W): (N, ..., H, W, d).

    A length of 1 with ``align_corners`` has its only point at 1, as in ONNX Runtime: ONNX leaves it
    open (PyTorch says 0, the ONNX reference -1).
    """
    theta = _Floats(draft, node, 0)
    size = _input(node, 1)
    axes = _affine_axes(theta.source_value, size)
    known = read_constant(size)
    sizes = None if known is None else [int(length) for length in known.numpy().reshape(-1)]
    if sizes is not None and (len(sizes) != axes + 2 or min(sizes) < 0):
        raise CannotExpandError(f"its size {sizes[:8]} does not have {axes} axes")
    aligned = bool(node.attributes.get_int("align_corners", 0))
    total: ir.Value | None = None
    for axis in range(axes):  # x along the last axis first, as theta's columns are
        position = axes + 1 - axis
        length: Size
        if sizes is None:
            length = draft.op("Gather", size, draft.integers(position), axis=0)
        else:
            length = sizes[position]
        centres = _centres(draft, length, theta.work, aligned=aligned)
        along = [-1 if place == position else 1 for place in range(1, axes + 3)]
        centres = draft.op("Reshape", centres, draft.integers(*along))
        part = draft.op("Mul", _column(draft, theta.value, axis, axes), centres)
        total = part if total is None else draft.op("Add", total, part)
    assert total is not None
    moved = draft.op("Add", total, _column(draft, theta.value, axes, axes))
    return [theta.narrowed(moved)]


def write_split(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """``num_outputs`` parts of one length, the last one shorter: told as sizes."""
    x, parts = _input(node, 0), len(node.outputs)
    axis = node.attributes.get_int("axis", 0)
    if x.shape is not None and not -x.shape.rank() <= axis < x.shape.rank():
        raise CannotExpandError(f"its input has no axis {axis}")
    known = None if x.shape is None else x.shape[axis]
    if isinstance(known, int):
        chunk = -(-known // parts)
        lengths = [chunk] * (parts - 1) + [known - chunk * (parts - 1)]
        if lengths[-1] < 0:
            raise CannotExpandError(f"{known} cannot be split into {parts}")
        sizes = draft.integers(*lengths)
    else:
        length = draft.size(x, axis, None)
        assert isinstance(length, ir.Value)
        raised = draft.op("Add", length, draft.integers(parts - 1))
        whole = draft.op("Div", raised, draft.integers(parts))
        rest = draft.op("Sub", length, draft.op("Mul", whole, draft.integers(parts - 1)))
        sizes = draft.op("Concat", *[whole] * (parts - 1), rest, axis=0)
    return draft.node("Split", [x, sizes], {"axis": axis}, parts)


def write_pad(draft: Draft, node: ir.Node, opset: int) -> Sequence[ir.Value]:
    """Pads of some axes, told as pads of all: 0 for the others."""
    x, pads = _input(node, 0), _input(node, 1)
    axes = read_constant(_input(node, 3))
    if axes is None:
        raise CannotExpandError("its axes are computed")
    listed = axes.numpy().astype(np.int64).reshape(-1)
    # Beginnings first, then ends. What is below 0 counts from the end of both.
    base, less = np.tile(listed, 2), np.concatenate([listed < 0, listed >= 0])
    where: ir.Value
    if x.shape is not None:
        rank = x.shape.rank()
        where = draft.constant(base - less * rank, ir.DataType.INT64)
        length = draft.integers(2 * rank)
    else:
        read = draft.op("Shape", draft.op("Shape", x))
        taken = draft.op("Mul", draft.constant(less, ir.DataType.INT64), read)
        where = draft.op("Sub", draft.constant(base, ir.DataType.INT64), taken)
        length = draft.op("Mul", read, draft.integers(2))
    zeros = draft.op("Expand", draft.integers(0), length)
    whole = draft.op("ScatterElements", zeros, where, pads, axis=0)
    value = node.inputs[2]
    return draft.node("Pad", [x, whole, value], dict(node.attributes))


OWN_BODIES: dict[str, Writer] = {
    "Gelu": write_gelu,
    "LayerNormalization": write_layer_normalization,
    "GroupNormalization": write_group_normalization,
    "RMSNormalization": write_rms_normalization,
    "AffineGrid": write_affine_grid,
    "Split": write_split,
    "Pad": write_pad,
}


class _Floats:
    """An input as it is computed with: float32, or double where it is double."""

    def __init__(self, draft: Draft, node: ir.Node, index: int) -> None:
        self._draft = draft
        self.source_value = _input(node, index)
        self.source = _float_type(self.source_value)
        double = self.source == ir.DataType.DOUBLE
        self.work = ir.DataType.DOUBLE if double else ir.DataType.FLOAT
        self.value = draft.cast(self.source_value, self.source, self.work)

    def over(self, value: ir.Value) -> _Floats:
        """The same types over another value, which is of the working type."""
        other = _Floats.__new__(_Floats)
        other._draft, other.source_value, other.value = self._draft, self.source_value, value
        other.source, other.work = self.source, self.work
        return other

    def number(self, value: float) -> ir.Value:
        return self._draft.constant(value, self.work)

    def narrowed(self, value: ir.Value) -> ir.Value:
        """``value`` in the input's own type."""
        return self._draft.cast(value, self.work, self.source)


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise CannotExpandError(f"its input {index + 1} is left out")
    return value


def _float_type(value: ir.Value) -> ir.DataType:
    if value.dtype is None:
        raise CannotExpandError(f"the type of its input {value.name!r} is unknown")
    if value.dtype not in _FLOATS:
        raise CannotExpandError(f"its input {value.name!r} is {value.dtype.name.lower()}")
    return value.dtype


def _number(node: ir.Node, name: str, default: float) -> float:
    found = node.attributes.get_float(name, None)
    return float(np.float32(default)) if found is None else found  # attributes are float32


def _last_axes(node: ir.Node, x: ir.Value) -> list[int]:
    """The axes from ``axis`` to the last, counted from the end."""
    axis = node.attributes.get_int("axis", -1)
    if axis >= 0:
        if x.shape is None:
            raise CannotExpandError(f"the rank of its input {x.name!r} is unknown")
        axis -= x.shape.rank()
    rank = _HIGHEST_RANK if x.shape is None else x.shape.rank()
    if not -rank <= axis < 0:
        raise CannotExpandError(f"its input {x.name!r} has no such axis")
    return list(range(axis, 0))


def _mean(draft: Draft, value: ir.Value, axes: list[int], opset: int) -> ir.Value:
    if opset >= _AXES_AS_INPUT:
        return draft.op("ReduceMean", value, draft.integers(*axes))
    return draft.op("ReduceMean", value, axes=axes)


def _standardised(
    draft: Draft, x: _Floats, mean: ir.Value, axes: list[int], node: ir.Node, opset: int
) -> tuple[ir.Value, ir.Value]:
    """x - mean, and √(its mean square + ε)."""
    deviation = draft.op("Sub", x.value, mean)
    squared = draft.op("Pow", deviation, x.number(2.0))
    variance = _mean(draft, squared, axes, opset)
    epsilon = x.number(_number(node, "epsilon", 1e-5))
    return deviation, draft.op("Sqrt", draft.op("Add", variance, epsilon))


def _scaled(
    draft: Draft, node: ir.Node, x: _Floats, value: ir.Value, spread: ir.Value | None = None
) -> ir.Value:
    """Times input 2, plus input 3 where there is one; both reshaped to ``spread``."""
    for index, op_type in ((1, "Mul"), (2, "Add")):
        if index >= len(node.inputs) or node.inputs[index] is None:
            continue
        factor = _input(node, index)
        factor = draft.cast(factor, _float_type(factor), x.work)
        if spread is not None:
            factor = draft.op("Reshape", factor, spread)
        value = draft.op(op_type, value, factor)
    return value


def _affine_axes(theta: ir.Value, size: ir.Value) -> int:
    axes: int | None = None
    if theta.shape is not None and theta.shape.rank() == 3 and isinstance(theta.shape[1], int):
        axes = theta.shape[1]
    elif size.shape is not None and size.shape.rank() == 1 and isinstance(size.shape[0], int):
        axes = size.shape[0] - 2
    if axes is None:
        raise CannotExpandError("whether it is of images or volumes is unknown")
    if axes not in (2, 3):
        raise CannotExpandError(f"it is of {axes} axes, neither of images nor of volumes")
    return axes


def _centres(draft: Draft, length: Size, dtype: ir.DataType, *, aligned: bool) -> ir.Value:
    """-1 to 1 at the centres of ``length`` cells, or with ``aligned`` from border to border."""
    int64 = ir.DataType.INT64
    if isinstance(length, int):
        EVALUATED_BYTES.check(8 * length, "The grid of an AffineGrid", ModelFileError)
        cells = np.arange(length, dtype=np.float64)
        if aligned:
            return draft.constant(1 - 2 * (length - 1 - cells) / max(length - 1, 1), dtype)
        return draft.constant((2 * cells + 1 - length) / length, dtype)
    scalar = draft.op("Reshape", length, draft.constant(np.empty(0, np.int64), int64))
    cells_read = draft.op("Range", draft.constant(0, int64), scalar, draft.constant(1, int64))
    doubled = draft.op("Mul", cells_read, draft.constant(2, int64))
    if aligned:
        steps = draft.op("Sub", length, draft.integers(1))
        beyond = draft.op("Sub", doubled, draft.op("Mul", steps, draft.constant(2, int64)))
        steps = draft.op("Max", steps, draft.integers(1))
    else:
        beyond = draft.op("Sub", draft.op("Add", doubled, draft.constant(1, int64)), length)
        steps = length
    share = draft.op("Div", draft.cast(beyond, int64, dtype), draft.cast(steps, int64, dtype))
    return draft.op("Add", share, draft.constant(1.0, dtype)) if aligned else share


def _column(draft: Draft, theta: ir.Value, column: int, axes: int) -> ir.Value:
    """A column of theta as (N, 1, ..., 1, d)."""
    taken = draft.op("Gather", theta, draft.constant(column, ir.DataType.INT64), axis=2)
    return draft.op("Reshape", taken, draft.integers(0, *[1] * axes, axes))
