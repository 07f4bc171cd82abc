"""How far a graph is from PyTorch → text, table and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.tables import FittedTable

if TYPE_CHECKING:
    from locoexport.parity.pointwise import CaseParity, ParityReport

__all__ = ["parity_document", "parity_line", "parity_table"]


def parity_table(report: ParityReport) -> Table:
    """A row for each case and output."""
    table = FittedTable(box=None, pad_edge=False, header_style="bold")
    for name in ("inputs (BxTxN)", "output", "worst", "p99", "allowed", "at (b, point, frame)"):
        table.add_column(name, no_wrap=True)
    for name in ("torch", "onnx", "flips", "apart", ""):
        table.add_column(name, no_wrap=True)
    for case in report.cases:
        for index, output in enumerate(case.outputs):
            first = index == 0
            table.add_row(
                case.name if first else "",
                Text(f"{output.output} [{output.unit}]"),
                f"{output.worst:.2e}",
                f"{output.p99:.2e}",
                f"{output.tolerance:.0e}",
                str(output.worst_index),
                f"{output.expected:.4f}",
                f"{output.found:.4f}",
                str(case.visibility_flips) if first else "",
                _apart(case) if first else "",
                Text("pass", "green") if output.passed else Text("FAIL", "bold red"),
            )
    return table


def parity_document(report: ParityReport) -> dict[str, Any]:
    """The parity part of a document; errors that are not finite are null."""
    return {
        "passed": report.passed,
        "worst_px": report.worst_px,
        "worst_logit": report.worst_logit,
        "apart_points": report.apart_points,
        "worst_apart_px": report.worst_apart_px,
        "tolerance": asdict(report.tolerance),
        "provider": report.provider,
        "node_placement": dict(report.placement),
        "cases": [asdict(case) | {"passed": case.passed} for case in report.cases],
    }


def parity_line(parity: ParityReport, of: str = "torch") -> str:
    """The worst of all cases against what was allowed, and what was counted apart; ``of`` is what
    the file was compared with."""
    tried = ", ".join("x".join(map(str, shape)) for shape in parity.shapes)
    line = (
        f"worst {parity.worst_px:.2e} px and {parity.worst_logit:.2e} logits from {of} "
        f"(allowed {parity.tolerance.tracks_px:g} and {parity.tolerance.logits:g}) at BxTxN {tried}"
    )
    if parity.apart_points:
        tied = sum(case.tied_points for case in parity.cases)
        line += (
            f"; counted apart: {tied} tied and {parity.apart_points - tied} unstable points, "
            f"up to {parity.worst_apart_px:.2e} px"
        )
    if not parity.conclusive:
        line += ": too many for the rest to prove anything"
    return line


def _apart(case: CaseParity) -> str:
    if not case.tied_points and not case.unstable_points:
        return "-"
    return f"{case.tied_points} tied, {case.unstable_points} unstable, {case.worst_apart_px:.1e} px"
