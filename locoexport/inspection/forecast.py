"""Where nodes would run on providers that are not here, from a table of kernels (kernels.toml).

A forecast, not a measurement: it knows operators, versions, types and ranks, and nothing of what a
provider decides by cost. Where a provider is at hand, ``verify --provider`` tells what really ran.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import onnx

from locoexport.graphs.inference import infer_shapes
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.inspection.parts import assign_parts

__all__ = ["Forecast", "Uncovered", "forecast_providers", "kernel_tables"]

_GROUPS_SHOWN = 3
_TYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.BFLOAT16: "bfloat16",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
}


@dataclass(frozen=True)
class Uncovered:
    """Nodes of one kind in one part of the model that a provider has no kernel for, and why."""

    op_type: str
    part: str
    count: int
    reason: str


@dataclass(frozen=True)
class Forecast:
    """One provider: nodes with a kernel, nodes without, and what happens to those.

    ``source`` is where the list of kernels is from and ``read`` the day it was read;
    ``note_sources`` has where each of ``notes`` is from.
    """

    provider: str
    covered: int
    uncovered: tuple[Uncovered, ...]
    without_kernel: str
    notes: tuple[str, ...]
    note_sources: tuple[str, ...]
    source: str
    read: str

    @property
    def missing(self) -> int:
        """How many nodes have no kernel."""
        return sum(group.count for group in self.uncovered)

    @property
    def groups(self) -> str:
        """Which nodes have none, in which part, and what happens to them; empty where all have."""
        if not self.uncovered:
            return ""
        shown = [
            f"{group.count} {group.op_type} of {group.part} ({group.reason})"
            for group in self.uncovered[:_GROUPS_SHOWN]
        ]
        rest = len(self.uncovered) - len(shown)
        more = f"; and {rest} more kinds" if rest else ""
        return f"{'; '.join(shown)}{more}: each {self.without_kernel}"


@dataclass(frozen=True)
class _Value:
    rank: int | None
    type: str | None


@cache
def kernel_tables() -> Mapping[str, Mapping[str, Any]]:
    """The tables, by provider."""
    text = (files("locoexport.inspection") / "kernels.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def forecast_providers(
    model: onnx.ModelProto, providers: Sequence[str] | None = None
) -> tuple[Forecast, ...]:
    """What each provider of the table has kernels for, in the table's order.

    Args:
        model: any graph.
        providers: only these, by the table's names.
    """
    values = _values(model)
    nodes = list(iterate_nodes(model))
    parts = [str(part) for part in assign_parts(nodes)]
    opset = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), 1)
    return tuple(
        _forecast(provider, table, list(zip(nodes, parts, strict=True)), opset, values)
        for provider, table in kernel_tables().items()
        if providers is None or provider in providers
    )


def _forecast(
    provider: str,
    table: Mapping[str, Any],
    nodes: Sequence[tuple[onnx.NodeProto, str]],
    opset: int,
    values: Mapping[str, _Value],
) -> Forecast:
    counts: Counter[tuple[str, str, str]] = Counter()
    for node, part in nodes:
        reason = _why_not(node, table, opset, values)
        if reason:
            counts[node.op_type, part, reason] += 1
    used = {node.op_type for node, _ in nodes}
    notes = [(note["text"], note["source"]) for note in table.get("notes", ())]
    notes += [
        (f"{op_type}: {rule['note']}", rule["source"])
        for op_type, rule in table.get("restricted", {}).items()
        if op_type in used and "note" in rule
    ]
    return Forecast(
        provider=provider,
        covered=len(nodes) - sum(counts.values()),
        uncovered=tuple(
            Uncovered(op_type, part, count, reason)
            for (op_type, part, reason), count in counts.most_common()
        ),
        without_kernel=table["without_kernel"],
        notes=tuple(text for text, _ in notes),
        note_sources=tuple(source for _, source in notes),
        source=table["source"],
        read=str(table["read"]),
    )


def _why_not(
    node: onnx.NodeProto, table: Mapping[str, Any], opset: int, values: Mapping[str, _Value]
) -> str:
    """Why the provider has no kernel for a node; empty where it has one."""
    if node.domain not in ("", "ai.onnx"):
        return f"domain {node.domain}"
    if node.op_type in table["operators"] or node.op_type in table.get("added", {}):
        return ""
    rule = table.get("restricted", {}).get(node.op_type)
    if rule is None:
        return "no kernel"
    value = values.get(node.input[0]) if node.input else None
    if "ranks" in rule and value is not None and value.rank not in (None, *rule["ranks"]):
        return f"rank {value.rank}, kernels for {_listed(rule['ranks'])}"
    if "types" in rule and value is not None and value.type not in (None, *rule["types"]):
        return f"{value.type}, kernels for {_listed(rule['types'])}"
    if "until" in rule and onnx.defs.has(node.op_type, opset, ""):
        version = onnx.defs.get_schema(node.op_type, opset, "").since_version
        if version > rule["until"]:
            return f"version {version}, kernels up to {rule['until']}"
    return ""


def _values(model: onnx.ModelProto) -> dict[str, _Value]:
    """Rank and type of every value that shape inference knows."""
    model = infer_shapes(model)
    found = {}
    for graph in iterate_graphs(model):
        for value in (*graph.value_info, *graph.input, *graph.output):
            tensor = value.type.tensor_type
            rank = len(tensor.shape.dim) if tensor.HasField("shape") else None
            found[value.name] = _Value(rank, _TYPES.get(tensor.elem_type))
        for constant in graph.initializer:
            found[constant.name] = _Value(len(constant.dims), _TYPES.get(constant.data_type))
    return found


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
