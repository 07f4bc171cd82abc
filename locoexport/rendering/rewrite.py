"""Reports of ``rewrite`` → text and JSON. Imports data types only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.parity import verdict
from locoexport.rendering.parts.tables import facts, file_size, headed

if TYPE_CHECKING:
    from locoexport.lowering.proof.whole.whole_model import WholeModelProof
    from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteReport

__all__ = ["rewrite_document", "rewrite_text"]


def rewrite_text(report: RewriteReport, *, verbose: bool = False) -> RenderableType:
    """What was rewritten, a row for each kind of node, and the verdict.

    ``verbose`` has a row for each node.
    """
    rows = facts(_facts(report))
    if not report.rewritten:
        return rows
    table = _each_node(report.rewritten) if verbose else _nodes(_alike(report.rewritten))
    return Group(rows, Text(), table, Text(), facts(_verdict_rows(report, verbose=verbose)))


def rewrite_document(report: RewriteReport) -> dict[str, Any]:
    """``locoexport.rewrite/1``."""
    written = report.passed and report.path is not None
    return {
        "schema": "locoexport.rewrite/1",
        "passed": report.passed,
        "file": str(report.path) if written else None,
        "size_bytes": report.size_bytes,
        "data_files": [
            {"file": str(each.path), "size_bytes": each.size_bytes} for each in report.data_files
        ],
        "repacked": report.repacked,
        "changed": report.changed,
        "passes": list(report.passes),
        "to": report.to,
        "opset": {"before": report.opset_before, "after": report.opset_after},
        "ir_version": {"before": report.ir_version_before, "after": report.ir_version_after},
        "nodes": {"before": report.nodes_before, "after": report.nodes_after},
        "inlined_functions": list(report.inlined_functions),
        "assumed": dict(report.assumed),
        "reordered": list(report.reordered),
        "left_samplers": list(report.left_samplers),
        "rewritten": [_node_document(node) for node in report.rewritten],
        "worst_error": report.worst_error,
        "loads": report.loads,
        "whole_model": _whole_document(report.whole_model),
        "seconds": report.seconds,
    }


def _facts(report: RewriteReport) -> list[tuple[str, str]]:
    rows = []
    if report.path is not None:
        rows.append(("file", f"{report.path} ({file_size(report.size_bytes or 0)})"))
    for number, data in enumerate(report.data_files):
        label = "data" if number == 0 else ""
        rows.append((label, f"{data.path} ({file_size(data.size_bytes)})"))
    rows.append(("passes", ", ".join(report.passes)))
    if report.assumed:
        told = ", ".join(f"{name} is {kind}" for name, kind in report.assumed)
        rows.append(("assumed", f"{told} (your --assume-type)"))
    if not report.changed:
        reason = "there was nothing to do" if not report.left_samplers else "see below"
        rows.append(("changed", f"nothing: {reason}, the model is as it was"))
        return rows + _left(report)
    if report.opset_before != report.opset_after:
        rows.append(("opset", f"{report.opset_before} -> {report.opset_after}"))
    if report.ir_version_before != report.ir_version_after:
        rows.append(("IR version", f"{report.ir_version_before} -> {report.ir_version_after}"))
    if report.repacked:
        rows.append(("weights", _weights_place(report)))
    rows.append(("nodes", f"{report.nodes_before} -> {report.nodes_after}"))
    if report.inlined_functions:
        rows.append(("inlined", ", ".join(report.inlined_functions)))
    if report.reordered:
        told = f"sorted: it was not topological in {', '.join(report.reordered)}"
        rows.append(("order of nodes", told))
    rows += _left(report)
    if report.loads:
        rows.append(("not loaded", f"ONNX Runtime does not load the file: {report.loads}"))
    rows.append(("seconds", f"{report.seconds:.1f}"))
    return rows


def _weights_place(report: RewriteReport) -> str:
    if report.data_files:
        return f"moved into {', '.join(each.path.name for each in report.data_files)}"
    return "all in the file itself"


def _left(report: RewriteReport) -> list[tuple[str, str]]:
    return [("" if index else "left", told) for index, told in enumerate(report.left_samplers)]


def _alike(nodes: Sequence[NodeRewrite]) -> list[tuple[NodeRewrite, ...]]:
    """Nodes that became the same and fared the same, together."""
    groups: dict[tuple[object, ...], list[NodeRewrite]] = {}
    for node in nodes:
        proof = node.proof
        limit = None if proof is None else proof.tolerance.worst
        # All nodes of an operator are one row already, and name themselves.
        alone = node.node if _is_whole_operator(node) else ""
        became = (node.pass_name, node.before, node.after, node.nodes_added)
        groups.setdefault((*became, limit, _fared(node).plain, alone), []).append(node)
    return [tuple(group) for group in groups.values()]


def _nodes(groups: Sequence[tuple[NodeRewrite, ...]]) -> Table:
    """A row for each kind of node, with the worst error of any."""
    numbers = ("nodes added", "worst error", "allowed")
    table = headed(("before", "after", *numbers, ""), right=numbers)
    for group in groups:
        worst = max(group, key=_error)
        count = worst.node if _is_whole_operator(worst) else f"{len(group)}×"
        added = sum(node.nodes_added for node in group)
        cells = (Text(f"{count} {worst.before}"), Text(worst.after), f"{added:+d}")
        table.add_row(*cells, *_proof_cells(worst), _fared(worst))
    return table


def _each_node(nodes: Sequence[NodeRewrite]) -> Table:
    """A row for each node."""
    numbers = ("nodes added", "worst error", "allowed")
    table = headed(("node", "before", "after", *numbers, "", "why not proven"), right=numbers)
    for node in nodes:
        after = node.after
        if node.peak_bytes is not None:
            after += f"; about {file_size(node.peak_bytes)} at its peak"
        cells = (Text(node.node), Text(node.before), Text(after), f"{node.nodes_added:+d}")
        table.add_row(*cells, *_proof_cells(node), _fared(node), Text(node.unproven))
    return table


def _is_whole_operator(node: NodeRewrite) -> bool:
    return node.before.startswith("version ")


def _error(node: NodeRewrite) -> float:
    return -1.0 if node.proof is None else node.proof.worst_error


def _proof_cells(node: NodeRewrite) -> tuple[str, str]:
    proof = node.proof
    if proof is None:
        return "-", "-"
    return f"{proof.worst_error:.1e}", f"{proof.tolerance.worst:.0e}"


def _fared(node: NodeRewrite) -> Text:
    if node.proof is None:
        return Text("not proven", "yellow")
    passed = verdict(node.proof.passed)
    return passed + Text(" in part", "yellow") if node.unproven else passed


def _verdict_rows(report: RewriteReport, *, verbose: bool) -> list[tuple[str | Text, str | Text]]:
    rows: list[tuple[str | Text, str | Text]] = []
    proofs = [node.proof for node in report.rewritten if node.proof is not None]
    if proofs:
        values = sum(proof.points for proof in proofs)
        runtimes = ", ".join(dict.fromkeys(proof.runtime for proof in proofs))
        told = f"worst error {report.worst_error:.1e} at {values:,} values, on {runtimes}"
        if any(proof.reduced for proof in proofs):
            told += "; sizes too large for this machine's memory were tried smaller"
        rows.append((verdict(report.passed), told))
    elif not report.unproven:
        rows.append(("not proven", "--no-check"))
    if report.whole_model is not None:
        rows.append(_whole_row(report.whole_model))
    failed = [node.told for node in report.rewritten if node.proof and not node.proof.passed]
    rows += [("failed" if index == 0 else "", name) for index, name in enumerate(failed)]
    if report.unproven and not verbose:
        first, count = report.unproven[0], len(report.unproven)
        others = "" if count == 1 else f"; {count - 1:,} more"
        rows.append(("not proven", f"{first.node}: {first.unproven}{others}"))
    if not verbose:
        rows.append(("each node", "with -v, or in --json"))
    return rows


def _whole_row(proof: WholeModelProof) -> tuple[str | Text, str | Text]:
    if proof.unproven:
        return "whole model", Text("not proven: ", "yellow") + Text(proof.unproven)
    if proof.failure:
        return "whole model", verdict(False) + Text(f" {proof.failure}")
    told = f" at {'; '.join(proof.sizes)}: worst difference {proof.worst_difference:.1e}, "
    told += f"allowed {proof.allowed:.1e}, at {proof.values:,} values"
    note = f" ({proof.note})" if proof.note else ""
    return "whole model", verdict(proof.passed) + Text(told + note)


def _whole_document(proof: WholeModelProof | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    compared = bool(proof.values)
    return {
        "passed": None if proof.unproven else proof.passed,
        "sizes": list(proof.sizes),
        "complete": proof.complete,
        "worst_difference": proof.worst_difference if compared else None,
        "allowed": proof.allowed if compared else None,
        "values": proof.values,
        "origin": proof.origin or None,
        "unproven": proof.unproven or None,
        "failure": proof.failure or None,
        "note": proof.note or None,
    }


def _node_document(node: NodeRewrite) -> dict[str, Any]:
    proof = node.proof
    return {
        "node": node.node,
        "pass": node.pass_name,
        "before": node.before,
        "after": node.after,
        "nodes_added": node.nodes_added,
        "predicted_peak_bytes": node.peak_bytes,
        "proof": None if proof is None else asdict(proof) | {"passed": proof.passed},
        "unproven": node.unproven or None,
    }
