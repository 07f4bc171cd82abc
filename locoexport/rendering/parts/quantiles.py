"""How a file in a smaller precision keeps its limits → text and JSON. Imports data types only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.tables import FittedTable

if TYPE_CHECKING:
    from locoexport.parity.quantiles import PrecisionGroup, PrecisionParity

__all__ = ["precision_parity_document", "precision_parity_line", "precision_parity_table"]


def precision_parity_table(report: PrecisionParity) -> Table:
    """A row for each kind of inputs."""
    table = FittedTable(box=None, pad_edge=False, header_style="bold")
    for name in ("inputs (BxTxN)", "px of 256x256 p50", "p99", "allowed", "max", "flips"):
        table.add_column(name, no_wrap=True)
    for name in ("allowed", "points seen", ""):
        table.add_column(name, no_wrap=True)
    for group in report.groups:
        limit = group.tolerance
        table.add_row(
            group.name,
            f"{group.p50_px:.2e}",
            f"{group.p99_px:.3g}",
            f"{limit.p99_px:g}" if group.held else f"p50 {limit.p99_px:g}",
            f"{group.max_px:.3g}",
            f"{group.flips} of {group.compared} ({group.flip_share:.2%})",
            f"{limit.flip_share:.2%}" if group.held else "-",
            str(group.visible),
            _verdict(group),
        )
    return table


def precision_parity_line(report: PrecisionParity) -> str:
    """The verdict in one line."""
    limit = report.tolerance
    line = f"judged as {limit.precision}: p99 {report.p99_px:.3g} px of {limit.p99_px:g} allowed"
    if report.exported_p99_px is not None:
        line += f" ({report.exported_p99_px:.3g} when exported)"
    flips = max((g.flip_share for g in report.groups if g.held), default=float("nan"))
    line += f", visibility flips {flips:.2%} of {limit.flip_share:.2%}; {limit.origin}"
    unusable = sum(group.unusable for group in report.groups)
    if unusable:
        line += f"; {unusable} points and frames hold no number"
    if any(group.held and not group.visible for group in report.groups):
        line += "; PyTorch says nothing is visible, which proves nothing"
    return line


def precision_parity_document(report: PrecisionParity) -> dict[str, Any]:
    """The parity part of ``locoexport.verify/1`` for a smaller precision."""
    return {
        "judged_as": report.tolerance.precision,
        "passed": report.passed,
        "p99_px": report.p99_px,
        "worst_px": report.worst_px,
        "exported_p99_px": report.exported_p99_px,
        "tolerance": asdict(report.tolerance),
        "provider": report.provider,
        "node_placement": dict(report.placement),
        "groups": [_group(group) for group in report.groups],
    }


def _group(group: PrecisionGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "held": group.held,
        "passed": group.passed,
        "p50_px": group.p50_px,
        "p99_px": group.p99_px,
        "max_px": group.max_px,
        "flips": group.flips,
        "flip_share": group.flip_share,
        "visible": group.visible,
        "unusable": group.unusable,
        "compared": group.compared,
        "cases": [
            {
                "name": case.name,
                "batch": case.batch,
                "frames": case.frames,
                "points": case.points,
                "medians_px": list(case.medians_px),
                "flips": case.flips,
                "unusable": case.unusable,
                "compared": case.compared,
            }
            for case in group.cases
        ],
    }


def _verdict(group: PrecisionGroup) -> Text:
    return Text("pass", "green") if group.passed else Text("FAIL", "bold red")
