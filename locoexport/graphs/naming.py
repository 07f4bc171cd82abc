"""How an error names what a stranger's file holds."""

from __future__ import annotations

import onnx

__all__ = ["quoted", "told_node"]

_SHOWN = 80


def told_node(node: onnx.NodeProto) -> str:
    """A node by its operator, and by its name or the name of what it makes."""
    name = node.name or next(iter(filter(None, node.output)), "")
    return f"{node.op_type} {quoted(name)}" if name else f"a {node.op_type}"


def quoted(name: str) -> str:
    """A stranger's name: short, and nothing that a terminal would act on."""
    return repr(name if len(name) <= _SHOWN else name[:_SHOWN] + "...")
