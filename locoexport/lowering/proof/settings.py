"""Where the two sides of a cut-out can be run, one way after the other.

1. ONNX Runtime on the CPU: what users have.
2. ONNX's reference evaluator: it has operators and types that ONNX Runtime has no kernel for.
3. Where equal bits are asked for and only a kernel for the element type is lacking: ONNX Runtime,
   with all floats as float32. What another version reads of a node is not its element type.
4. One side on each, which have the same meaning and other arithmetic.

The reference evaluator's GridSample is asked in float32 alone: it holds coordinates in float32, and
computes them in bfloat16 for a bfloat16 grid, wrong by whole cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from locoexport.graphs.values.known_values import KnownValue, is_float
from locoexport.lowering.proof.cut_out import CutOut
from locoexport.lowering.proof.runners import Runner, on_onnxruntime, on_reference
from locoexport.lowering.proof.tolerance import ProofTolerance

__all__ = ["Setting", "load_unoptimised", "settings_for"]

_FLOATS = (TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_WRONG_ON_REFERENCE = ("GridSample",)
_ACROSS = ProofTolerance(2e-5, "ONNX Runtime beside the ONNX reference, which sum in another order")
_ACROSS_HALF: dict[int, ProofTolerance] = {
    TensorProto.FLOAT16: ProofTolerance(
        8e-3, "one unit in the last place of a float16 of 8 to 16: another order of sums, rounded"
    ),
    TensorProto.BFLOAT16: ProofTolerance(
        6.3e-2, "one unit in the last place of a bfloat16 of 8 to 16: another order of sums"
    ),
}


@dataclass(frozen=True)
class Setting:
    """One way to run both sides of ``subject``.

    ``together`` where one runtime runs both, ``plain`` where that runs the very cut-out.
    """

    name: str
    subject: CutOut
    original: Callable[[bytes], Runner]
    replacement: Callable[[bytes], Runner]
    together: bool = True
    plain: bool = False


def load_unoptimised(model: bytes) -> Runner:
    """In ONNX Runtime, as the nodes are written: an optimiser would fold small models away."""
    return on_onnxruntime(model, optimised=False)


def _load_on_reference(model: bytes) -> Runner:
    """In the reference evaluator."""
    return on_reference(model)


def settings_for(subject: CutOut) -> Iterator[Setting]:
    """Every way to run this cut-out, the best first."""
    runtime, reference = load_unoptimised, _load_on_reference
    yield Setting("ONNX Runtime CPU", subject, runtime, runtime, plain=True)
    trusted = _reference_is_right(subject)
    if trusted:
        yield Setting("ONNX reference", subject, reference, reference, plain=True)
    single = _in_float32(subject)
    if single is not None:
        yield Setting("ONNX Runtime CPU, in float32", single, runtime, runtime)
    if trusted:
        apart = replace(subject, tolerance=_across(subject))
        name = "the original on {}, what replaces it on {}"
        names = ("ONNX reference", "ONNX Runtime CPU")
        yield Setting(name.format(*names), apart, reference, runtime, together=False)
        yield Setting(name.format(*names[::-1]), apart, runtime, reference, together=False)


def _reference_is_right(subject: CutOut) -> bool:
    kinds = {known.elem_type for known in subject.inputs if is_float(known)}
    if kinds <= {TensorProto.FLOAT}:
        return True
    nodes = onnx.load_from_string(subject.before).graph.node
    return not any(node.op_type in _WRONG_ON_REFERENCE for node in nodes)


def _in_float32(subject: CutOut) -> CutOut | None:
    """The cut-out of one node on each side with float32 in place of every other float."""
    if not subject.same_operator or not any(known.elem_type in _FLOATS for known in subject.inputs):
        return None
    inputs = tuple(
        KnownValue(TensorProto.FLOAT, known.shape) if known.elem_type in _FLOATS else known
        for known in subject.inputs
    )
    before, after = (_retyped(side) for side in (subject.before, subject.after))
    allowed = min(subject.tolerance, _ACROSS, key=lambda one: one.worst)
    return replace(subject, before=before, after=after, inputs=inputs, tolerance=allowed)


def _retyped(side: bytes) -> bytes:
    model = onnx.load_from_string(side)
    for value in model.graph.input:
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in model.graph.initializer:
        if tensor.data_type in _FLOATS:
            single = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(single, tensor.name))
    return bytes(model.SerializeToString(deterministic=True))


def _across(subject: CutOut) -> ProofTolerance:
    """What two runtimes may be apart by: rounding in the narrowest type there is."""
    allowed = [subject.tolerance, _ACROSS]
    allowed += [_ACROSS_HALF[k.elem_type] for k in subject.inputs if k.elem_type in _ACROSS_HALF]
    return max(allowed, key=lambda one: one.worst)
