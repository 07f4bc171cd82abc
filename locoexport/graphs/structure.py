"""What every graph that was read keeps to, so that whoever walks one need not ask again.

``onnx.checker`` asks more in some places and less in others: it takes a tensor whose bytes do not
fill its shape, types that do not exist, and functions that call each other without end. What it
alone refuses stays readable here, since ``inspect`` reports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import onnx
from onnx import AttributeProto, TensorProto, defs

from locoexport.errors import ModelFileError
from locoexport.graphs.domains import DEFAULT_DOMAINS, plain_domain
from locoexport.graphs.local_calls import check_calls
from locoexport.graphs.naming import quoted, told_node
from locoexport.graphs.schemas import schema_at
from locoexport.graphs.walking import iterate_bodies

__all__ = ["bits_of", "check_structure", "is_element_type", "is_length"]

_HIGHEST_VERSION = 2**31 - 1
"""What onnx holds a version in."""
_HIGHEST_RANK = 64
"""numpy's."""
_MOST_BYTES = 2**63
_SHOWN = 80
_SCAN_WITHOUT_LENGTHS = 9
"""The first input of a Scan of version 8 goes past its body."""
_GRAPH_ATTRIBUTES = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}
_ELEMENT_TYPES = frozenset(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}
_BITS = {
    **dict.fromkeys(("DOUBLE", "INT64", "UINT64", "COMPLEX64"), 64),
    "COMPLEX128": 128,
    **dict.fromkeys(("FLOAT", "INT32", "UINT32"), 32),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16),
    **dict.fromkeys(("UINT4", "INT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("UINT2", "INT2"), 2),
    **dict.fromkeys(("FLOAT6E2M3", "FLOAT6E3M2"), 6),
}
_FIELDS = {
    **dict.fromkeys(("FLOAT", "COMPLEX64"), "float_data"),
    **dict.fromkeys(("DOUBLE", "COMPLEX128"), "double_data"),
    **dict.fromkeys(("UINT32", "UINT64"), "uint64_data"),
    "INT64": "int64_data",
    "STRING": "string_data",
}
_ELEMENTS_AN_ENTRY = {**dict.fromkeys(("UINT4", "INT4", "FLOAT4E2M1"), 2), "UINT2": 4, "INT2": 4}
_Imports = Mapping[str, int]
_Refusal = Callable[[str], ModelFileError]


def check_structure(model: onnx.ModelProto, subject: object) -> None:
    """Refuse a model that breaks what the walks over it stand on.

    After it: versions are such as onnx can hold; every name is text; every tensor has an element
    type, lengths, and as many bytes as they ask for (what lies in another file is not looked at);
    every attribute has a type; nodes of the default domain have as many inputs and outputs as their
    operator takes, and the attributes that it needs; bodies of If and Scan fit their nodes; calls
    of local functions fit these, end, and make no more nodes than ``GRAPH_NODES``.

    Raises:
        ModelFileError: it does; the message begins with ``subject``.
    """

    def refusal(reason: str) -> ModelFileError:
        return ModelFileError(f"{subject} is damaged: {reason}. Get the file or export it again.")

    if not 0 <= model.ir_version <= _HIGHEST_VERSION:
        raise refusal(f"it is of IR version {model.ir_version}")
    _check_text(model, ("producer_name", "producer_version", "domain"), refusal)
    for entry in model.metadata_props:
        _check_text(entry, ("key", "value"), refusal)
    imports = _imports(model.opset_import, refusal)
    for function in model.functions:
        _check_text(
            function, ("name", "domain", "overload", "input", "output", "attribute"), refusal
        )
    for nodes in iterate_bodies(model):
        for node in nodes:
            _check_text(node, ("op_type", "domain", "name", "overload", "input", "output"), refusal)
    check_calls(model, subject, refusal)
    _check_graph(model.graph, imports, refusal)
    for function in model.functions:
        own = imports | _imports(function.opset_import, refusal)
        for attribute in function.attribute_proto:
            _check_attribute(attribute, own, refusal)
        _check_nodes(function.node, own, refusal)
        _check_values(function.value_info, refusal)
    for training in model.training_info:
        _check_graph(training.initialization, imports, refusal)
        _check_graph(training.algorithm, imports, refusal)


def bits_of(element_type: int) -> int:
    """Bits of one element as files hold it; 8 for what is of a byte, 64 for what has no size."""
    if element_type in (TensorProto.STRING, TensorProto.UNDEFINED):
        return 64
    return _BITS.get(TensorProto.DataType.Name(element_type), 8)


def is_length(dim: onnx.TensorShapeProto.Dimension) -> bool:
    """Whether a size is stated; some exporters write -1 for one that is open."""
    return dim.HasField("dim_value") and dim.dim_value >= 0


def is_element_type(number: int) -> bool:
    """Whether there is such a type; 0 is one that nobody knows."""
    return number == TensorProto.UNDEFINED or number in _ELEMENT_TYPES


def _imports(entries: Iterable[onnx.OperatorSetIdProto], refusal: _Refusal) -> dict[str, int]:
    found = {}
    for entry in entries:
        _check_text(entry, ("domain",), refusal)
        lowest = 1 if entry.domain in DEFAULT_DOMAINS else 0
        if not lowest <= entry.version <= _HIGHEST_VERSION:
            raise refusal(f"it imports version {entry.version} of {entry.domain or 'ai.onnx'}")
        found[plain_domain(entry.domain)] = entry.version
    return found


def _check_text(message: object, fields: Iterable[str], refusal: _Refusal) -> None:
    """Refuse text that is no UTF-8: protobuf gives it out as bytes."""
    for field in fields:
        text = getattr(message, field)
        for one in (text,) if isinstance(text, str | bytes) else text:
            if isinstance(one, bytes):
                raise refusal(f"its {field} {one[:_SHOWN]!r} is not text in UTF-8")


def _check_graph(graph: onnx.GraphProto, imports: _Imports, refusal: _Refusal) -> None:
    for tensor in graph.initializer:
        _check_tensor(tensor, refusal)
    for sparse in graph.sparse_initializer:
        _check_sparse(sparse, refusal)
    _check_values(graph.input, refusal)
    _check_values(graph.output, refusal)
    _check_values(graph.value_info, refusal)
    _check_nodes(graph.node, imports, refusal)


def _check_values(values: Iterable[onnx.ValueInfoProto], refusal: _Refusal) -> None:
    for value in values:
        _check_text(value, ("name",), refusal)
        for dim in value.type.tensor_type.shape.dim:
            _check_text(dim, ("dim_param",), refusal)
        for element_type in _element_types(value.type):
            if not is_element_type(element_type):
                raise refusal(
                    f"{quoted(value.name)} is of element type {element_type}, which does not exist"
                )


def _element_types(kind: onnx.TypeProto) -> Iterator[int]:
    while True:
        case = kind.WhichOneof("value")
        if case in ("tensor_type", "sparse_tensor_type"):
            yield getattr(kind, case).elem_type
        elif case == "map_type":
            yield kind.map_type.key_type
            kind = kind.map_type.value_type
            continue
        elif case in ("sequence_type", "optional_type"):
            kind = getattr(kind, case).elem_type
            continue
        return


def _check_tensor(tensor: TensorProto, refusal: _Refusal) -> None:
    _check_text(tensor, ("name",), refusal)
    for entry in tensor.external_data:
        _check_text(entry, ("key", "value"), refusal)
    name = quoted(tensor.name)
    if tensor.data_type not in _ELEMENT_TYPES:
        raise refusal(f"tensor {name} is of element type {tensor.data_type}, which does not exist")
    dims = list(tensor.dims)
    if len(dims) > _HIGHEST_RANK:
        raise refusal(f"tensor {name} has {len(dims):,} axes, and at most {_HIGHEST_RANK} can be")
    elements = math.prod(dims)
    bits = bits_of(tensor.data_type)
    # Each length by itself: one of 0 makes the product 0 whatever the others are.
    if any(dim < 0 for dim in dims) or math.prod(filter(None, dims)) * bits // 8 >= _MOST_BYTES:
        raise refusal(f"tensor {name} is of shape {_listed(dims)}")
    if tensor.data_location == TensorProto.EXTERNAL:
        return
    if tensor.HasField("segment"):
        raise refusal(f"tensor {name} is a segment of another tensor, which readers do not join")
    kind = TensorProto.DataType.Name(tensor.data_type)
    if tensor.HasField("raw_data"):
        if kind == "STRING":
            raise refusal(f"tensor {name} holds text as raw bytes")
        found, wanted, of = len(tensor.raw_data), -(-elements * bits // 8), "bytes"
    else:
        field = _FIELDS.get(kind, "int32_data")
        found, of = len(getattr(tensor, field)), f"entries of {field}"
        doubled = 2 if kind.startswith("COMPLEX") else 1
        wanted = -(-elements * doubled // _ELEMENTS_AN_ENTRY.get(kind, 1))
    if found != wanted:
        raise refusal(
            f"tensor {name}, {kind.lower()} of shape {_listed(dims)}, has {found:,} {of}, and it "
            f"takes {wanted:,}"
        )


def _check_sparse(sparse: onnx.SparseTensorProto, refusal: _Refusal) -> None:
    _check_tensor(sparse.values, refusal)
    _check_tensor(sparse.indices, refusal)
    if any(dim < 0 for dim in sparse.dims) or len(sparse.dims) > _HIGHEST_RANK:
        raise refusal(f"sparse tensor {quoted(sparse.values.name)} has an impossible shape")


def _check_nodes(nodes: Iterable[onnx.NodeProto], imports: _Imports, refusal: _Refusal) -> None:
    for node in nodes:
        for attribute in node.attribute:
            _check_attribute(attribute, imports, refusal)
        if node.domain in DEFAULT_DOMAINS:
            fault = (
                _text_fault(node)
                or _signature_fault(node, imports.get("", 0))
                or _body_fault(node, imports.get("", 0))
            )
            if fault:
                raise refusal(f"{told_node(node)} {fault}")


def _check_attribute(attribute: AttributeProto, imports: _Imports, refusal: _Refusal) -> None:
    _check_text(attribute, ("name", "ref_attr_name"), refusal)
    if attribute.type == AttributeProto.UNDEFINED:
        raise refusal(f"attribute {quoted(attribute.name)} has no type")
    if attribute.HasField("t"):
        _check_tensor(attribute.t, refusal)
    for tensor in attribute.tensors:
        _check_tensor(tensor, refusal)
    if attribute.HasField("sparse_tensor"):
        _check_sparse(attribute.sparse_tensor, refusal)
    for sparse in attribute.sparse_tensors:
        _check_sparse(sparse, refusal)
    if attribute.HasField("g"):
        _check_graph(attribute.g, imports, refusal)
    for graph in attribute.graphs:
        _check_graph(graph, imports, refusal)


def _text_fault(node: onnx.NodeProto) -> str:
    """The standard's operators take text alone where they take strings."""
    for attribute in node.attribute:
        for one in (attribute.s, *attribute.strings):
            try:
                one.decode()
            except UnicodeDecodeError:
                return f"has {attribute.name} {one[:_SHOWN]!r}, which is not text in UTF-8"
    return ""


def _signature_fault(node: onnx.NodeProto, version: int) -> str:
    """What of its operator's signature a node breaks; empty for what onnx does not know."""
    schema = schema_at(node.op_type, version)
    if schema is None:
        return ""
    for what, found, low, high in (
        ("inputs", len(node.input), schema.min_input, schema.max_input),
        ("outputs", len(node.output), schema.min_output, schema.max_output),
    ):
        if not low <= found <= high:
            wanted = (
                str(low)
                if low == high
                else f"{low} to {high}"
                if high < 2**31 - 1
                else f"{low} or more"
            )
            return f"has {found} {what}, and the operator has {wanted}"
    if not any(node.output):
        return "makes nothing"
    for index, formal in enumerate(schema.inputs[: len(node.input)]):
        needed = formal.option == defs.OpSchema.FormalParameterOption.Single
        if needed and not node.input[index]:
            return f"leaves its input {index + 1} out, and the operator takes it"
    given = {attribute.name: attribute for attribute in node.attribute}
    for name, known in schema.attributes.items():
        attribute = given.get(name)
        kind = int(known.type)  # type: ignore[call-overload] # an enum of pybind11
        if attribute is None:
            if known.required:
                return f"lacks its attribute {name}"
        elif attribute.type != kind:
            kinds = AttributeProto.AttributeType
            return (
                f"has {name} as {kinds.Name(attribute.type)}, and the operator takes "
                f"{kinds.Name(kind)}"
            )
    if node.op_type == "Constant" and len(node.attribute) != 1:
        return f"has {len(node.attribute)} attributes, and the operator has one"
    return ""


def _body_fault(node: onnx.NodeProto, version: int) -> str:
    """What is wrong with the bodies of control flow; empty where nothing is."""
    names = _GRAPH_ATTRIBUTES.get(node.op_type)
    if names is None:
        return ""
    given = {attribute.name: attribute for attribute in node.attribute}
    bodies = [given[name].g for name in names if name in given and given[name].HasField("g")]
    if len(bodies) < len(names):
        return f"lacks its {' or '.join(names)}"
    # A Loop's body gives out whether to go on, and the node does not.
    more_outputs = 1 if node.op_type == "Loop" else 0
    for body in bodies:
        if len(body.output) != len(node.output) + more_outputs:
            return f"has {len(node.output)} outputs, and its body {len(body.output)}"
    if node.op_type == "Scan" and version >= _SCAN_WITHOUT_LENGTHS:
        count = given["num_scan_inputs"].i if "num_scan_inputs" in given else 0
        taken = len(node.input)
        if not (1 <= count <= taken and len(bodies[0].input) == taken):
            return f"scans {count} of {taken} inputs with a body of {len(bodies[0].input)} inputs"
    return ""


def _listed(dims: list[int]) -> str:
    shown = ", ".join(map(str, dims[:8]))
    return f"({shown}, ...)" if len(dims) > 8 else f"({shown})"
