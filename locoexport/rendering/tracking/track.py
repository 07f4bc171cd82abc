"""``locoexport track``: what was tracked, and where it was written."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

if TYPE_CHECKING:
    from locoexport.pipeline.tracking.points import TrackReport
from locoexport.notices import counted
from locoexport.rendering.parts.overlays import drawn_facts
from locoexport.rendering.parts.placement import choice_facts, choice_text
from locoexport.rendering.parts.tables import facts, pixel_facts, size

__all__ = ["track_document", "track_text"]


def track_text(report: TrackReport, *, verbose: bool = False) -> RenderableType:
    """What was tracked and what was written; ``verbose`` tells where the time went."""
    tracks, seconds = report.tracks, report.seconds
    points, frames = tracks.visible.shape
    rows = [
        ("video", f"{report.video}: {counted(frames, 'frame')} of {size(report.frame_hw)}"),
        *_repeated_rows(report),
        *pixel_facts(report.pixel_aspect, report.frame_hw),
        ("points", f"{points}, visible {tracks.visible.mean():.0%} of the time"),
        ("tracking", f"{seconds:.1f} s, {frames / seconds:.1f} frames/s"),
    ]
    if verbose or report.choice.chosen_by in ("tune", "fallback"):
        rows.append(("provider", choice_text(report.choice)))
    if verbose:
        rows += [
            (
                "time",
                f"{report.inference_seconds:.2f} s in ONNX Runtime, {report.outside_share:.1%} "
                f"outside; first tracked frame after {report.first_frame_seconds:.2f} s",
            ),
            ("threads", ", ".join(f"{name} {spent:.2f} s" for name, spent in report.parts)),
        ]
    if report.windowing is not None:
        effect = report.windowing
        changed = f"{effect.p50_px:.2f} px p50, {effect.p95_px:.2f} p95, {effect.max_px:.2f} max"
        seen = f"visible {effect.visible:.0%}, in one window {effect.visible_in_one_window:.0%}"
        rows.append(("windows", f"{changed}, {effect.flips:.1%} visibility flips; {seen}"))
    if report.overlay is not None:
        rows.append(("overlay", str(report.overlay)))
    if report.tracks_file is not None:
        rows.append(("tracks", str(report.tracks_file)))
    return facts(rows)


def _repeated_rows(report: TrackReport) -> list[tuple[str, str]]:
    repeated = report.frames_repeated
    if not repeated:
        return []
    lost = f"{counted(len(repeated), 'frame')} in place of lost ones"
    return [("repeated", f"{lost}, {repeated[0]} to {repeated[-1]}")]


def track_document(report: TrackReport) -> dict[str, Any]:
    """``locoexport.track/1``."""
    points, frames = report.tracks.visible.shape
    return {
        "schema": "locoexport.track/1",
        "video": str(report.video),
        "model": str(report.model),
        "frames": frames,
        "frame_hw": list(report.frame_hw),
        "pixel_aspect": list(report.pixel_aspect.as_integer_ratio()),
        "fps": report.tracks.fps,
        "points": points,
        "visible_share": float(report.tracks.visible.mean()),
        "overlay": None if report.overlay is None else str(report.overlay),
        "tracks": None if report.tracks_file is None else str(report.tracks_file),
        "seconds": report.seconds,
        "inference_seconds": report.inference_seconds,
        "outside_share": report.outside_share,
        "first_frame_seconds": report.first_frame_seconds,
        "parts": dict(report.parts),
        "frames_repeated": list(report.frames_repeated),
        "windowing": None if report.windowing is None else asdict(report.windowing),
        **choice_facts(report.choice),
        **drawn_facts(report.drawn),
        "warnings": list(report.warnings),
    }
