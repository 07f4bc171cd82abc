"""New nodes into the original file: everything that a pass did not touch stays as it was read.

A pass works on an IR of the model with inferred shapes. What it wrote is put into the original
protobuf, so that value_info, metadata, sparse initializers, annotations and the order of all fields
of untouched nodes survive, known to the IR or not.
"""

from __future__ import annotations

import onnx

from locoexport.graphs.domains import plain_domain

__all__ = ["graft"]


def graft(original: onnx.ModelProto, rewritten: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``original`` with the nodes of ``rewritten`` where the two differ."""
    result = onnx.ModelProto()
    result.CopyFrom(original)
    _graft_nodes(result.graph, rewritten.graph)
    by_key = {_function_key(function): function for function in rewritten.functions}
    for function in result.functions:
        _graft_nodes(function, by_key[_function_key(function)])
    return result


def _graft_nodes(
    original: onnx.GraphProto | onnx.FunctionProto, rewritten: onnx.GraphProto | onnx.FunctionProto
) -> None:
    untouched = {_node_key(node): node for node in original.node}
    nodes = []
    for node in rewritten.node:
        kept = untouched.get(_node_key(node))
        if kept is not None:
            _graft_bodies(kept, node)
        nodes.append(node if kept is None else kept)
    copies = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copies.append(copy)
    del original.node[:]
    original.node.extend(copies)


def _graft_bodies(original: onnx.NodeProto, rewritten: onnx.NodeProto) -> None:
    by_name = {attribute.name: attribute for attribute in rewritten.attribute}
    for attribute in original.attribute:
        if attribute.HasField("g"):
            _graft_nodes(attribute.g, by_name[attribute.name].g)
        if attribute.graphs:
            for body, new in zip(attribute.graphs, by_name[attribute.name].graphs, strict=True):
                _graft_nodes(body, new)


def _node_key(node: onnx.NodeProto) -> tuple[object, ...]:
    """What tells a node that a pass left alone: outputs are unique within a graph."""
    inputs, outputs = tuple(node.input), tuple(node.output)
    return (plain_domain(node.domain), node.op_type, inputs, outputs)


def _function_key(function: onnx.FunctionProto) -> tuple[str, str, str]:
    return (function.domain, function.name, function.overload)
