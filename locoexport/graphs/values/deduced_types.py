"""Element types that inference does not find, from what an operator's signature ties together.

A signature names one type for several values (``T`` of a Conv is its input, its weight and its
output), so what is known of one is known of all: forwards, and backwards to what a plugin made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import onnx

from locoexport.graphs.domains import DEFAULT_DOMAINS, imported_versions, plain_domain
from locoexport.graphs.schemas import schema_at
from locoexport.graphs.walking import bodies_of, iterate_scopes

__all__ = [
    "Signature",
    "deduce_ranks",
    "deduce_types",
    "element_type_of",
    "is_unknown",
    "is_without_rank",
    "tell",
    "types_in",
]

_SCAN_WITHOUT_LENGTHS = 9
"""The first input of a Scan of version 8 goes past its body."""
_CONFLICT = 0
_ALIKE = ((0,), (0,))
_EACH = tuple(range(256))
"""Of inputs or outputs of any number."""
_OF_ONE_RANK = {
    **dict.fromkeys(("Conv", "ConvTranspose", "GridSample"), ((0, 1), (0,))),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _ALIKE),
    **dict.fromkeys(("BatchNormalization", "GroupNormalization", "InstanceNormalization"), _ALIKE),
    **dict.fromkeys(
        ("Cast", "Clip", "Elu", "Gelu", "LeakyRelu", "PRelu", "Relu", "Sigmoid"), _ALIKE
    ),
    **dict.fromkeys(("Pad", "Slice", "Transpose"), _ALIKE),
    "Concat": (_EACH, (0,)),
    "Split": ((0,), _EACH),
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear", "Softmax", "Tanh"), _ALIKE),
}
"""Inputs and outputs that ONNX demands to be of one rank."""
_ELEMENT_TYPES = frozenset(onnx.TensorProto.DataType.keys())


@dataclass(frozen=True)
class Signature:
    """The types of an operator's inputs and outputs: names that schemas give them (``T``), or the
    type itself (``tensor(int64)``). "" is tied to nothing. A last one that is ``open_ended`` stands
    for all that follow."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    open_inputs: bool
    open_outputs: bool

    @classmethod
    def of(cls, schema: Any) -> Signature:
        """That of an ``onnx.defs.OpSchema``, or of ONNX Runtime's likeness of one."""
        only = {
            constraint.type_param_str: next(iter(constraint.allowed_type_strs))
            for constraint in schema.type_constraints
            if len(constraint.allowed_type_strs) == 1
        }
        inputs, outputs = list(schema.inputs), list(schema.outputs)
        return cls(
            inputs=tuple(_type_name(each, only) for each in inputs),
            outputs=tuple(_type_name(each, only) for each in outputs),
            open_inputs=bool(inputs) and _is_variadic(inputs[-1]),
            open_outputs=bool(outputs) and _is_variadic(outputs[-1]),
        )


SignatureOf = Callable[[str, str], Signature | None]
"""The signature of an operator of another domain than ONNX's, where somebody knows it."""
_Key = tuple[int, str]
"""A value: the scope that defines it, and its name."""


def deduce_types(
    model: onnx.ModelProto, signature_of: SignatureOf = lambda domain, name: None
) -> onnx.ModelProto:
    """A copy that is told the element types that follow; the model itself where none do.

    Args:
        model: a model with inferred types; types that it states are taken as they are.
        signature_of: signatures of operators (domain, name) that ONNX does not know.

    Where two types would follow for one value, none is told.
    """
    ties = _Ties(model, signature_of)
    ties.read(model.graph, {})
    found = ties.deduced()
    if not any(found):
        return model
    told = onnx.ModelProto()
    told.CopyFrom(model)
    for graph, types in zip(iterate_scopes(told.graph), found, strict=True):
        tell(graph, types)
    return told


def deduce_ranks(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that is told ranks which nodes demand of tensors, forwards and backwards; the model
    itself where none follow. Tensors of unknown element type are told none.
    """
    told = onnx.ModelProto()
    told.CopyFrom(model)
    return told if _tell_ranks(told.graph, {}) else model


def types_in(graph: onnx.GraphProto) -> dict[str, onnx.TypeProto]:
    """Types by name that a graph states of its own values; bodies are left out."""
    found = {value.name: value.type for value in (*graph.value_info, *graph.output, *graph.input)}
    for tensor in graph.initializer:
        found[tensor.name] = _tensor_type(tensor.data_type, len(tensor.dims))
    for sparse in graph.sparse_initializer:
        name, kind = sparse.values.name, sparse.values.data_type
        found[name] = _tensor_type(kind, len(sparse.dims))
    return found


def is_unknown(kind: onnx.TypeProto | None) -> bool:
    """Whether a type says neither that it is no tensor nor what its elements are."""
    if kind is None or kind.WhichOneof("value") is None:
        return True
    return kind.WhichOneof("value") == "tensor_type" and not kind.tensor_type.elem_type


def is_without_rank(kind: onnx.TypeProto) -> bool:
    """Whether a type is a tensor's, and says no rank."""
    return kind.WhichOneof("value") == "tensor_type" and not kind.tensor_type.HasField("shape")


@cache
def element_type_of(written: str) -> int | None:
    """``onnx.TensorProto`` for ``tensor(float)``; None for what names no tensor."""
    name = written.removeprefix("tensor(").removesuffix(")").upper()
    if not written.startswith("tensor(") or name not in _ELEMENT_TYPES:
        return None
    return int(onnx.TensorProto.DataType.Value(name))


def tell(graph: onnx.GraphProto, types: Mapping[str, int]) -> None:
    """Write element types of values into a graph; ranks stay what they are."""
    left = dict(types)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.name in types:
            value.type.tensor_type.elem_type = types[value.name]
            left.pop(value.name, None)
    for name, elem_type in left.items():
        graph.value_info.add(name=name).type.tensor_type.elem_type = elem_type


@dataclass
class _Ties:
    """Values in groups of one element type; read once, over the main graph and all bodies."""

    model: onnx.ModelProto
    signature_of: SignatureOf
    parents: dict[_Key, _Key] = field(default_factory=dict)
    stated: dict[_Key, int] = field(default_factory=dict)
    made: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._versions = imported_versions(self.model)
        self._functions = {(each.domain, each.name) for each in self.model.functions}

    def read(self, graph: onnx.GraphProto, outer: Mapping[str, _Key]) -> Mapping[str, _Key]:
        """Tie what the graph's nodes tie; returns the keys of the names that it sees."""
        scope = len(self.made)
        types = types_in(graph)
        own = {name for node in graph.node for name in node.output if name}
        own |= {value.name for value in graph.input} if scope else set()
        self.made.append(own)
        seen = {**outer, **{name: (scope, name) for name in (*types, *own)}}
        for name, kind in types.items():
            if not is_unknown(kind):
                is_tensor = kind.WhichOneof("value") == "tensor_type"
                elem_type = kind.tensor_type.elem_type if is_tensor else _CONFLICT
                self.stated[scope, name] = elem_type
        for node in graph.node:
            self._tie_signature(node, seen)
            for body in bodies_of(node):
                self._tie_body(node, body, seen)
        return seen

    def deduced(self) -> list[dict[str, int]]:
        """What follows for values of unknown type, for each scope in turn."""
        types: dict[_Key, set[int]] = {}
        for key, elem_type in self.stated.items():
            types.setdefault(self._root(key), set()).add(elem_type)
        found: list[dict[str, int]] = []
        for scope, names in enumerate(self.made):
            follows = {
                name: next(iter(types[self._root((scope, name))]))
                for name in sorted(names)
                if (scope, name) not in self.stated
                and len(types.get(self._root((scope, name)), ())) == 1
            }
            found.append({name: kind for name, kind in follows.items() if kind != _CONFLICT})
        return found

    def _tie_signature(self, node: onnx.NodeProto, seen: Mapping[str, _Key]) -> None:
        signature = self._signature(node)
        if signature is None:
            return
        groups: dict[str, list[_Key]] = {}
        for names, kinds, is_open in (
            (node.input, signature.inputs, signature.open_inputs),
            (node.output, signature.outputs, signature.open_outputs),
        ):
            for name, kind in zip(names, _spread(kinds, len(names), is_open), strict=False):
                if name in seen and kind:
                    groups.setdefault(kind, []).append(seen[name])
        for kind, keys in groups.items():
            elem_type = element_type_of(kind)
            for key in keys:
                self._tie(keys[0], key)
                if elem_type is not None:
                    self._fix(key, elem_type)

    def _fix(self, key: _Key, elem_type: int) -> None:
        """A signature that allows one type alone says so of a value of its own."""
        self.stated.setdefault((-elem_type, ""), elem_type)
        self._tie((-elem_type, ""), key)

    def _tie_body(
        self, node: onnx.NodeProto, body: onnx.GraphProto, seen: Mapping[str, _Key]
    ) -> None:
        inside = self.read(body, seen)
        if node.domain not in DEFAULT_DOMAINS:
            return
        taken = list(node.input)
        if node.op_type == "Scan" and self._versions.get("", 0) < _SCAN_WITHOUT_LENGTHS:
            taken = taken[1:]
        given = [value.name for value in body.input]
        results = [value.name for value in body.output]
        if node.op_type == "Loop":
            carried = len(taken) - 2
            self._tie_names(given[2:], taken[2:], inside, seen)
            self._tie_names(results[1:], node.output, inside, seen)
            self._tie_names(given[2:], results[1 : 1 + carried], inside, inside)
        elif node.op_type == "Scan":
            scanned = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 0)
            self._tie_names(given, taken, inside, seen)
            self._tie_names(results, node.output, inside, seen)
            self._tie_names(given[: len(given) - scanned], results, inside, inside)
        elif node.op_type == "If":
            self._tie_names(results, node.output, inside, seen)

    def _tie_names(
        self,
        names: Iterable[str],
        others: Iterable[str],
        seen: Mapping[str, _Key],
        others_seen: Mapping[str, _Key],
    ) -> None:
        for name, other in zip(names, others, strict=False):
            if name in seen and other in others_seen:
                self._tie(seen[name], others_seen[other])

    def _signature(self, node: onnx.NodeProto) -> Signature | None:
        if (node.domain, node.op_type) in self._functions:
            return None
        domain = plain_domain(node.domain)
        known = _known_signature(node.op_type, self._versions.get(domain, 0), domain)
        return known or self.signature_of(domain, node.op_type)

    def _tie(self, one: _Key, other: _Key) -> None:
        self.parents[self._root(one)] = self._root(other)

    def _root(self, key: _Key) -> _Key:
        path = []
        while (parent := self.parents.get(key, key)) != key:
            path.append(key)
            key = parent
        for passed in path:
            self.parents[passed] = key
        return key


def _tell_ranks(graph: onnx.GraphProto, outer: Mapping[str, onnx.TypeProto]) -> bool:
    """Whether anything was new, here or in a body."""
    types = {**outer, **types_in(graph)}
    found = False
    for node in (*graph.node, *reversed(graph.node)):
        places = _OF_ONE_RANK.get(node.op_type)
        if node.domain not in DEFAULT_DOMAINS or places is None:
            continue
        names = [node.input[i] for i in places[0] if i < len(node.input)]
        names += [node.output[i] for i in places[1] if i < len(node.output)]
        kinds = [types[name].tensor_type for name in names if not is_unknown(types.get(name))]
        ranks = {len(kind.shape.dim) for kind in kinds if kind.HasField("shape")}
        for kind in kinds:
            if len(ranks) == 1 and not kind.HasField("shape"):
                kind.shape.dim.extend([onnx.TensorShapeProto.Dimension()] * min(ranks))
                found = True
    for node in graph.node:
        for body in bodies_of(node):
            found |= _tell_ranks(body, types)
    return found


@cache
def _known_signature(name: str, version: int, domain: str) -> Signature | None:
    schema = schema_at(name, version, domain)
    return None if schema is None else Signature.of(schema)


def _type_name(parameter: Any, only: Mapping[str, str]) -> str:
    # A variadic parameter may take each value of another type (those of If, Loop and Scan do).
    is_homogeneous = getattr(parameter, "isHomogeneous", getattr(parameter, "is_homogeneous", True))
    if _is_variadic(parameter) and not is_homogeneous:
        return ""
    written = getattr(parameter, "typeStr", None) or parameter.type_str
    return only.get(written, written)


def _is_variadic(parameter: Any) -> bool:
    return str(parameter.option).rpartition(".")[2] == "Variadic"


def _spread(kinds: tuple[str, ...], count: int, is_open: bool) -> tuple[str, ...]:
    if not is_open:
        return kinds
    return kinds + kinds[-1:] * max(count - len(kinds), 0)


def _tensor_type(elem_type: int, rank: int) -> onnx.TypeProto:
    return onnx.helper.make_tensor_type_proto(elem_type, [None] * rank)
