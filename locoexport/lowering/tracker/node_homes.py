"""Where in the model a node stands, also one that a simplifier has put in the place of others.

A node that carries a scope of the trace stands there. onnxsim fuses products and biases into nodes
of its own names (``Gemm_63`` between two ``Reshape``): such a node stands where the value that it
writes was written before, or else where its reader stands.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx

__all__ = ["node_homes"]


def node_homes(graph: onnx.GraphProto) -> Mapping[str, str]:
    """The home of every node of the main graph, by the node's name; "" where none can be told."""
    readers: dict[str, str] = {}
    homes: dict[str, str] = {}
    for node in reversed(graph.node):
        named = (node.name, *node.output)
        home = next((name for name in named if name.startswith("/")), None)
        if home is None:
            home = next((readers[name] for name in node.output if name in readers), "")
        homes[node.name] = home
        for name in node.input:
            readers.setdefault(name, home)
    return homes
