"""Why the type or rank of a value is unknown, and what a user can do about it, in words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import onnx_ir as ir

from locoexport.graphs.domains import DEFAULT_DOMAINS

__all__ = ["assumption", "why_unknown"]

_MOST_STEPS = 10_000


def why_unknown(value: ir.Value) -> str:
    """Where the unknown begins: the operator that makes the value, or one that it follows from."""
    origin, name = _origin(value), str(value.name)
    node = origin.producer()
    if node is None:
        made = "an input that the file states no type of"
    else:
        made = f"made by {_operator(node)}, of which ONNX does not know what it makes"
    if origin is value:
        return f"{name!r} is {made}"
    return f"{name!r} follows from {str(origin.name)!r}, {made}"


def assumption(values: Sequence[ir.Value], kind: str) -> str:
    """What to type, in a shell and in Python, where all of these values are of one kind."""
    options = " ".join(f"--assume-type {shlex.quote(f'{value.name}={kind}')}" for value in values)
    python = ", ".join(f"{str(value.name)!r}: {kind!r}" for value in values)
    return f"{options} (in Python: assumed_types={{{python}}})"


def _origin(value: ir.Value) -> ir.Value:
    for _ in range(_MOST_STEPS):
        node = value.producer()
        if node is None or node.domain not in DEFAULT_DOMAINS:
            return value
        unknown = [each for each in node.inputs if each is not None and _is_unknown(each)]
        if not unknown:
            return value
        value = unknown[0]
    return value


def _is_unknown(value: ir.Value) -> bool:
    return value.type is None or value.dtype is None or value.shape is None


def _operator(node: ir.Node) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain else node.op_type
