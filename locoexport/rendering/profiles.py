"""``locoexport profiles``: every profile in a table, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from locoexport.contract.profile import AxisSizes, ExportProfile
from locoexport.rendering.parts.tables import FittedTable, size

__all__ = ["profiles_document", "profiles_table"]


def profiles_table(profiles: Sequence[ExportProfile]) -> Table:
    """A row for each profile."""
    table = FittedTable(box=None, pad_edge=False, header_style="bold")
    for name in ("profile", "resolution", "opset", "sampling", "axes", "tolerance", "weights"):
        table.add_column(name)
    for profile in profiles:
        table.add_row(
            profile.name,
            size(profile.resolution_hw),
            str(profile.opset),
            profile.sampling,
            _axes(profile.axes),
            f"{profile.tolerance.tracks_px:g} px",
            f"shipped: {profile.demo_weights}" if profile.demo_weights else "seeded",
        )
    return table


def profiles_document(profiles: Sequence[ExportProfile]) -> dict[str, Any]:
    """``locoexport.profiles/1``."""
    return {
        "schema": "locoexport.profiles/1",
        "profiles": [asdict(profile) for profile in profiles],
    }


def _axes(axes: AxisSizes) -> str:
    fixed = {"batch": axes.batch, "frames": axes.frames, "points": axes.points}
    named = [f"{name}={size}" for name, size in fixed.items() if size is not None]
    return ", ".join(named) or "dynamic"
