"""How a file in a smaller precision keeps its limits → rows, tables and JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.parity import shapes_text, verdict
from locoexport.rendering.parts.tables import headed, pixels

if TYPE_CHECKING:
    from locoexport.parity.quantiles import PrecisionGroup, PrecisionParity

__all__ = [
    "precision_details_table",
    "precision_parity_document",
    "precision_parity_rows",
    "precision_parity_table",
]


def precision_parity_table(report: PrecisionParity) -> Table:
    """A row for each kind of inputs: track errors where PyTorch says that a point is visible."""
    errors = ("p50 px", "p99 px", "worst px")
    table = headed(("inputs", *errors, "flips", ""), right=(*errors, "flips"))
    for group in report.groups:
        table.add_row(
            group.name,
            *map(pixels, (group.p50_px, group.p99_px, group.max_px)),
            f"{group.flip_share:.2%}",
            verdict(group.passed),
        )
    return table


def precision_details_table(report: PrecisionParity) -> Table:
    """A row for each pair of inputs: medians, flips and values that are no numbers."""
    counts = ("flips", "of", "no number")
    table = headed(("inputs", "BxTxN", "median px", *counts), right=("median px", *counts))
    for case in report.cases:
        table.add_row(
            case.name,
            shapes_text([(case.batch, case.frames, case.points)]),
            ", ".join(map(pixels, case.medians_px)) or "-",
            *(str(count) for count in (case.flips, case.compared, case.unusable)),
        )
    return table


def precision_parity_rows(report: PrecisionParity) -> list[tuple[str | Text, str | Text]]:
    """The verdict, and what was held against what."""
    limit = report.tolerance
    held = [group for group in report.groups if group.held]
    errors = f"p99 {pixels(report.p99_px)} px, worst {pixels(report.worst_px)} px of 256x256"
    p50 = max((group.p50_px for group in held), default=math.nan)
    rows: list[tuple[str | Text, str | Text]] = [
        (
            verdict(report.passed),
            f"p50 {pixels(p50)} px, {errors} from PyTorch (p99 allowed {limit.p99_px:g} px)",
        )
    ]
    if report.exported_p99_px is not None:
        rows.append(("on export", f"p99 {pixels(report.exported_p99_px)} px"))
    flips = max((group.flip_share for group in held), default=math.nan)
    rows.append(
        (
            "visibility",
            f"differs at {flips:.2%} of points and frames (allowed {limit.flip_share:.2%})",
        )
    )
    rows.append(("judged as", f"{limit.precision}: {limit.origin}"))
    if any(not group.held for group in report.groups):
        rows.append(
            ("other shapes", "too few points for a p99, so their median is held to its limit")
        )
    unusable = sum(group.unusable for group in report.groups)
    if unusable:
        rows.append(("no number", f"{unusable:,} points and frames hold no number"))
    if any(not group.visible for group in held):
        rows.append(("proves", "nothing: PyTorch says that no point is visible"))
    return rows


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
