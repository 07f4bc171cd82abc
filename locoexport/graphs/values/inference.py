"""Shape inference that says less where it cannot, instead of failing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import onnx

from locoexport.graphs.structure import is_element_type
from locoexport.graphs.walking import iterate_graphs, iterate_nodes

__all__ = [
    "UNLISTED_INITIALIZERS",
    "crashes_without_type",
    "infer_from_inputs",
    "infer_shapes",
    "tell_types",
    "with_named_axes",
]

_MOST_PROPAGATED = 1 << 20
UNLISTED_INITIALIZERS = 4
"""IR version from which an initializer need not be an input; before, inference passes it over.
From it on, one that is an input too may be given another value by a caller."""
_LARGE_BYTES = 64 * 1024
_CRASHING = {
    ("", "RegexFullMatch"),
    ("ai.onnx.ml", "DictVectorizer"),
    ("ai.onnx.ml", "LabelEncoder"),
}


def infer_from_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model with the types and lengths that its inputs and constants imply.

    What a file states of values in between is a claim, and many files in use claim too much: inputs
    opened afterwards, a batch of 1 that an exporter assumed, types from before a conversion to
    float16. So no stated length and no stated name of a length counts. A stated type or rank counts
    where inference finds none.

    Large initializers are without their values, and initializers that a caller may override are
    inputs only: the copy is to be asked, not to be run.
    """
    claimed = [_claims(graph) for graph in iterate_graphs(model)]
    bare = _bare(model)
    known = infer_shapes(bare)
    failed = known is bare
    for roots_only in (True, False):
        told = _told_more(known, claimed, roots_only=roots_only)
        if told is None:
            continue
        inferred = infer_shapes(told)
        if inferred is not told:
            known, failed = inferred, False
        elif failed and not roots_only:
            return told
    return known


def with_named_axes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which each open axis of an input has a name, so that inference can follow it."""
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for value in named.graph.input:
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.dim_param and not (dim.HasField("dim_value") and dim.dim_value >= 0):
                dim.dim_param = f"{value.name}[{index}]"
    return named


def tell_types(graph: onnx.GraphProto, kinds: dict[str, onnx.TypeProto]) -> None:
    """Write types into a graph where it has a place for them, else into its value_info."""
    if not kinds:
        return
    placed = set()
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.name in kinds:
            value.type.CopyFrom(kinds[value.name])
            placed.add(value.name)
    for name, kind in kinds.items():
        if name not in placed:
            graph.value_info.add(name=name).type.CopyFrom(kind)


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes that ONNX can infer; the model itself where inference fails.

    GridSample's inference is by rank at every opset, so that the out-of-spec volumetric nodes at
    16 to 19, which ONNX Runtime's kernel accepts, get shapes too.
    """
    if any(crashes_without_type(node) for node in _reading_unknown(model)):
        return model
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=_propagates_little(model))
    except Exception:  # noqa: BLE001, RUF100 - its errors have no common class
        return model
    for graph in iterate_graphs(inferred):
        for value in (*graph.value_info, *graph.output):
            # A Cast to a type that does not exist makes values of it.
            if not is_element_type(value.type.tensor_type.elem_type):
                value.type.tensor_type.ClearField("elem_type")
    return inferred


def crashes_without_type(node: onnx.NodeProto) -> bool:
    """Whether onnx's inference (1.23.2) dies of this operator where its first input has no type."""
    return (node.domain, node.op_type) in _CRASHING


def _reading_unknown(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Nodes whose first input is told no type by the file itself."""
    typed = {
        value.name
        for graph in iterate_graphs(model)
        for value in (*graph.input, *graph.value_info)
        if value.type.WhichOneof("value")
    }
    if model.ir_version >= UNLISTED_INITIALIZERS:
        typed |= {tensor.name for graph in iterate_graphs(model) for tensor in graph.initializer}
    return (node for node in iterate_nodes(model) if not {*node.input[:1]} & typed)


def _propagates_little(model: onnx.ModelProto) -> bool:
    """Whether values that inference follows stay small: a Concat of a value with itself doubles it,
    and sixty of those fill any memory.
    """
    sizes: dict[str, int] = {}
    for graph in iterate_graphs(model):
        rows = (tensor for tensor in graph.initializer if len(tensor.dims) < 2)
        sizes.update((tensor.name, math.prod(tensor.dims)) for tensor in rows)
    for node in iterate_nodes(model):
        together = sum if node.op_type == "Concat" else max
        size = together([sizes.get(name, 1) for name in node.input] or [1])
        if node.op_type == "Concat" and size > _MOST_PROPAGATED:
            return False
        sizes.update(dict.fromkeys(node.output, size))
    return True


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without what it states of values in between, and without large values."""
    bare = onnx.ModelProto()
    _copy_fields(model, bare, ("graph", "training_info"))
    _copy_fields(model.graph, bare.graph, ("initializer", "value_info"))
    listed: set[str] = set()
    if model.ir_version >= UNLISTED_INITIALIZERS:
        listed = {value.name for value in model.graph.input}
    bare.graph.initializer.extend(
        _light(tensor) for tensor in model.graph.initializer if tensor.name not in listed
    )
    for function in bare.functions:
        del function.value_info[:]
    for index, graph in enumerate(iterate_graphs(bare)):
        del graph.value_info[:]
        stated = (*graph.input, *graph.output) if index else graph.output
        for value in stated:
            value.ClearField("type")
    _keep_what_prevents_a_crash(model, bare)
    return bare


def _keep_what_prevents_a_crash(model: onnx.ModelProto, bare: onnx.ModelProto) -> None:
    wanted = {
        name
        for node in _reading_unknown(bare)
        if crashes_without_type(node)
        for name in node.input[:1]
    }
    if not wanted:
        return
    for graph, stated in zip(iterate_graphs(bare), iterate_graphs(model), strict=True):
        tell_types(graph, {n: kind for n, kind in _claims(stated).items() if n in wanted})


def _claims(graph: onnx.GraphProto) -> dict[str, onnx.TypeProto]:
    """Types and ranks that a graph states, without lengths and names of lengths."""
    stated = {
        value.name: _without_lengths(value.type)
        for value in (*graph.input, *graph.output, *graph.value_info)
        if value.type.WhichOneof("value")
    }
    listed = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if tensor.name in listed:
            kind = onnx.helper.make_tensor_type_proto(tensor.data_type, [None] * len(tensor.dims))
            stated[tensor.name] = kind
    return stated


def _without_lengths(kind: onnx.TypeProto) -> onnx.TypeProto:
    copy = onnx.TypeProto()
    copy.CopyFrom(kind)
    inner = copy
    while (case := inner.WhichOneof("value")) not in ("tensor_type", "sparse_tensor_type", None):
        inner = inner.map_type.value_type if case == "map_type" else getattr(inner, case).elem_type
    if case is not None:
        for dim in getattr(inner, case).shape.dim:
            dim.Clear()
    return copy


def _told_more(
    known: onnx.ModelProto, claimed: list[dict[str, onnx.TypeProto]], *, roots_only: bool
) -> onnx.ModelProto | None:
    """A copy that is told the claims on values of unknown type or rank; None where there are none.

    ``roots_only``: only on those where the unknown begins. What follows from these is inferred.
    """
    graphs = list(iterate_graphs(known))
    types = [
        {value.name: value.type for value in (*graph.input, *graph.output, *graph.value_info)}
        for graph in graphs
    ]
    constant = [{tensor.name for tensor in graph.initializer} for graph in graphs]
    open_names: set[str] = set()
    if roots_only:
        settled = {name for found in types for name, kind in found.items() if _is_settled(kind)}
        settled = settled.union({""}, *constant)
        open_names = {
            name
            for node in iterate_nodes(known)
            if not settled.issuperset(node.input)
            for name in node.output
        }
    wanted = []
    for found, stated, own in zip(types, claimed, constant, strict=True):
        merged = {
            name: _merged(found.get(name), kind)
            for name, kind in stated.items()
            if name not in open_names | own and not _is_settled(found.get(name))
        }
        wanted.append({n: kind for n, kind in merged.items() if kind != found.get(n)})
    if not any(wanted):
        return None
    told = onnx.ModelProto()
    told.CopyFrom(known)
    for graph, kinds in zip(iterate_graphs(told), wanted, strict=True):
        tell_types(graph, kinds)
    return told


def _is_settled(kind: onnx.TypeProto | None) -> bool:
    """Whether type and rank are known."""
    if kind is None or kind.WhichOneof("value") is None:
        return False
    if kind.WhichOneof("value") != "tensor_type":
        return True
    return bool(kind.tensor_type.elem_type) and kind.tensor_type.HasField("shape")


def _merged(found: onnx.TypeProto | None, claim: onnx.TypeProto) -> onnx.TypeProto:
    """What was found, completed by what is claimed."""
    if found is None or found.WhichOneof("value") is None:
        return claim
    merged = onnx.TypeProto()
    merged.CopyFrom(found)
    if claim.WhichOneof("value") == "tensor_type":
        stated, tensor_type = claim.tensor_type, merged.tensor_type
        tensor_type.elem_type = tensor_type.elem_type or stated.elem_type
        if stated.HasField("shape") and not tensor_type.HasField("shape"):
            tensor_type.shape.CopyFrom(stated.shape)
    return merged


def _copy_fields(source: Any, target: Any, left_out: Iterable[str]) -> None:
    """Copy a message's fields but these: a copy of the whole would copy all weights."""
    for field, value in source.ListFields():
        if field.name in left_out:
            continue
        if hasattr(value, "extend"):
            getattr(target, field.name).extend(value)
        elif hasattr(value, "CopyFrom"):
            getattr(target, field.name).CopyFrom(value)
        else:
            setattr(target, field.name, value)


def _light(tensor: onnx.TensorProto) -> onnx.TensorProto:
    """The tensor; a large one without its values, as if these lay in another file."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.ByteSize() <= _LARGE_BYTES:
        return tensor
    light = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    light.data_location = onnx.TensorProto.EXTERNAL
    light.external_data.add(key="location", value="left-out")
    return light
