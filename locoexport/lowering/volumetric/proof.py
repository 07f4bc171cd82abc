"""The proof: what stands in place of a GridSample, cut out and run beside the original node.

Both run on ONNX Runtime's CPU provider, at the model's opset or, where it has no kernel for that,
at 22 or 20, where it samples volumes in float32 and double. Element types that it does not sample
(bfloat16, integers, a volume and a grid of two types) are cast for the original alone, exactly: the
values tried fit float32. The replacement runs as it is; where ONNX Runtime cannot load it, on the
ONNX reference evaluator, with few points since that is slow. (The reference evaluator's own
GridSample is not asked: it holds coordinates in float32, and computes them in bfloat16 for a
bfloat16 grid, wrong by whole cells.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.volumetric.grid_sample import LoweredSample, VolumetricGridSample
from locoexport.lowering.volumetric.node import VolumetricSample, respelled_mode
from locoexport.lowering.volumetric.probes import (
    ProbeSizes,
    few_points,
    make_grid,
    make_volume,
    probe_sizes,
)

__all__ = ["SampleProof", "SampleTolerance", "prove_sample", "tolerance_for"]

_ROUNDS = 8
_POINTS_WANTED = 1000
_PROOF_OPSETS = (22, 20)
"""Where ONNX Runtime has kernels for volumes, in float32 and double."""
_IR_VERSION = 10
_VOLUME, _GRID, _OUTPUT = "volume", "grid", "output"

_Runner = Callable[[Sequence[NDArray[np.generic]]], NDArray[np.generic]]


@dataclass(frozen=True)
class SampleTolerance:
    """The largest difference allowed on a volume of standard normal values, and its origin."""

    worst: float
    origin: str


_TOLERANCES = {
    ir.DataType.FLOAT: SampleTolerance(
        2e-5,
        "measured at most 7.2e-7 over 24000 random models and coordinates to 1000, 3e-7 at "
        "(1, 2, 128, 128, 16): coordinates are the same bits, products are summed in another "
        "order; the rest is for other processors",
    ),
    ir.DataType.DOUBLE: SampleTolerance(1e-12, "as float32, with the rounding of double"),
    ir.DataType.FLOAT16: SampleTolerance(
        4e-3, "one unit in the last place of a float16 of 4 to 8: both sum in float32, then round"
    ),
    ir.DataType.BFLOAT16: SampleTolerance(
        3.2e-2, "one unit in the last place of a bfloat16 of 4 to 8"
    ),
}
_EXACT = SampleTolerance(0.0, "nearest picks cells: equal, or another cell")


@dataclass(frozen=True)
class SampleProof:
    """How far a replacement was from the original node, and where both were tried.

    ``sizes`` are the shapes of volume and grid; ``reduced`` where the node's own were too large.
    """

    worst_error: float
    tolerance: SampleTolerance
    sizes: tuple[ProbeSizes, ...]
    points: int
    runtime: str

    @property
    def reduced(self) -> bool:
        """True where the node's own sizes took too much memory to try."""
        return any(size.reduced for size in self.sizes)

    @property
    def passed(self) -> bool:
        """True where every difference is within the tolerance."""
        return self.worst_error <= self.tolerance.worst


def tolerance_for(sample: VolumetricSample) -> SampleTolerance:
    """What is allowed between ONNX Runtime's kernel and a lowering of ``sample``."""
    if sample.mode == "nearest":
        return _EXACT
    tolerance = _TOLERANCES[sample.volume_dtype]
    if sample.volume_dtype == ir.DataType.DOUBLE != sample.grid_dtype:
        return _TOLERANCES[ir.DataType.FLOAT]  # its coordinates are of float32
    return tolerance


def prove_sample(lowered: LoweredSample, opset: int) -> SampleProof:
    """Run original and replacement on the same inputs, at ``opset`` where a kernel is there.

    Raises:
        GraphCheckFailedError: neither ONNX Runtime nor the reference evaluator can run them.
    """
    reasons = []
    for court in _courts(lowered.sample, opset):
        try:
            return _prove(lowered, court)
        except _CannotRunError as error:
            reasons.append(str(error))
    raise GraphCheckFailedError(
        f"GridSample {lowered.sample.name!r} cannot be proven: no runtime here runs it: "
        + "; ".join(dict.fromkeys(reasons))
    )


class _CannotRunError(Exception):
    """A runtime lacks a kernel, an opset or a type."""


class _StumbledError(_CannotRunError):
    """A runtime took a model and failed while it ran."""


@dataclass(frozen=True)
class _Court:
    """Where original and replacement are compared; ``widen`` is what the original's types become
    where it cannot run in its own.
    """

    name: str
    opset: int
    widen: ir.DataType | None = None
    on_reference: bool = False


def _courts(sample: VolumetricSample, opset: int) -> Iterator[_Court]:
    opsets = tuple(dict.fromkeys((opset, *_PROOF_OPSETS)))
    for tried in opsets:
        yield _Court(f"ONNX Runtime CPU, opset {tried}", tried)
    wide = sample.coordinate_dtype
    beside = f"beside the original in {wide.name.lower()}"
    if ir.DataType.BFLOAT16 not in (sample.volume_dtype, sample.grid_dtype):
        for tried in opsets:
            yield _Court(f"ONNX Runtime CPU, opset {tried}, {beside}", tried, widen=wide)
    yield _Court(f"ONNX reference evaluator, {beside}", _PROOF_OPSETS[0], wide, on_reference=True)


def _prove(lowered: LoweredSample, court: _Court) -> SampleProof:
    sample = lowered.sample
    worst, points = 0.0, 0
    sizes = probe_sizes(sample)
    if court.on_reference:
        sizes = tuple(few_points(size) for size in sizes)
    for size in sizes:
        original, replacement = _runners(lowered, size, court)
        count = math.prod(size.grid[:-1])
        rounds = min(_ROUNDS, max(1, -(-_POINTS_WANTED // max(count, 1))))
        for seed in range(1 if court.on_reference else rounds):
            inputs = _inputs(sample, size, seed)
            worst = max(worst, _difference(original(inputs), _attempt(replacement, inputs)))
            points += count
    return SampleProof(worst, tolerance_for(sample), sizes, points, court.name)


def _runners(lowered: LoweredSample, size: ProbeSizes, court: _Court) -> tuple[_Runner, _Runner]:
    sample = lowered.sample
    replacement = _replacement(lowered, size, court.opset)
    if court.widen is None:
        return _on_onnxruntime(_original(sample, court.opset)), _on_onnxruntime(replacement)
    wide = replace(sample, volume_dtype=court.widen, grid_dtype=court.widen)
    run_wide = _on_onnxruntime(_original(wide, court.opset))
    narrow, widened = sample.volume_dtype.numpy(), court.widen.numpy()

    def original(inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        return run_wide([value.astype(widened) for value in inputs]).astype(narrow)

    run = _on_reference if court.on_reference else _on_onnxruntime
    return original, run(replacement)


def _attempt(replacement: _Runner, inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """What the replacement makes; nothing at all where it loads and then fails.

    A replacement that a runtime takes and stumbles over (an index out of bounds) is wrong. Asking
    another runtime would hide it: the reference evaluator counts negative indices from the end.
    """
    try:
        return replacement(inputs)
    except _StumbledError:
        return np.empty(0)


def _difference(expected: NDArray[np.generic], found: NDArray[np.generic]) -> float:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return math.inf
    first, second = expected.astype(np.float64), found.astype(np.float64)
    agree = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(invalid="ignore"):
        error = np.where(agree, 0.0, np.abs(first - second))
    return math.inf if np.isnan(error).any() else float(error.max(initial=0.0))


def _inputs(sample: VolumetricSample, sizes: ProbeSizes, seed: int) -> list[NDArray[np.generic]]:
    volume = make_volume(sizes, seed)
    volume_dtype = sample.volume_dtype
    if not volume_dtype.is_floating_point():
        volume = np.abs(volume) * 40
    grid = make_grid(
        sizes,
        align_corners=sample.align_corners,
        seed=seed + 1000,
        dtype=np.dtype(sample.grid_dtype.numpy()),
    )
    return [volume.astype(volume_dtype.numpy()), grid]


def _original(sample: VolumetricSample, opset: int) -> onnx.ModelProto:
    node = onnx.helper.make_node(
        "GridSample",
        [_VOLUME, _GRID],
        [_OUTPUT],
        mode=respelled_mode(sample.mode, opset),
        padding_mode=sample.padding,
        align_corners=int(sample.align_corners),
    )
    return _model(sample, [node], opset)


def _replacement(lowered: LoweredSample, sizes: ProbeSizes, opset: int) -> onnx.ModelProto:
    """The nodes that were written; for reduced sizes, those that are written for such sizes."""
    if sizes.reduced:
        lowered = _lowered_again(lowered, sizes)
    nodes = []
    new_names = {
        lowered.volume_name: _VOLUME,
        lowered.grid_name: _GRID,
        lowered.output_name: _OUTPUT,
    }
    for written in lowered.replacement:
        node = onnx.NodeProto()
        node.CopyFrom(written)
        for names in (node.input, node.output):
            names[:] = [new_names.get(name, name) for name in names]
        for attribute in node.attribute:
            if node.op_type == "GridSample" and attribute.name == "mode":
                attribute.s = respelled_mode(lowered.sample.mode, opset).encode()
        nodes.append(node)
    return _model(lowered.sample, nodes, opset)


def _lowered_again(lowered: LoweredSample, sizes: ProbeSizes) -> LoweredSample:
    """The same lowering of the same node at other static sizes."""
    sample = lowered.sample
    model = _original(sample, sample.opset)
    for value, shape in zip(model.graph.input, (sizes.volume, sizes.grid), strict=True):
        for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
            dimension.dim_value = size
    lowering = VolumetricGridSample(lowered.to)
    lowering(ir.from_proto(model))
    return lowering.lowered[0]


def _model(sample: VolumetricSample, nodes: list[onnx.NodeProto], opset: int) -> onnx.ModelProto:
    volume, grid = int(sample.volume_dtype), int(sample.grid_dtype)
    rank = len(sample.volume_shape)
    graph = onnx.helper.make_graph(
        nodes,
        "proof",
        [
            onnx.helper.make_tensor_value_info(_VOLUME, volume, [None] * rank),
            onnx.helper.make_tensor_value_info(_GRID, grid, [None] * rank),
        ],
        [onnx.helper.make_tensor_value_info(_OUTPUT, volume, [None] * rank)],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=_IR_VERSION
    )


def _on_onnxruntime(model: onnx.ModelProto) -> _Runner:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no common class
        raise _CannotRunError(f"ONNX Runtime: {error}") from error

    def run(inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        try:
            found = session.run(None, dict(zip((_VOLUME, _GRID), inputs, strict=True)))
        except Exception as error:
            raise _StumbledError(f"ONNX Runtime: {error}") from error
        return np.asarray(found[0])

    return run


def _on_reference(model: onnx.ModelProto) -> _Runner:
    evaluator = ReferenceEvaluator(model)

    def run(inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        try:
            found = evaluator.run(None, dict(zip((_VOLUME, _GRID), inputs, strict=True)))
        except Exception as error:
            raise _CannotRunError(f"ONNX reference evaluator: {error}") from error
        assert not isinstance(found, dict)
        return np.asarray(found[0])

    return run
