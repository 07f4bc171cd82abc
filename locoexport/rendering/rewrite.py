"""Reports of ``rewrite`` → text and JSON. Imports data types only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.notices import counted
from locoexport.rendering.parts.tables import FittedTable

if TYPE_CHECKING:
    from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteReport

__all__ = ["rewrite_document", "rewrite_text"]


def rewrite_text(report: RewriteReport) -> RenderableType:
    """What was rewritten, node by node, and the verdict."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in _facts(report):
        facts.add_row(name, Text(value))
    if not report.rewritten:
        return facts
    return Group(facts, Text(), _nodes(report.rewritten), Text(), _verdict(report))


def rewrite_document(report: RewriteReport) -> dict[str, Any]:
    """``locoexport.rewrite/1``."""
    written = report.passed and report.path is not None
    return {
        "schema": "locoexport.rewrite/1",
        "passed": report.passed,
        "file": str(report.path) if written else None,
        "size_bytes": report.size_bytes,
        "changed": report.changed,
        "passes": list(report.passes),
        "to": report.to,
        "opset": {"before": report.opset_before, "after": report.opset_after},
        "nodes": {"before": report.nodes_before, "after": report.nodes_after},
        "inlined_functions": list(report.inlined_functions),
        "rewritten": [_node_document(node) for node in report.rewritten],
        "worst_error": report.worst_error,
        "loads": report.loads,
        "seconds": report.seconds,
    }


def _facts(report: RewriteReport) -> list[tuple[str, str]]:
    rows = []
    if report.path is not None:
        rows.append(("file", f"{report.path} ({(report.size_bytes or 0) / 1e6:.1f} MB)"))
    rows.append(("passes", ", ".join(report.passes)))
    if not report.changed:
        rows.append(("changed", "nothing: there was nothing to do, the model is as it was"))
        return rows
    if report.opset_before != report.opset_after:
        rows.append(("opset", f"{report.opset_before} -> {report.opset_after}"))
    rows.append(("nodes", f"{report.nodes_before} -> {report.nodes_after}"))
    if report.inlined_functions:
        rows.append(("inlined", ", ".join(report.inlined_functions)))
    if report.loads:
        rows.append(("not loaded", f"ONNX Runtime loads neither file: {report.loads}"))
    rows.append(("seconds", f"{report.seconds:.1f}"))
    return rows


def _nodes(nodes: tuple[NodeRewrite, ...]) -> Table:
    table = FittedTable(box=None, pad_edge=False, header_style="bold")
    for name in ("node", "before", "after", "nodes added", "worst", "allowed", ""):
        table.add_column(name, overflow="fold")
    for node in nodes:
        table.add_row(
            Text(node.node),
            Text(node.before),
            Text(node.after),
            f"{node.nodes_added:+d}",
            *_proof_cells(node),
        )
    return table


def _proof_cells(node: NodeRewrite) -> tuple[str, str, Text]:
    proof = node.proof
    told = f"not proven: {node.unproven}" if node.unproven else "not proven"
    if proof is None:
        return "-", "-", Text(told, "yellow")
    verdict = Text("pass", "green") if proof.passed else Text("FAIL", "bold red")
    if node.unproven:
        verdict += Text(f"; {told}", "yellow")
    return f"{proof.worst_error:.1e}", f"{proof.tolerance.worst:.0e}", verdict


def _verdict(report: RewriteReport) -> Text:
    proofs = [node.proof for node in report.rewritten if node.proof is not None]
    if not proofs:
        return Text("not proven: see the list" if report.unproven else "not proven (--no-check)")
    points = sum(proof.points for proof in proofs)
    runtimes = ", ".join(dict.fromkeys(proof.runtime for proof in proofs))
    head = Text("PASS ", style="bold green") if report.passed else Text("FAIL ", "bold red")
    tail = f"worst error {report.worst_error:.1e} at {counted(points, 'point')}, on {runtimes}"
    if any(proof.reduced for proof in proofs):
        tail += "; sizes that take too much memory to try were tried smaller"
    if report.unproven:
        tail += f"; {len(report.unproven)} of {len(report.rewritten)} rows not proven, or in part"
    return head + Text(tail)


def _node_document(node: NodeRewrite) -> dict[str, Any]:
    proof = node.proof
    return {
        "node": node.node,
        "pass": node.pass_name,
        "before": node.before,
        "after": node.after,
        "nodes_added": node.nodes_added,
        "proof": None if proof is None else asdict(proof) | {"passed": proof.passed},
        "unproven": node.unproven or None,
    }
