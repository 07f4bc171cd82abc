"""Walking every graph of a model: the main one, bodies of control flow, local functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import onnx

from locoexport.graphs.domains import DEFAULT_DOMAINS

__all__ = [
    "Holder",
    "bodies_of",
    "count_nodes",
    "iterate_bodies",
    "iterate_graphs",
    "iterate_nested",
    "iterate_nodes",
    "iterate_scopes",
    "iterate_tensors",
    "named_bodies",
]

Holder = Literal["initializer", "constant", "sparse", "attribute"]
"""What holds a tensor. ``constant``: the value of a Constant node. ``attribute``: any other
attribute."""


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
        yield from bodies_of(node)


def iterate_scopes(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and the bodies of its nodes, the very ones; each before what follows it."""
    yield graph
    for node in graph.node:
        for body in bodies_of(node):
            yield from iterate_scopes(body)


def bodies_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of a node itself, the very ones."""
    return (body for _, body in named_bodies(node))


def named_bodies(node: onnx.NodeProto) -> Iterator[tuple[str, onnx.GraphProto]]:
    """``bodies_of``, each after the name of the attribute that holds it."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        yield from ((attribute.name, body) for body in attribute.graphs)


def iterate_tensors(model: onnx.ModelProto) -> Iterator[tuple[onnx.TensorProto, Holder]]:
    """The very tensors, of every graph, body, function and training step."""
    graphs = [model.graph]
    for training in model.training_info:
        graphs += [training.initialization, training.algorithm]
    for graph in graphs:
        yield from _tensors_of_graph(graph)
        yield from _tensors_of_nodes(graph.node)
    for function in model.functions:
        for attribute in function.attribute_proto:
            yield from _tensors_of_attribute(attribute, "attribute")
        yield from _tensors_of_nodes(function.node)


def _nested(nodes: Iterable[onnx.NodeProto]) -> Iterator[Iterable[onnx.NodeProto]]:
    yield nodes
    for node in nodes:
        for body in bodies_of(node):
            yield from _nested(body.node)


def _tensors_of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[tuple[onnx.TensorProto, Holder]]:
    for node in iterate_nested(nodes):
        constant = node.op_type == "Constant" and node.domain in DEFAULT_DOMAINS
        for attribute in node.attribute:
            yield from _tensors_of_attribute(attribute, "constant" if constant else "attribute")


def _tensors_of_attribute(
    attribute: onnx.AttributeProto, holder: Holder
) -> Iterator[tuple[onnx.TensorProto, Holder]]:
    if attribute.HasField("t"):
        yield attribute.t, holder
    for tensor in attribute.tensors:
        yield tensor, "attribute"
    if attribute.HasField("sparse_tensor"):
        yield from _tensors_of_sparse([attribute.sparse_tensor])
    yield from _tensors_of_sparse(attribute.sparse_tensors)
    if attribute.HasField("g"):
        yield from _tensors_of_graph(attribute.g)
    for graph in attribute.graphs:
        yield from _tensors_of_graph(graph)


def _tensors_of_graph(graph: onnx.GraphProto) -> Iterator[tuple[onnx.TensorProto, Holder]]:
    for tensor in graph.initializer:
        yield tensor, "initializer"
    yield from _tensors_of_sparse(graph.sparse_initializer)


def _tensors_of_sparse(
    tensors: Iterable[onnx.SparseTensorProto],
) -> Iterator[tuple[onnx.TensorProto, Holder]]:
    for sparse in tensors:
        yield sparse.values, "sparse"
        yield sparse.indices, "sparse"
