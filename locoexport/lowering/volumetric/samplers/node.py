"""One GridSample node, read: what it samples, how, and whether it is volumetric.

Axes have their ONNX names: the volume is (N, C, D, H, W), the grid (N, D', H', W', 3) with the
last axis as (x, y, z), that is along (W, H, D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from locoexport.errors import GraphCheckFailedError, ModelFileError
from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.lowering.volumetric.samplers.unknown_types import assumption, why_unknown

__all__ = [
    "VOLUME_RANK",
    "VolumetricSample",
    "grid_sample_rank",
    "is_grid_sample",
    "name_of",
    "read_volumetric",
    "respelled_mode",
]

VOLUME_RANK = 5
_LINEAR = ("linear", "bilinear", "trilinear")
_CUBIC = ("cubic", "bicubic", "tricubic")
_PADDINGS = ("zeros", "border", "reflection")
_NEW_SPELLING_OPSET = 20
_OLD_SPELLINGS = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}
_GRID_TYPES = (
    ir.DataType.FLOAT,
    ir.DataType.DOUBLE,
    ir.DataType.FLOAT16,
    ir.DataType.BFLOAT16,
)
_NEVER_SAMPLED = (
    ir.DataType.STRING,
    ir.DataType.COMPLEX64,
    ir.DataType.COMPLEX128,
)

Dimensions = tuple[int | None, ...]


@dataclass(frozen=True)
class VolumetricSample:
    """A rank-5 GridSample; ``mode`` is ``linear`` or ``nearest`` whatever the file's spelling.

    ``volume_shape`` is (N, C, D, H, W), ``grid_shape`` (N, D', H', W', 3); None is not known.
    """

    name: str
    mode: str
    padding: str
    align_corners: bool
    volume_dtype: ir.DataType
    grid_dtype: ir.DataType
    volume_shape: Dimensions
    grid_shape: Dimensions
    opset: int

    @property
    def coordinate_dtype(self) -> ir.DataType:
        """What coordinates are computed in: never less than float32 (as ONNX Runtime does)."""
        double = self.grid_dtype == ir.DataType.DOUBLE
        return ir.DataType.DOUBLE if double else ir.DataType.FLOAT

    @property
    def work_dtype(self) -> ir.DataType:
        """What values are weighted in: never less than float32."""
        double = ir.DataType.DOUBLE in (self.volume_dtype, self.grid_dtype)
        return ir.DataType.DOUBLE if double else ir.DataType.FLOAT

    def __str__(self) -> str:
        volume = ", ".join("?" if size is None else str(size) for size in self.volume_shape)
        return (
            f"GridSample of rank 5, {self.mode}, {self.padding}, "
            f"align_corners={int(self.align_corners)}, {self.volume_dtype.name.lower()} ({volume})"
        )


def is_grid_sample(node: ir.Node | onnx.NodeProto) -> bool:
    """True for GridSample of the default domain, under either of its names."""
    return node.op_type == "GridSample" and node.domain in DEFAULT_DOMAINS


def grid_sample_rank(node: ir.Node) -> int | None:
    """The rank of what a GridSample samples: from its inputs, its output or the grid's last axis.

    ONNX demands that volume, grid and output have one rank, and that the grid's last axis is as
    long as the volume has spatial axes.
    """
    for value in (*node.inputs[:2], *node.outputs[:1]):
        if value is not None and value.shape is not None:
            return value.shape.rank()
    return None


def name_of(node: ir.Node) -> str:
    """The node's name, or else that of what it makes."""
    made = next((value.name for value in node.outputs if value.name), None)
    return node.name or made or node.op_type


def respelled_mode(mode: str, opset: int) -> str:
    """``linear``, ``cubic`` or ``nearest`` as the opset spells it (``bilinear`` up to 19)."""
    return mode if opset >= _NEW_SPELLING_OPSET else _OLD_SPELLINGS[mode]


def read_volumetric(node: ir.Node, opset: int) -> VolumetricSample | None:
    """The node if it is volumetric; None where it is proven to be of another rank.

    Raises:
        GraphCheckFailedError: its rank or element type is unknown, or it samples what has no sum.
        ModelFileError: it is cubic, which ONNX and its runtimes leave undefined for volumes, or
            its attributes mean nothing.
    """
    name = name_of(node)
    if len(node.inputs) < 2 or None in node.inputs[:2] or not _is_named(node.outputs):
        raise ModelFileError(f"GridSample {name!r} lacks its volume, its grid or its output.")
    rank = grid_sample_rank(node)
    if rank is None:
        raise GraphCheckFailedError(_unknown_rank(node, name))
    if rank != VOLUME_RANK:
        return None
    volume, grid = node.inputs[0], node.inputs[1]
    assert volume is not None
    assert grid is not None
    output = node.outputs[0]
    for value in (volume, grid, output):
        if value.shape is not None and value.shape.rank() != VOLUME_RANK:
            raise ModelFileError(
                f"GridSample {name!r} is of rank {VOLUME_RANK} by one of its values and of rank "
                f"{value.shape.rank()} by {value.name!r}; ONNX demands one rank."
            )
    dtype = volume.dtype or output.dtype
    if dtype is None or grid.dtype is None:
        raise GraphCheckFailedError(_unknown_types(node, name))
    sample = VolumetricSample(
        name=name,
        mode=_mode(node, name),
        padding=_text(node, "padding_mode", "zeros"),
        align_corners=bool(_number(node, "align_corners", 0)),
        volume_dtype=dtype,
        grid_dtype=grid.dtype,
        volume_shape=_volume_shape(volume, grid, output),
        grid_shape=_grid_shape(volume, grid, output),
        opset=opset,
    )
    _check(sample)
    return sample


def _check(sample: VolumetricSample) -> None:
    where = f"GridSample {sample.name!r}"
    if sample.padding not in _PADDINGS:
        raise ModelFileError(
            f"{where} has padding_mode {sample.padding!r}; ONNX knows {', '.join(_PADDINGS)}."
        )
    if sample.grid_dtype not in _GRID_TYPES:
        raise ModelFileError(f"{where} has a grid of {sample.grid_dtype.name}; ONNX needs floats.")
    if sample.volume_dtype in _NEVER_SAMPLED:
        raise GraphCheckFailedError(f"{where} samples {sample.volume_dtype.name}; cannot lower it.")
    if 0 in sample.volume_shape[2:]:
        raise ModelFileError(
            f"{where} samples a volume without cells, {sample.volume_shape[2:]} (D, H, W): it has "
            "no values, and ONNX Runtime refuses it. Export the model at another size."
        )
    if sample.mode == "linear" and not sample.volume_dtype.is_floating_point():
        raise GraphCheckFailedError(
            f"{where} interpolates {sample.volume_dtype.name} linearly; how the sum is rounded is "
            "left open by ONNX. Cast the volume to float32 first."
        )


def _is_named(outputs: Sequence[ir.Value]) -> bool:
    return bool(outputs) and bool(outputs[0].name)


def _unknown_rank(node: ir.Node, name: str) -> str:
    volume = node.inputs[0]
    assert volume is not None
    return (
        f"GridSample {name!r} samples a tensor of unknown rank, so it may sample a volume: "
        f"{why_unknown(volume)}. If it is a float32 volume of 5 axes, pass "
        f"{assumption([volume], 'float32[?,?,?,?,?]')}; if it is an image, give it 4 axes there."
    )


def _unknown_types(node: ir.Node, name: str) -> str:
    volume, grid = node.inputs[0], node.inputs[1]
    assert volume is not None
    assert grid is not None
    roles = {
        role: value
        for role, value in (("volume", volume), ("grid", grid))
        if value.dtype is None and (value is grid or node.outputs[0].dtype is None)
    }
    told = "; ".join(f"its {role} {why_unknown(value)}" for role, value in roles.items())
    return (
        f"GridSample {name!r} has inputs of unknown element type: {told}. If "
        f"{'it is' if len(roles) == 1 else 'they are'} float32, pass "
        f"{assumption(list(roles.values()), 'float32')}."
    )


def _mode(node: ir.Node, name: str) -> str:
    mode = _text(node, "mode", "linear")
    if mode in _LINEAR:
        return "linear"
    if mode in _CUBIC:
        raise ModelFileError(
            f"GridSample {name!r} is {mode} on a volume of rank 5. Cubic sampling of volumes is "
            "undefined: PyTorch and ONNX Runtime refuse it, so there is nothing to be equal to. "
            "Export the model with mode='bilinear' or 'nearest'."
        )
    if mode != "nearest":
        raise ModelFileError(f"GridSample {name!r} has mode {mode!r}, which ONNX does not know.")
    return mode


def _text(node: ir.Node, name: str, default: str) -> str:
    return node.attributes.get_string(name, default) or default


def _number(node: ir.Node, name: str, default: int) -> int:
    found = node.attributes.get_int(name, default)
    return default if found is None else found


def _volume_shape(volume: ir.Value, grid: ir.Value, output: ir.Value) -> Dimensions:
    shape = _dimensions(volume)
    batch = _first(shape[0], _dimensions(grid)[0], _dimensions(output)[0])
    return (batch, _first(shape[1], _dimensions(output)[1]), *shape[2:])


def _grid_shape(volume: ir.Value, grid: ir.Value, output: ir.Value) -> Dimensions:
    shape, from_output = _dimensions(grid), _dimensions(output)
    batch = _first(shape[0], _dimensions(volume)[0], from_output[0])
    points = (_first(*pair) for pair in zip(shape[1:4], from_output[2:], strict=True))
    return (batch, *points, 3)


def _dimensions(value: ir.Value) -> Dimensions:
    if value.shape is None:
        return (None,) * VOLUME_RANK
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in value.shape)


def _first(*sizes: int | None) -> int | None:
    return next((size for size in sizes if size is not None), None)
