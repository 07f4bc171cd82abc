"""A model at an older IR version, where it holds nothing newer.

The IR version says which format the file itself is in; the opset says which operators it uses. Each
release of ONNX has one of both, and a runtime that knows an opset knows that release's IR version,
but refuses later ones (ONNX Runtime 1.15 to 1.17 know IR version 9 at most). So a model that comes
down to an opset comes down to its IR version as well.

Replaces: ``ir_version``; and imports of an ONNX domain that no node uses, where they alone would
keep the version up (ONNX Runtime's optimiser imports ai.onnx.ml 5 into every file that it saves,
and 1.15 loads none with it).

Identity: onnx.proto lists what each IR version added. What changes how a model is read or computed
is looked for here. Node metadata, docs and ``value_info`` of functions (10) do not count: a reader
that does not know them skips them (ONNX Runtime 1.15.1 to 1.18.1 load such files at IR version 8,
and onnx.checker accepts them), so they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx
from onnx import TensorProto, TypeProto, helper

from locoexport.errors import GraphCheckFailedError, UsageError
from locoexport.graphs.walking import iterate_graphs, iterate_nested, iterate_nodes

__all__ = [
    "LoweredIrVersion",
    "NewerUse",
    "lower_ir_version",
    "newer_uses",
    "opset_ir_version",
    "with_ir_version",
]

_INITIALIZERS_ALONE = 4
_QUANTISATION_NOTES = 5
_SPARSE_TENSORS = 6
_TRAINING = 7
_FUNCTIONS = _NEWER_VALUES = 8
_FUNCTION_DEFAULTS = 9
_OVERLOADS = 10
_DEVICES = 11
_TYPE_SINCE = {
    "BFLOAT16": 4,
    **dict.fromkeys(("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"), 9),
    **dict.fromkeys(("UINT4", "INT4"), 10),
    "FLOAT4E2M1": 11,
    "FLOAT8E8M0": 12,
    **dict.fromkeys(("UINT2", "INT2"), 13),
    **dict.fromkeys(("FLOAT6E2M3", "FLOAT6E3M2"), 14),
}
"""By name: this onnx may not know the latest of them."""
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "output_datatype"})
"""Attributes of standard operators that name an element type."""
_WITH_IMPORTS = 3
"""Before it, a model could import no opset."""
_SHOWN = 3


@dataclass(frozen=True)
class NewerUse:
    """Something in a model that an IR version added: what it is, where, and the version."""

    what: str
    where: str
    since: int

    def __str__(self) -> str:
        """As a message tells it."""
        return f"{self.what} ({self.where}) is of IR version {self.since}"


@dataclass(frozen=True)
class LoweredIrVersion:
    """A model, why it is above its opset's IR version ("" where it is not), and the imports that
    nothing used and that were dropped."""

    model: onnx.ModelProto
    held: str = ""
    dropped_imports: tuple[str, ...] = ()


def opset_ir_version(opset: int) -> int:
    """The IR version of the ONNX release that brought this opset of the default domain."""
    return int(helper.find_min_ir_version_for([helper.make_opsetid("", opset)], True))


def lower_ir_version(model: onnx.ModelProto, opset: int) -> LoweredIrVersion:
    """The model at ``opset``'s IR version, or at the lowest above it that its contents allow.

    Never raised; the same object where nothing changed.
    """
    wanted = opset_ir_version(opset)
    if model.ir_version <= wanted:
        return LoweredIrVersion(model)
    lowered = onnx.ModelProto()
    lowered.CopyFrom(model)
    dropped = tuple(dict.fromkeys(_drop_unused_imports(lowered, wanted)))
    uses = (*_imports(lowered), *newer_uses(lowered))
    holding = [use for use in uses if use.since > wanted]
    version = max((use.since for use in holding), default=wanted)
    if version >= model.ir_version:
        return LoweredIrVersion(model, _held(model.ir_version, wanted, opset, holding))
    lowered.ir_version = version
    held = _held(version, wanted, opset, holding) if holding else ""
    return LoweredIrVersion(lowered, held, dropped)


def with_ir_version(model: onnx.ModelProto, version: int) -> LoweredIrVersion:
    """The model at an IR version that was asked for; the same object where it is there already.

    Raises:
        UsageError: this onnx does not know the version, or an imported opset needs a later one.
        GraphCheckFailedError: the model holds something newer; the message says what and where.
    """
    if not 1 <= version <= onnx.IR_VERSION:
        raise UsageError(
            f"--ir-version {version}: onnx {onnx.__version__} knows 1 to {onnx.IR_VERSION}."
        )
    if version == model.ir_version:
        return LoweredIrVersion(model)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    dropped: tuple[str, ...] = ()
    if version < model.ir_version:
        dropped = tuple(dict.fromkeys(_drop_unused_imports(changed, version)))
        _check_not_newer(changed, version)
    changed.ir_version = version
    return LoweredIrVersion(changed, dropped_imports=dropped)


def newer_uses(model: onnx.ModelProto) -> tuple[NewerUse, ...]:
    """Everything in the model that some IR version added, and that a reader must know."""
    found = (*_structures(model), *_element_types(model), *_value_types(model))
    return tuple(dict.fromkeys(found))


def _check_not_newer(model: onnx.ModelProto, version: int) -> None:
    late = [use for use in _imports(model) if use.since > version]
    if late:
        raise UsageError(
            f"--ir-version {version} is too low for this model: {_listed(late)}. Ask for "
            f"{max(use.since for use in late)} or later, or lower the opset as well (--opset)."
        )
    newer = [use for use in newer_uses(model) if use.since > version]
    if newer:
        raise GraphCheckFailedError(
            f"The model cannot be written at IR version {version}: {_listed(newer)}. Ask for "
            f"--ir-version {max(use.since for use in newer)} or later."
        )


def _held(version: int, wanted: int, opset: int, holding: list[NewerUse]) -> str:
    return (
        f"The IR version is {version}, above the {wanted} of opset {opset}, and older runtimes "
        f"may refuse the file: {_listed(holding)}."
    )


def _listed(uses: list[NewerUse]) -> str:
    more = len(uses) - _SHOWN
    told = "; ".join(str(use) for use in uses[:_SHOWN])
    return f"{told}; and {more} more" if more > 0 else told


def _imports(model: onnx.ModelProto) -> Iterator[NewerUse]:
    """Opsets by the release that brought them; domains that ONNX does not define need nothing."""
    for owner in (model, *model.functions):
        where = "the model's imports" if owner is model else f"imports of function {owner.name}"
        for entry in owner.opset_import:
            since = int(helper.find_min_ir_version_for([entry], True))
            name = entry.domain or "ai.onnx"
            yield NewerUse(f"opset {entry.version} of {name}", where, max(since, _WITH_IMPORTS))


def _drop_unused_imports(model: onnx.ModelProto, wanted: int) -> Iterator[str]:
    for owner in (model, *model.functions):
        nodes = iterate_nodes(model) if owner is model else iterate_nested(owner.node)
        used = {node.domain for node in nodes} | {function.domain for function in model.functions}
        for entry in list(owner.opset_import):
            since = int(helper.find_min_ir_version_for([entry], True))
            if entry.domain not in ("", "ai.onnx", *used) and since > wanted:
                yield f"{entry.domain} {entry.version}"
                owner.opset_import.remove(entry)


def _structures(model: onnx.ModelProto) -> Iterator[NewerUse]:
    for graph in iterate_graphs(model):
        inputs = {value.name for value in graph.input}
        for tensor in graph.initializer:
            if tensor.name not in inputs:
                yield NewerUse("an initializer that is no input", tensor.name, _INITIALIZERS_ALONE)
                break
        if graph.quantization_annotation:
            yield NewerUse("a quantization annotation", _named(graph), _QUANTISATION_NOTES)
        if graph.sparse_initializer:
            yield NewerUse("a sparse initializer", _named(graph), _SPARSE_TENSORS)
    if model.training_info:
        yield NewerUse("training information", "the model", _TRAINING)
    for function in model.functions:
        yield NewerUse("a local function", function.name, _FUNCTIONS)
        if function.attribute_proto:
            yield NewerUse("a function's default attribute", function.name, _FUNCTION_DEFAULTS)
        if function.overload:
            yield NewerUse("a function's overload", function.name, _OVERLOADS)
    if model.configuration:
        yield NewerUse("a multi-device configuration", "the model", _DEVICES)
    for node in iterate_nodes(model):
        if node.overload:
            yield NewerUse("a call of an overload", _told(node), _OVERLOADS)
        if node.device_configurations:
            yield NewerUse("a multi-device configuration", _told(node), _DEVICES)
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                yield NewerUse("a sparse tensor", _told(node), _SPARSE_TENSORS)


def _element_types(model: onnx.ModelProto) -> Iterator[NewerUse]:
    """Of weights, and of what nodes are told to make. Every other type follows from these."""
    for graph in iterate_graphs(model):
        for tensor in graph.initializer:
            yield from _element(tensor.data_type, tensor.name)
        for sparse in graph.sparse_initializer:
            yield from _element(sparse.values.data_type, sparse.values.name)
    naming = _type_attributes(model)
    for function in model.functions:
        yield from _attribute_types(function.attribute_proto, naming, function.name)
    for node in iterate_nodes(model):
        yield from _attribute_types(node.attribute, naming, _told(node))


def _attribute_types(
    attributes: Iterable[onnx.AttributeProto], naming: frozenset[str], where: str
) -> Iterator[NewerUse]:
    for attribute in attributes:
        if attribute.name in naming and attribute.type == onnx.AttributeProto.INT:
            yield from _element(attribute.i, where)
        for tensor in (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])):
            yield from _element(tensor.data_type, where)
        sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        for one in (*sparse, *attribute.sparse_tensors):
            yield from _element(one.values.data_type, where)
        types = [attribute.tp] if attribute.HasField("tp") else []
        for each in (*types, *attribute.type_protos):
            yield from _of_type(each, where)


def _type_attributes(model: onnx.ModelProto) -> frozenset[str]:
    """Names of attributes that name an element type: the standard ones, and the parameters of local
    functions that are handed on to them."""
    names = set(_TYPE_ATTRIBUTES)
    while True:
        handed = {
            attribute.ref_attr_name
            for function in model.functions
            for node in iterate_nested(function.node)
            for attribute in node.attribute
            if attribute.ref_attr_name and attribute.name in names
        }
        if handed <= names:
            return frozenset(names)
        names |= handed


def _value_types(model: onnx.ModelProto) -> Iterator[NewerUse]:
    for graph in iterate_graphs(model):
        for value in (*graph.input, *graph.output, *graph.value_info):
            yield from _of_type(value.type, value.name)
    for function in model.functions:
        for value in function.value_info:
            yield from _of_type(value.type, value.name)


def _of_type(type_: TypeProto, where: str) -> Iterator[NewerUse]:
    kind = type_.WhichOneof("value")
    if kind == "tensor_type":
        yield from _element(type_.tensor_type.elem_type, where)
    elif kind == "sparse_tensor_type":
        yield NewerUse("a value that is a sparse tensor", where, _NEWER_VALUES)
        yield from _element(type_.sparse_tensor_type.elem_type, where)
    elif kind == "sequence_type":
        yield from _of_type(type_.sequence_type.elem_type, where)
    elif kind == "map_type":
        yield from _of_type(type_.map_type.value_type, where)
    elif kind == "optional_type":
        yield NewerUse("a value that is an optional", where, _NEWER_VALUES)
        yield from _of_type(type_.optional_type.elem_type, where)


def _element(number: int, where: str) -> Iterator[NewerUse]:
    if number not in TensorProto.DataType.values():
        return
    name = TensorProto.DataType.Name(number)
    if since := _TYPE_SINCE.get(name):
        yield NewerUse(f"element type {name}", where, since)


def _named(graph: onnx.GraphProto) -> str:
    return f"graph {graph.name}" if graph.name else "a graph"


def _told(node: onnx.NodeProto) -> str:
    return f"{node.op_type} {node.name or next(iter(node.output), '')}".strip()
