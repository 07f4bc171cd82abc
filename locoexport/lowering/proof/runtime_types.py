"""What ONNX Runtime knows of the operators of its own: their signatures, and what they make.

Its optimiser saves files with operators of ``com.microsoft`` and without the types of values in
between. Only types and ranks are taken from it, and what the file states is kept from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import onnx
import onnxruntime
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as native

from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.values.deduced_types import (
    Signature,
    element_type_of,
    is_unknown,
    is_without_rank,
    types_in,
)
from locoexport.graphs.walking import bodies_of, iterate_nested
from locoexport.lowering.proof.runners import one_thread_options

__all__ = ["is_of_runtime", "runtime_signature", "with_runtime_types"]

_DOMAINS = ("com.microsoft", "com.ms.")
"""The beginnings of its domains: ``com.microsoft.nchwc``, ``com.ms.internal.nhwc``, ..."""
_STANDARD_DOMAINS = (*DEFAULT_DOMAINS, "ai.onnx.ml")

_Types = Mapping[str, onnx.TypeProto]


def is_of_runtime(node: onnx.NodeProto) -> bool:
    """Whether a node's operator is ONNX Runtime's own."""
    return node.domain.startswith(_DOMAINS)


def runtime_signature(domain: str, name: str) -> Signature | None:
    """The signature of an operator of ONNX Runtime's own; None where it has none of this name."""
    return _signatures().get((domain, name)) if domain.startswith(_DOMAINS) else None


def with_runtime_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that is told the types and ranks that ONNX Runtime finds where none were known; the
    model itself where it finds none, or holds no operator of ONNX Runtime's own.

    Each graph and body is asked by itself, without the nodes of plugins and what follows from them.
    """
    told = onnx.ModelProto()
    told.CopyFrom(model)
    found = _ask(told, told.graph, {})
    return told if found else model


def _ask(model: onnx.ModelProto, graph: onnx.GraphProto, outer: _Types) -> bool:
    """Tell a graph and its bodies what is found; whether anything was."""
    found = False
    wanted = _wanted(graph)
    if wanted and any(is_of_runtime(node) for node in graph.node):
        kinds = _kinds_in_runtime(_asking(model, graph, outer, wanted))
        for name, kind in kinds.items():
            found |= _tell(graph, name, kind)
    seen = {**outer, **types_in(graph)}
    for node in graph.node:
        for body in bodies_of(node):
            found |= _ask(model, body, seen)
    return found


def _wanted(graph: onnx.GraphProto) -> list[str]:
    """Values that nodes of the graph make, of unknown type or rank."""
    types = types_in(graph)
    return [
        name
        for node in graph.node
        for name in node.output
        if name and (is_unknown(types.get(name)) or is_without_rank(types[name]))
    ]


def _asking(
    model: onnx.ModelProto, graph: onnx.GraphProto, outer: _Types, wanted: list[str]
) -> onnx.ModelProto:
    """What can be asked of the graph: nodes that ONNX Runtime knows, and whose inputs are known."""
    types = {**outer, **types_in(graph)}
    constants = {
        tensor.name: tensor
        for tensor in graph.initializer
        if tensor.data_location != onnx.TensorProto.EXTERNAL
    }
    functions = {(function.domain, function.name) for function in model.functions}
    made: set[str] = set()
    needed: dict[str, None] = {}
    nodes = []
    for node in graph.node:
        nested = list(iterate_nested([node]))
        taken = {name for inner in nested for name in inner.input if name}
        inside = {name for inner in nested for name in inner.output}
        inside |= {
            value.name
            for inner in nested
            for body in bodies_of(inner)
            for value in (*body.input, *body.initializer)
        }
        free = taken - made - (inside - set(node.output))
        is_known = all(
            each.domain in _STANDARD_DOMAINS
            or is_of_runtime(each)
            or (each.domain, each.op_type) in functions
            for each in nested
        )
        if is_known and not any(is_unknown(types.get(name)) for name in free):
            nodes.append(node)
            made.update(node.output)
            needed.update(dict.fromkeys(sorted(free)))
    asked = onnx.ModelProto(ir_version=model.ir_version)
    asked.opset_import.extend(model.opset_import)
    asked.functions.extend(model.functions)
    asked.graph.name = "asked"
    asked.graph.node.extend(nodes)
    asked.graph.initializer.extend(constants[name] for name in needed if name in constants)
    for name in needed:
        if name not in constants:
            asked.graph.input.add(name=name).type.CopyFrom(types[name])
    for name in dict.fromkeys(wanted):
        if name in made:
            asked.graph.output.add(name=name)
    return asked


def _kinds_in_runtime(asked: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    """Types of the outputs, with ranks; none where ONNX Runtime does not load the model."""
    if not asked.graph.output:
        return {}
    options = one_thread_options(optimised=False)
    try:
        session = onnxruntime.InferenceSession(
            asked.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # noqa: BLE001, RUF100 - its errors have no common class
        return {}
    found = {}
    for value in session.get_outputs():
        elem_type = element_type_of(value.type)
        if elem_type is None:
            continue
        # An empty shape is that of a number, or of a value whose rank it does not know.
        shape = [None] * len(value.shape) if value.shape else None
        found[value.name] = helper.make_tensor_type_proto(elem_type, shape)
    return found


def _tell(graph: onnx.GraphProto, name: str, kind: onnx.TypeProto) -> bool:
    """Write what is new; whether anything is."""
    places = [v for v in (*graph.output, *graph.value_info) if v.name == name]
    if not places:
        places = [graph.value_info.add(name=name)]
    changed = False
    for place in places:
        if is_unknown(place.type):
            place.type.tensor_type.elem_type = kind.tensor_type.elem_type
            changed = True
        if is_without_rank(place.type) and kind.tensor_type.HasField("shape"):
            place.type.tensor_type.shape.CopyFrom(kind.tensor_type.shape)
            changed = True
    return changed


@cache
def _signatures() -> dict[tuple[str, str], Signature]:
    """By domain and name; the newest version of each. Empty in builds that do not tell them."""
    tell_all = getattr(native, "get_all_operator_schema", None)
    if tell_all is None:
        return {}
    newest: dict[tuple[str, str], tuple[int, Signature]] = {}
    for schema in tell_all():
        key, version = (schema.domain, schema.name), schema.since_version
        if schema.domain.startswith(_DOMAINS) and version >= newest.get(key, (0, None))[0]:
            newest[key] = (version, Signature.of(schema))
    return {key: signature for key, (_, signature) in newest.items()}
