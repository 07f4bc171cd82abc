"""What a node is called in a report: by its name, or else by what it writes."""

from __future__ import annotations

import onnx

__all__ = ["label_node"]


def label_node(node: onnx.NodeProto, *, every_output: bool = False) -> str:
    """The node's name; of one without, ``Conv → x``, the kind and its first or every output."""
    if node.name:
        return str(node.name)
    written = ", ".join(node.output if every_output else node.output[:1])
    return f"{node.op_type} → {written}"
