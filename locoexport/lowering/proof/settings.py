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
_APART_BY_DEFINITION = ("GridSample", "MaxUnpool", "Resize")
"""What the two runtimes compute in different ways: one tells nothing of the other."""
_ACROSS = ProofTolerance(
    2e-5,
    "ONNX Runtime beside the ONNX reference: measured at most 1.7e-6 of the largest value over the "
    "841 float32 outputs of onnx's node suite that both make; the rest is for other processors",
)
_ACROSS_HALF = ProofTolerance(
    8e-3,
    "one unit in the last place of a float16 of 8 to 16: measured at most 4.9e-4, a unit of values "
    "below 1, over the 10 float16 outputs of onnx's node suite that both make",
)


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


def settings_for(subject: CutOut) -> Iterator[Setting]:
    """Every way to run this cut-out, the best first."""
    runtime, reference = load_unoptimised, on_reference
    yield Setting("ONNX Runtime CPU", subject, runtime, runtime, plain=True)
    trusted = _reference_is_right(subject)
    if trusted:
        yield Setting("ONNX reference", subject, reference, reference, plain=True)
    single = _in_float32(subject)
    if single is not None:
        yield Setting("ONNX Runtime CPU, in float32", single, runtime, runtime)
    if trusted and _may_stand_apart(subject):
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


def _may_stand_apart(subject: CutOut) -> bool:
    """Whether one side on each runtime is told anything: how far the two are apart was measured."""
    if any(known.elem_type == TensorProto.BFLOAT16 for known in subject.inputs):
        return False
    return not any(kind in _APART_BY_DEFINITION for side in subject.operators for kind in side)


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
    allowed += [_ACROSS_HALF for k in subject.inputs if k.elem_type == TensorProto.FLOAT16]
    return max(allowed, key=lambda one: one.worst)
