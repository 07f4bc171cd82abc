"""``locoexport convert``: what was written, and with what of the clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from locoexport.notices import counted
from locoexport.rendering.parts.tables import facts, size

if TYPE_CHECKING:
    from locoexport.pipeline.convert import ConvertReport

__all__ = ["convert_document", "convert_text"]


def convert_text(report: ConvertReport) -> RenderableType:
    """What was written."""
    known, points = report.facts, counted(report.points, "point")
    rows = [
        ("tracks", f"{report.tracks_file}: {points} in {counted(report.frames, 'frame')}"),
        ("visible", f"{report.visible_share:.0%} of the time"),
    ]
    if known.width is not None and known.height is not None:
        rows.append(("size", size((known.height, known.width))))
    if known.fps is not None:
        rows.append(("rate", f"{known.fps:g} frames/s"))
    rows.append((report.format.title, str(report.output)))
    return facts(rows)


def convert_document(report: ConvertReport) -> dict[str, Any]:
    """``locoexport.convert/1``."""
    known = report.facts
    return {
        "schema": "locoexport.convert/1",
        "tracks": str(report.tracks_file),
        "output": str(report.output),
        "format": report.format.name,
        "points": report.points,
        "frames": report.frames,
        "visible_share": report.visible_share,
        "frame_hw": None if known.width is None else [known.height, known.width],
        "fps": known.fps,
        "first_frame": known.first_frame,
        "warnings": list(report.warnings),
    }
