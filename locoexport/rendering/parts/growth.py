"""How rounding grows through a tracker → text and JSON. Imports data types only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.rendering.parts.localisation import fault_document, fault_rows
from locoexport.rendering.parts.tables import facts, headed, pixels

if TYPE_CHECKING:
    from locoexport.parity.error_growth import ErrorGrowth

__all__ = ["growth_document", "growth_text"]


def growth_text(growth: ErrorGrowth) -> RenderableType:
    """A row for each stage, which adds most, and a faulty node where there is one."""
    shares = ("error in", "error out", "adds")
    errors = ("tracks p50 px", "tracks p99 px")
    table = headed(("stage", *shares, *errors), right=(*shares, *errors))
    for stage in growth.stages:
        tracks = stage.tracks
        table.add_row(
            stage.name,
            *map(_share, (stage.comes_in, stage.goes_out, stage.adds)),
            "" if tracks is None else pixels(tracks.p50),
            "" if tracks is None else pixels(tracks.p99),
        )
    worst = growth.costliest
    title = Text(f"inside, as {growth.precision} on {growth.probe}: ")
    title += Text(_said(growth) if worst is not None else "nothing could be compared", "bold")
    rows = [
        (
            "errors",
            "medians, as shares of PyTorch's values; each holds those of the stages that it reads. "
            "Tracks are those of all points, hidden ones too",
        )
    ]
    if growth.fault is not None:
        rows.append(("node", f"compared with a fresh export in {growth.precision}:"))
        rows += fault_rows(growth.fault)
    elif growth.nodes_compared:
        rows.append(
            (
                "nodes",
                f"as in a fresh export in {growth.precision}: {growth.nodes_compared} seams agree",
            )
        )
    if growth.missing:
        rows.append(("not compared", f"not in the file: {', '.join(growth.missing)}"))
    if growth.note:
        rows.append(("note", growth.note))
    return Group(title, table, facts(rows, indent=2))


def growth_document(growth: ErrorGrowth) -> dict[str, Any]:
    """The ``growth`` part of ``locoexport.verify/1``; what is not finite is null."""
    worst = growth.costliest
    return {
        "probe": growth.probe,
        "precision": growth.precision,
        "costliest": None if worst is None else worst.name,
        "faulty": growth.faulty,
        "node": None if growth.fault is None else fault_document(growth.fault),
        "seams_compared_with_fresh": growth.nodes_compared,
        "missing_seams": list(growth.missing),
        "note": growth.note or None,
        "stages": [
            {
                "stage": stage.name,
                "comes_in": stage.comes_in,
                "goes_out": stage.goes_out,
                "adds": stage.adds,
                "tracks_p50_px": None if stage.tracks is None else stage.tracks.p50,
                "tracks_p99_px": None if stage.tracks is None else stage.tracks.p99,
            }
            for stage in growth.stages
        ],
        "seams": [
            {"seam": str(e.seam), "tensor": e.seam.tensor, "p50": e.p50, "p99": e.p99}
            for e in growth.seams
        ],
    }


def _said(growth: ErrorGrowth) -> str:
    worst = growth.costliest
    assert worst is not None
    if not math.isfinite(worst.goes_out):
        return f"{worst.name} holds values that are no numbers"
    return f"{worst.name} adds most, {worst.adds:.2%}"


def _share(value: float) -> str:
    return f"{value:.3%}" if math.isfinite(value) else str(value)
