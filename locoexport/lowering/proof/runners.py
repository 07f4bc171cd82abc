"""Small models run for a proof: in ONNX Runtime on the CPU, or in ONNX's reference evaluator.

ONNX Runtime's Python interface neither takes nor gives bfloat16 and the types of 8 bits and less:
there a model gets a Cast at each edge, from float32 and to it, which hold every such value exactly.
An opset that is newer than ONNX Runtime is told as the newest that it takes, where every operator
has the same version at both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import defs, helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from locoexport.graphs.schemas import schema_at
from locoexport.graphs.walking import iterate_nodes
from locoexport.lowering.proof.differences import Value

__all__ = [
    "Arrays",
    "CannotRunError",
    "NotValidError",
    "Runner",
    "StumbledError",
    "brief",
    "on_onnxruntime",
    "on_reference",
    "one_thread_options",
]

Arrays = Sequence[NDArray[np.generic]]
"""The values of a model's inputs, in the graph's order."""
_PLACE = re.compile(r"/onnxruntime_src/\S+:\d+ [^()]*\([^()]*\)( const)? ?")
_LONGEST = 200
Runner = Callable[[Arrays], list[Value]]

_NOT_IN_PYTHON = {
    f"tensor({name.lower()})": kind
    for name, kind in onnx.TensorProto.DataType.items()
    if name.startswith(("BFLOAT", "FLOAT8", "FLOAT6", "FLOAT4", "INT4", "UINT4", "INT2", "UINT2"))
}
_EDGE = "/float"


def brief(error: Exception) -> str:
    """A runtime's words on one line, without the places in its source that they begin with."""
    return _PLACE.sub("", " ".join(str(error).split()))[:_LONGEST]


class CannotRunError(Exception):
    """A runtime lacks a kernel, an opset or a type; the text is one line of its own words."""


class NotValidError(CannotRunError):
    """A runtime says of a model that it breaks the standard."""


class StumbledError(CannotRunError):
    """A runtime took a model and failed while it ran."""


def on_onnxruntime(model: bytes, *, optimised: bool) -> Runner:
    """The model in ONNX Runtime's CPU provider, on one thread.

    The runner that comes back raises ``StumbledError`` where the model fails on its inputs, and
    ``CannotRunError`` where a kernel says only then that it does not do this.

    Raises:
        NotValidError: ONNX Runtime says that the model is not valid.
        CannotRunError: ONNX Runtime does not take the model for another reason.
    """
    session = _session(model, optimised=optimised)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    taken = {value.name: _NOT_IN_PYTHON.get(value.type) for value in inputs}
    made = {value.name: _NOT_IN_PYTHON.get(value.type) for value in outputs}
    if any((*taken.values(), *made.values())):
        session = _session(_with_float_edges(model, taken, made), optimised=optimised)
    names = [value.name for value in session.get_inputs()]

    def run(inputs: Arrays) -> list[Value]:
        given = [
            value.astype(np.float32) if kind else value
            for value, kind in zip(inputs, taken.values(), strict=True)
        ]
        try:
            found = session.run(None, dict(zip(names, given, strict=True)))
        except errors.NotImplemented as error:
            raise CannotRunError(brief(error)) from error
        except Exception as error:  # its errors have no common class
            raise StumbledError(brief(error)) from error
        return [
            value.astype(helper.tensor_dtype_to_np_dtype(kind)) if kind else value
            for value, kind in zip(found, made.values(), strict=True)
        ]

    return run


def on_reference(model: bytes) -> Runner:
    """The model in ONNX's reference evaluator; what it cannot run, it may say only when it runs.

    Raises:
        CannotRunError: it cannot take the model; the runner raises it too.
    """
    try:
        evaluator = ReferenceEvaluator(onnx.load_from_string(model))
    except Exception as error:
        raise CannotRunError(brief(error)) from error

    def run(inputs: Arrays) -> list[Value]:
        try:
            found = evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True)))
        except Exception as error:
            raise CannotRunError(brief(error)) from error
        # Numbers of no axes are no arrays.
        return [_value(one) for one in found]

    return run


def one_thread_options(*, optimised: bool) -> onnxruntime.SessionOptions:
    """ONNX Runtime's options for a session that is to prove something: one thread, no log."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    return options


def _value(made: Any) -> Value:
    if made is None or isinstance(made, list):
        return made
    return np.asarray(made)


def _session(model: bytes, *, optimised: bool) -> onnxruntime.InferenceSession:
    options = one_thread_options(optimised=optimised)
    told = model
    while True:
        try:
            return onnxruntime.InferenceSession(told, options, providers=["CPUExecutionProvider"])
        except errors.InvalidGraph as error:
            raise NotValidError(brief(error)) from error
        except Exception as error:  # its errors have no common class
            older = _at_known_opset(model) if told is model else None
            if older is None:
                raise CannotRunError(brief(error)) from error
            told = older


@cache
def _newest_opset() -> int:
    """The newest opset that ONNX Runtime takes."""
    for opset in range(defs.onnx_opset_version(), 0, -1):
        value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        graph = helper.make_graph([], "nothing", [value], [value])
        imports = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        try:
            onnxruntime.InferenceSession(model.SerializeToString())
        except Exception:  # noqa: BLE001, S112, RUF100 - its errors have no common class
            continue
        return opset
    return 0


def _at_known_opset(model: bytes) -> bytes | None:
    """The model at the newest opset of ONNX Runtime, where that means the same; else None."""
    try:
        read, newest = onnx.load_from_string(model), _newest_opset()
    except Exception:  # noqa: BLE001, RUF100 - protobuf's errors have no common class
        return None
    (opset, *_) = [entry.version for entry in read.opset_import if not entry.domain] or [0]
    if opset <= newest:
        return None
    for node in iterate_nodes(read):
        here, there = (schema_at(node.op_type, at) for at in (opset, newest))
        if node.domain or here is None or there is None:
            return None
        if here.since_version != there.since_version:
            return None
    for entry in read.opset_import:
        if not entry.domain:
            entry.version = newest
    return bytes(read.SerializeToString())


def _with_float_edges(
    model: bytes, taken: dict[str, int | None], made: dict[str, int | None]
) -> bytes:
    """The model with these inputs taken, and these outputs given, as float32."""
    read = onnx.load_from_string(model)
    graph = read.graph
    first, last = [], []
    for value in graph.input:
        kind = taken.get(value.name)
        if kind:
            first.append(_cast(value.name + _EDGE, value.name, kind))
            value.name += _EDGE
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for value in graph.output:
        if made.get(value.name):
            last.append(_cast(value.name, value.name + _EDGE, onnx.TensorProto.FLOAT))
            value.name += _EDGE
            value.ClearField("type")
    nodes = [*first, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(read.SerializeToString())


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    node = helper.make_node("Cast", [source], [target], to=kind)
    if onnx.TensorProto.DataType.Name(kind).startswith("FLOAT8"):
        node.attribute.append(helper.make_attribute("saturate", 0))  # infinity stays what it is
    return node
