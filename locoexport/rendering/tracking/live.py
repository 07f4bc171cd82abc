"""``locoexport live``: what was answered, how fast, and what was dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

if TYPE_CHECKING:
    from locoexport.pipeline.live.stream import LiveReport
from locoexport.notices import counted
from locoexport.rendering.parts.tables import facts, size

__all__ = ["live_document", "live_text"]


def live_text(report: LiveReport) -> RenderableType:
    """The frames, the speed and the files."""
    frames = f"{report.video}: {counted(report.answered, 'frame')} of {size(report.frame_hw)}"
    ended = ", until it was interrupted" if report.interrupted else ""
    rows = [
        ("video", f"{frames}{ended}"),
        ("points", f"{report.points} at the end, each answer from {report.window} frames"),
        ("speed", f"{report.fps:.1f} frames/s in {report.seconds:.1f} s"),
        ("latency", f"{report.latency_p50_ms:.1f} ms p50, {report.latency_p95_ms:.1f} ms p95"),
        ("dropped", f"{report.dropped} of {counted(report.came, 'frame')}"),
    ]
    if report.film is not None:
        rows.append(("film", str(report.film)))
    if report.lines is not None:
        rows.append(("answers", report.lines))
    return facts(rows)


def live_document(report: LiveReport) -> dict[str, Any]:
    """``locoexport.live-report/1``; ``locoexport.live/1`` is that of a line of answers."""
    return {
        "schema": "locoexport.live-report/1",
        "video": str(report.video),
        "model": str(report.model),
        "frame_hw": list(report.frame_hw),
        "frames": report.came,
        "answered": report.answered,
        "dropped": report.dropped,
        "points": report.points,
        "window": report.window,
        "behind": report.behind,
        "seconds": report.seconds,
        "fps": report.fps,
        "latency_p50_ms": report.latency_p50_ms,
        "latency_p95_ms": report.latency_p95_ms,
        "film": None if report.film is None else str(report.film),
        "jsonl": report.lines,
        "interrupted": report.interrupted,
        "warnings": list(report.warnings),
    }
