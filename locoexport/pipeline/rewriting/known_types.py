"""The types of a model's values, from every source there is, in the order of trust: inference from
the inputs, the signatures of operators, ONNX Runtime, and what the user assumes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from locoexport.errors import UsageError, did_you_mean
from locoexport.graphs.values.deduced_types import (
    deduce_ranks,
    deduce_types,
    is_unknown,
    is_without_rank,
    types_in,
)
from locoexport.graphs.values.inference import infer_from_inputs, infer_shapes, tell_types
from locoexport.graphs.values.plain_graph import plain
from locoexport.graphs.walking import iterate_scopes
from locoexport.graphs.weights.external_data import with_small_tensors
from locoexport.lowering.proof.runtime_types import (
    is_of_runtime,
    runtime_signature,
    with_runtime_types,
)

__all__ = [
    "AssumedType",
    "parse_assumed",
    "used_assumptions",
    "with_known_types",
    "with_stated_types",
]

_ROUNDS = 16
"""What one source finds may tell another more; files in use need two or three rounds."""
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
}
_OTHER_SPELLINGS = {
    "float": "float32",
    "fp32": "float32",
    "double": "float64",
    "fp64": "float64",
    "half": "float16",
    "fp16": "float16",
    "bf16": "bfloat16",
}
_WRITTEN = re.compile(r"(?P<type>[A-Za-z0-9]+)(\[(?P<lengths>[0-9?, ]*)\])?")


@dataclass(frozen=True)
class AssumedType:
    """An element type (``onnx.TensorProto``) and, where it was given, a shape; None is open."""

    elem_type: int
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        """As ``--assume-type`` takes it: ``float32``, ``float32[1,8,?,?,?]``."""
        name = next(name for name, number in _TYPES.items() if number == self.elem_type)
        if self.shape is None:
            return name
        return f"{name}[{','.join('?' if size is None else str(size) for size in self.shape)}]"


def parse_assumed(written: Mapping[str, str]) -> dict[str, AssumedType]:
    """Assumed types by the name of the value.

    Raises:
        UsageError: one is no type.
    """
    return {name: _parse(name, text) for name, text in written.items()}


def with_known_types(
    model: onnx.ModelProto,
    folder: Path | None,
    assumed: Mapping[str, str],
) -> onnx.ModelProto:
    """A copy for asking, not for running, with every type and length that can be known.

    Args:
        model: the model; it is not changed.
        folder: where its external data lies.
        assumed: types by name (``AssumedType``), used only where nothing else tells one; names
            that the model does not have are passed over, since passes take nodes away.

    Raises:
        UsageError: an assumption is no type, or contradicts what is known.
    """
    return _known(model, folder, parse_assumed(assumed))[0]


def with_stated_types(
    model: onnx.ModelProto, folder: Path | None, assumed: Mapping[str, str], known: onnx.ModelProto
) -> onnx.ModelProto:
    """A copy with all small constants that states what is known of its values, for the proofs.

    Args:
        model: a rewritten model.
        folder: where its external data lies.
        assumed: see ``with_known_types``.
        known: what ``with_known_types`` made of it before it was rewritten, with what the passes
            knew of the values that they wrote: a node that is gone may have told the type or rank
            of a value that is still there.
    """
    readable = _with_claims(plain(with_small_tensors(model, folder)), known)
    return _with_claims(readable, with_known_types(readable, folder, assumed))


def used_assumptions(
    model: onnx.ModelProto, folder: Path | None, assumed: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Names and types of the assumptions that say more than the model does.

    Raises:
        UsageError: an assumption names no value of the model; or see ``with_known_types``.
    """
    if not assumed:
        return ()
    names = sorted({name for graph in iterate_scopes(model.graph) for name in _names(graph)})
    for name, kind in assumed.items():
        if name not in names:
            raise UsageError(
                f"--assume-type {name}={kind}: the model has no value {name!r}."
                + did_you_mean(name, names)
            )
    return _known(model, folder, parse_assumed(assumed))[1]


def _known(
    model: onnx.ModelProto, folder: Path | None, assumed: Mapping[str, AssumedType]
) -> tuple[onnx.ModelProto, tuple[tuple[str, str], ...]]:
    """The model with its types, and the assumptions that it needed."""
    used = []
    known = _completed(infer_from_inputs(plain(with_small_tensors(model, folder))))
    for name, kind in assumed.items():
        told = _assume(known, name, kind)
        if told is not known:
            used.append((name, str(kind)))
            known = _completed(infer_shapes(told))
    return known, tuple(used)


def _with_claims(model: onnx.ModelProto, before: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that states of values the types and ranks that were known, where it states none. What
    two scopes call by one name is told nothing: only one of the two may have been known.
    """
    scopes = Counter(name for graph in iterate_scopes(before.graph) for name in _names(graph))
    known = {
        name: kind
        for graph in iterate_scopes(before.graph)
        for name, kind in types_in(graph).items()
        if not is_unknown(kind) and scopes[name] == 1
    }
    stating = onnx.ModelProto()
    stating.CopyFrom(model)
    for graph in iterate_scopes(stating.graph):
        stated = types_in(graph)
        names = _names(graph) & known.keys()
        added = {name: known[name] for name in names if _adds(known[name], stated.get(name))}
        tell_types(graph, added)
    return stating


def _adds(known: onnx.TypeProto, stated: onnx.TypeProto | None) -> bool:
    """Whether what is known says a type that is not stated, or the rank of one that is."""
    if stated is None or is_unknown(stated):
        return True
    same = known.tensor_type.elem_type == stated.tensor_type.elem_type
    return same and is_without_rank(stated) and not is_without_rank(known)


def _completed(known: onnx.ModelProto) -> onnx.ModelProto:
    for _ in range(_ROUNDS):
        if not _is_anything_unknown(known):
            return known
        told = deduce_types(known, runtime_signature)
        if told is known:
            told = deduce_ranks(known)
        if told is known and _asks_runtime(known):
            told = with_runtime_types(known)
        if told is known:
            return known
        known = infer_shapes(told)
    return known


def _is_anything_unknown(model: onnx.ModelProto) -> bool:
    for graph in iterate_scopes(model.graph):
        types = types_in(graph)
        for node in graph.node:
            for name in node.output:
                kind = types.get(name)
                if name and (is_unknown(kind) or (kind is not None and is_without_rank(kind))):
                    return True
    return False


def _asks_runtime(model: onnx.ModelProto) -> bool:
    return any(is_of_runtime(node) for graph in iterate_scopes(model.graph) for node in graph.node)


def _assume(known: onnx.ModelProto, name: str, kind: AssumedType) -> onnx.ModelProto:
    """``known`` itself where it knows as much."""
    told = onnx.ModelProto()
    told.CopyFrom(known)
    homes = [graph for graph in iterate_scopes(told.graph) if name in _names(graph)]
    changed = [_tell(graph, name, kind) for graph in homes]
    return told if any(changed) else known


def _tell(graph: onnx.GraphProto, name: str, kind: AssumedType) -> bool:
    stated = types_in(graph).get(name)
    if not is_unknown(stated):
        _check_agrees(name, kind, stated)
    places = [v for v in (*graph.input, *graph.output, *graph.value_info) if v.name == name]
    if not places and any(tensor.name == name for tensor in graph.initializer):
        return False
    before = [place.SerializeToString() for place in places]
    for place in places or [graph.value_info.add(name=name)]:
        tensor_type = place.type.tensor_type
        tensor_type.elem_type = kind.elem_type
        if kind.shape is not None and not tensor_type.HasField("shape"):
            written = helper.make_tensor_type_proto(kind.elem_type, kind.shape)
            tensor_type.shape.CopyFrom(written.tensor_type.shape)
    return before != [place.SerializeToString() for place in places] or not places


def _check_agrees(name: str, kind: AssumedType, stated: onnx.TypeProto | None) -> None:
    if stated is None:
        return
    if stated.WhichOneof("value") != "tensor_type":
        found = str(stated.WhichOneof("value")).removesuffix("_type")
        raise UsageError(f"--assume-type {name}={kind}: {name!r} is no tensor but a {found}.")
    tensor_type = stated.tensor_type
    ranks = (len(tensor_type.shape.dim), None if kind.shape is None else len(kind.shape))
    if tensor_type.elem_type != kind.elem_type:
        number = tensor_type.elem_type
        names = [key for key, value in _TYPES.items() if int(value) == number]
        found = names[0] if names else TensorProto.DataType.Name(number).lower()
        raise UsageError(f"--assume-type {name}={kind}: {name!r} is {found}; leave the option out.")
    if tensor_type.HasField("shape") and ranks[1] is not None and ranks[0] != ranks[1]:
        raise UsageError(f"--assume-type {name}={kind}: {name!r} is of rank {ranks[0]}.")


def _parse(name: str, text: str) -> AssumedType:
    written = _WRITTEN.fullmatch(text.strip())
    kind = "" if written is None else written["type"].lower()
    kind = _OTHER_SPELLINGS.get(kind, kind)
    lengths = None if written is None else written["lengths"]
    parts = None if lengths is None else [p.strip() for p in lengths.split(",") if lengths.strip()]
    if kind not in _TYPES or (parts and not all(p == "?" or p.isdigit() for p in parts)):
        raise UsageError(
            f"--assume-type {name}={text}: expected one of {', '.join(_TYPES)}, or one with a "
            "shape, such as float32[1,8,?,?,?]." + did_you_mean(kind, _TYPES)
        )
    shape = None if parts is None else tuple(None if p == "?" else int(p) for p in parts)
    return AssumedType(_TYPES[kind], shape)


def _names(graph: onnx.GraphProto) -> set[str]:
    names = {name for node in graph.node for name in node.output if name}
    names |= {value.name for value in graph.input}
    return names | {tensor.name for tensor in graph.initializer}
