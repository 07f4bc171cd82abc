"""Nodes in topological order, as ONNX demands and as not every file has them.

Files that were edited for TensorRT often list a node before what it reads; TensorRT and ONNX
Runtime sort such files themselves, ``onnx.checker`` refuses them, and shape inference passes over
them in one sweep and knows too little. The sort is stable (of all nodes that could come next, the
one that the file lists first) and works on the protobuf, functions included, so that a file that is
in order stays the very object that was read.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import onnx

from locoexport.errors import ModelFileError
from locoexport.graphs.naming import quoted, told_node
from locoexport.graphs.walking import bodies_of, named_bodies

__all__ = ["in_order", "names_read"]

_Names = frozenset[str]


def in_order(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model with every graph's nodes in topological order, and which graphs were not in it; the
    same object where all were.

    Raises:
        ModelFileError: nodes wait for each other, a value is made twice, or nothing makes it.
    """
    if not list(_sort_model(model, change=False)):
        return model, ()
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result, tuple(_sort_model(result, change=True))


def _sort_model(model: onnx.ModelProto, *, change: bool) -> Iterator[str]:
    """Names of the graphs that are out of order; they are sorted in place with ``change``."""
    yield from _sort_graph(model.graph, frozenset(), "the main graph", change=change)
    for function in model.functions:
        where = f"function {quoted('.'.join(filter(None, (function.domain, function.name))))}"
        yield from _sort_nodes(function, _names(function.input), frozenset(), where, change=change)
        _check_outputs(function.output, function.node, _names(function.input), where)


def _sort_graph(
    graph: onnx.GraphProto, outer: _Names, where: str, *, change: bool
) -> Iterator[str]:
    given = _given(graph)
    yield from _sort_nodes(graph, given, outer, where, change=change)
    _check_outputs((value.name for value in graph.output), graph.node, given | outer, where)


def _sort_nodes(
    graph: onnx.GraphProto | onnx.FunctionProto,
    given: _Names,
    outer: _Names,
    where: str,
    *,
    change: bool,
) -> Iterator[str]:
    makers = _makers(graph.node, given, where)
    order = _order(graph.node, makers, given | outer, where)
    if order != sorted(order):
        if change:
            nodes = [_copy(graph.node[number]) for number in order]
            del graph.node[:]
            graph.node.extend(nodes)
        yield where
    visible = given | outer | makers.keys()
    for node in graph.node:
        for name, body in named_bodies(node):
            inside = f"{name} of {told_node(node)}"
            yield from _sort_graph(body, visible, inside, change=change)


def _order(
    nodes: Sequence[onnx.NodeProto], makers: dict[str, int], known: _Names, where: str
) -> list[int]:
    """Positions of the nodes in the order in which they can run."""
    readers: list[list[int]] = [[] for _ in nodes]
    waiting = [0] * len(nodes)
    for number, node in enumerate(nodes):
        needed = set()
        for name in names_read(node):
            if name in makers:
                needed.add(makers[name])
            elif name not in known:
                raise ModelFileError(
                    f"{told_node(node)} in {where} reads {quoted(name)}, which nothing makes: no "
                    "node, no input and no initializer. The file is incomplete; export it again."
                )
        waiting[number] = len(needed)
        for maker in needed:
            readers[maker].append(number)
    ready = [number for number, count in enumerate(waiting) if not count]
    order = []
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for reader in readers[number]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        stuck = next(number for number, count in enumerate(waiting) if count)
        raise ModelFileError(
            f"{told_node(nodes[stuck])} in {where} waits for its own result: nodes read each other "
            "in a circle, so there is no order in which they can run. Export the file again."
        )
    return order


def _makers(nodes: Iterable[onnx.NodeProto], given: _Names, where: str) -> dict[str, int]:
    makers: dict[str, int] = {}
    for number, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in makers or name in given:
                also = "another node" if name in makers else "an input or initializer"
                raise ModelFileError(
                    f"{told_node(node)} in {where} makes {quoted(name)}, and so does {also}; which "
                    "of the two is meant is open. Give one of them another name."
                )
            makers[name] = number
    return makers


def names_read(node: onnx.NodeProto) -> set[str]:
    """What a node takes, and what its bodies take from outside themselves."""
    names = set(filter(None, node.input))
    for body in bodies_of(node):
        inside = _given(body) | {name for inner in body.node for name in inner.output}
        taken = {value.name for value in body.output}
        for inner in body.node:
            taken |= names_read(inner)
        names |= taken - inside
    return names


def _check_outputs(
    names: Iterable[str], nodes: Iterable[onnx.NodeProto], known: _Names, where: str
) -> None:
    made = {name for node in nodes for name in node.output}
    for name in names:
        if name and name not in made and name not in known:
            raise ModelFileError(
                f"{where[0].upper()}{where[1:]} gives out {quoted(name)}, which nothing makes. "
                "The file is incomplete; export it again."
            )


def _given(graph: onnx.GraphProto) -> _Names:
    """What a graph has before any node runs."""
    return _names(
        [
            *(value.name for value in graph.input),
            *(tensor.name for tensor in graph.initializer),
            *(tensor.values.name for tensor in graph.sparse_initializer),
        ]
    )


def _names(names: Iterable[str]) -> _Names:
    return frozenset(filter(None, names))


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
