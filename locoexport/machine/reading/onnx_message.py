"""Nodes and tensors of an .onnx file at any depth, out of its bytes, without the onnx package.

Source: onnx.proto, whose field numbers are below. Nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from locoexport.machine.reading.wire_format import read_fields

__all__ = ["external_locations", "iterate_nodes", "iterate_tensors", "operator_of", "type_of"]

_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE, _FUNCTION_NODE = 1, 5, 15, 7
_SPARSE_PARTS = (1, 2)
_NODE_OP_TYPE, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = (5, 10), (6, 11)
_TENSOR_TYPE, _TENSOR_EXTERNAL = 2, 13
_KEY, _VALUE = 1, 2

_DEEPEST = 20
_NODE, _TENSOR = "node", "tensor"


def iterate_nodes(model: memoryview) -> Iterator[memoryview]:
    """Every node of the graph, of the graphs within it and of functions.

    Raises:
        ValueError: the bytes are no message, or graphs are nested more than 20 deep.
    """
    return (part for kind, part in _iterate_parts(model) if kind == _NODE)


def iterate_tensors(model: memoryview) -> Iterator[memoryview]:
    """Every tensor that is stored: initializers and attributes, at any depth.

    Raises:
        ValueError: as ``iterate_nodes``.
    """
    return (part for kind, part in _iterate_parts(model) if kind == _TENSOR)


def operator_of(node: memoryview) -> str:
    """The operator's name."""
    return next(
        (_text(value) for number, value in read_fields(node) if number == _NODE_OP_TYPE), ""
    )


def type_of(tensor: memoryview) -> int:
    """The element type, by the number of ``TensorProto.DataType``; 0 where there is none."""
    found = 0
    for number, value in read_fields(tensor):
        if number == _TENSOR_TYPE and isinstance(value, int):
            found = value
    return found


def external_locations(model: memoryview) -> tuple[str, ...]:
    """The files that hold tensors' bytes, as the model names them, each once.

    Raises:
        ValueError: as ``iterate_nodes``, or a location is no text.
    """
    found: dict[str, None] = {}
    for tensor in iterate_tensors(model):
        for number, entry in read_fields(tensor):
            if number == _TENSOR_EXTERNAL and isinstance(entry, memoryview):
                pair = dict(read_fields(entry))
                if _text(pair.get(_KEY)) == "location":
                    found[_text(pair.get(_VALUE))] = None
    return tuple(found)


def _iterate_parts(model: memoryview) -> Iterator[tuple[str, memoryview]]:
    for number, value in read_fields(model):
        if not isinstance(value, memoryview):
            continue
        if number == _MODEL_GRAPH:
            yield from _graph_parts(value, 0)
        elif number == _MODEL_FUNCTION:
            for inner, part in read_fields(value):
                if inner == _FUNCTION_NODE and isinstance(part, memoryview):
                    yield from _node_parts(part, 0)


def _graph_parts(graph: memoryview, depth: int) -> Iterator[tuple[str, memoryview]]:
    if depth > _DEEPEST:
        raise ValueError(f"its graphs are nested more than {_DEEPEST} deep")
    for number, value in read_fields(graph):
        if not isinstance(value, memoryview):
            continue
        if number == _GRAPH_INITIALIZER:
            yield _TENSOR, value
        elif number == _GRAPH_SPARSE:
            for inner, part in read_fields(value):
                if inner in _SPARSE_PARTS and isinstance(part, memoryview):
                    yield _TENSOR, part
        elif number == _GRAPH_NODE:
            yield from _node_parts(value, depth)


def _node_parts(node: memoryview, depth: int) -> Iterator[tuple[str, memoryview]]:
    yield _NODE, node
    for number, attribute in read_fields(node):
        if number != _NODE_ATTRIBUTE or not isinstance(attribute, memoryview):
            continue
        for inner, value in read_fields(attribute):
            if not isinstance(value, memoryview):
                continue
            if inner in _ATTRIBUTE_TENSORS:
                yield _TENSOR, value
            elif inner in _ATTRIBUTE_GRAPHS:
                yield from _graph_parts(value, depth + 1)


def _text(value: int | memoryview | None) -> str:
    return bytes(value).decode() if isinstance(value, memoryview) else ""
