"""Walking every graph of a model: the main one, bodies of control flow, local functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

__all__ = ["count_nodes", "iterate_bodies", "iterate_graphs", "iterate_nested", "iterate_nodes"]


def iterate_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node of the model, subgraphs and local functions included."""
    for nodes in iterate_bodies(model):
        yield from nodes


def iterate_nested(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes and those of their bodies, the very ones."""
    for body in _nested(nodes):
        yield from body


def iterate_bodies(model: onnx.ModelProto) -> Iterator[Iterable[onnx.NodeProto]]:
    """The node lists of every graph and function of the model."""
    yield from _nested(model.graph.node)
    for function in model.functions:
        yield from _nested(function.node)


def count_nodes(model: onnx.ModelProto) -> int:
    """How many nodes there are, subgraphs and local functions included."""
    return sum(1 for _ in iterate_nodes(model))


def iterate_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The main graph and every body of control flow, those in local functions included."""
    yield model.graph
    for node in iterate_nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def _nested(nodes: Iterable[onnx.NodeProto]) -> Iterator[Iterable[onnx.NodeProto]]:
    yield nodes
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nested(attribute.g.node)
            for graph in attribute.graphs:
                yield from _nested(graph.node)
