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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from locoexport.errors import GraphCheckFailedError
from locoexport.lowering.proof.differences import Value, worst_difference
from locoexport.lowering.proof.runners import (
    Arrays,
    CannotRunError,
    Runner,
    StumbledError,
    on_onnxruntime,
    on_reference,
)
from locoexport.lowering.proof.tolerance import ProofTolerance
from locoexport.lowering.volumetric.grid_sample import LoweredSample, VolumetricGridSample
from locoexport.lowering.volumetric.probes import (
    ProbeSizes,
    few_points,
    make_grid,
    make_volume,
    probe_sizes,
)
from locoexport.lowering.volumetric.samplers.node import VolumetricSample, respelled_mode

__all__ = ["SampleProof", "prove_sample", "tolerance_for"]

_ROUNDS = 8
_POINTS_WANTED = 1000
_PROOF_OPSETS = (22, 20)
"""Where ONNX Runtime has kernels for volumes, in float32 and double."""
_GRID_SAMPLE_OPSET = 16
_IR_VERSION = 10
_VOLUME, _GRID, _OUTPUT = "volume", "grid", "output"


_TOLERANCES = {
    ir.DataType.FLOAT: ProofTolerance(
        2e-5,
        "measured at most 7.2e-7 over 24000 random models and coordinates to 1000, 3e-7 at "
        "(1, 2, 128, 128, 16): coordinates are the same bits, products are summed in another "
        "order; the rest is for other processors",
    ),
    ir.DataType.DOUBLE: ProofTolerance(1e-12, "as float32, with the rounding of double"),
    ir.DataType.FLOAT16: ProofTolerance(
        4e-3, "one unit in the last place of a float16 of 4 to 8: both sum in float32, then round"
    ),
    ir.DataType.BFLOAT16: ProofTolerance(
        3.2e-2, "one unit in the last place of a bfloat16 of 4 to 8"
    ),
}
_EXACT = ProofTolerance(0.0, "nearest picks cells: equal, or another cell")


@dataclass(frozen=True)
class SampleProof:
    """How far a replacement was from the original node, and where both were tried.

    ``sizes`` are the shapes of volume and grid; ``reduced`` where the node's own were too large.
    """

    worst_error: float
    tolerance: ProofTolerance
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


def tolerance_for(sample: VolumetricSample) -> ProofTolerance:
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
    for setting in _settings(lowered.sample, opset):
        try:
            return _prove(lowered, setting)
        except CannotRunError as error:
            reasons.append(f"{setting.runtime}: {error}")
    raise GraphCheckFailedError(
        f"GridSample {lowered.sample.name!r} cannot be proven: no runtime here runs it: "
        + "; ".join(dict.fromkeys(reasons))
    )


@dataclass(frozen=True)
class _Setting:
    """Where original and replacement are compared; ``widen`` is what the original's types become
    where it cannot run in its own.
    """

    name: str
    opset: int
    widen: ir.DataType | None = None
    on_reference: bool = False

    @property
    def runtime(self) -> str:
        """The name without opset and types."""
        return self.name.partition(",")[0]


def _settings(sample: VolumetricSample, opset: int) -> Iterator[_Setting]:
    opsets = tuple(dict.fromkeys((opset, *_PROOF_OPSETS)))
    for tried in opsets:
        yield _Setting(f"ONNX Runtime CPU, opset {tried}", tried)
    wide = sample.coordinate_dtype
    beside = f"beside the original in {wide.name.lower()}"
    if ir.DataType.BFLOAT16 not in (sample.volume_dtype, sample.grid_dtype):
        for tried in opsets:
            yield _Setting(f"ONNX Runtime CPU, opset {tried}, {beside}", tried, widen=wide)
    yield _Setting(f"ONNX reference evaluator, {beside}", _PROOF_OPSETS[0], wide, on_reference=True)


def _prove(lowered: LoweredSample, setting: _Setting) -> SampleProof:
    sample = lowered.sample
    worst, points = 0.0, 0
    sizes = probe_sizes(sample)
    if setting.on_reference:
        sizes = tuple(few_points(size) for size in sizes)
    for size in sizes:
        original, replacement = _runners(lowered, size, setting)
        count = math.prod(size.grid[:-1])
        rounds = min(_ROUNDS, max(1, -(-_POINTS_WANTED // max(count, 1))))
        for seed in range(1 if setting.on_reference else rounds):
            inputs = _inputs(sample, size, seed)
            worst = max(worst, worst_difference(original(inputs), _attempt(replacement, inputs)))
            points += count
    return SampleProof(worst, tolerance_for(sample), sizes, points, setting.name)


def _runners(lowered: LoweredSample, size: ProbeSizes, setting: _Setting) -> tuple[Runner, Runner]:
    sample = lowered.sample
    # Below opset 16 there is no GridSample to run, and the replacement runs at the model's own.
    opset = setting.opset if sample.opset >= _GRID_SAMPLE_OPSET else sample.opset
    replacement = _replacement(lowered, size, opset)
    if setting.widen is None:
        return _run_optimised(_original(sample, setting.opset)), _run_optimised(replacement)
    wide = replace(sample, volume_dtype=setting.widen, grid_dtype=setting.widen)
    run_wide = _run_optimised(_original(wide, setting.opset))
    narrow, widened = sample.volume_dtype.numpy(), setting.widen.numpy()

    def original(inputs: Arrays) -> list[Value]:
        found = run_wide([one.astype(widened) for one in inputs])
        return [np.asarray(value).astype(narrow) for value in found]

    run = on_reference if setting.on_reference else _run_optimised
    return original, run(replacement)


# As users run it: a replacement that only an optimiser breaks is broken.
_run_optimised = partial(on_onnxruntime, optimised=True)


def _attempt(replacement: Runner, inputs: Arrays) -> list[Value]:
    """What the replacement makes; nothing at all where it loads and then fails.

    A replacement that a runtime takes and stumbles over (an index out of bounds) is wrong. Asking
    another runtime would hide it: the reference evaluator counts negative indices from the end.
    """
    try:
        return replacement(inputs)
    except StumbledError:
        return []


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


def _original(sample: VolumetricSample, opset: int) -> bytes:
    node = onnx.helper.make_node(
        "GridSample",
        [_VOLUME, _GRID],
        [_OUTPUT],
        mode=respelled_mode(sample.mode, opset),
        padding_mode=sample.padding,
        align_corners=int(sample.align_corners),
    )
    return _model(sample, [node], opset)


def _replacement(lowered: LoweredSample, sizes: ProbeSizes, opset: int) -> bytes:
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
    model = onnx.load_from_string(_original(sample, sample.opset))
    for value, shape in zip(model.graph.input, (sizes.volume, sizes.grid), strict=True):
        for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
            dimension.dim_value = size
    lowering = VolumetricGridSample(lowered.to)
    lowering(ir.from_proto(model))
    return lowering.lowered[0]


def _model(sample: VolumetricSample, nodes: list[onnx.NodeProto], opset: int) -> bytes:
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
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=_IR_VERSION
    )
    return bytes(model.SerializeToString())
