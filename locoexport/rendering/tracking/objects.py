"""Objects and folders of clips → text and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.notices import counted
from locoexport.rendering.parts.overlays import drawn_facts
from locoexport.rendering.parts.placement import choice_facts, choice_text
from locoexport.rendering.parts.tables import facts, headed, pixel_facts

if TYPE_CHECKING:
    from pathlib import Path

    from locoexport.pipeline.tracking.folder import FolderReport
    from locoexport.pipeline.tracking.objects import ObjectReport

__all__ = ["folder_document", "folder_text", "objects_document", "objects_summary", "objects_text"]


def objects_text(report: ObjectReport) -> RenderableType:
    """What was found in a clip, and where it was written."""
    tracks = report.found.tracks
    height, width = report.frame_hw
    visible = f"{report.found.visible_share:.0%}"
    rows = [
        ("video", f"{report.video}: {counted(tracks.frames, 'frame')} of {height}x{width}"),
        *pixel_facts(report.pixel_aspect, report.frame_hw),
        ("objects", str(len(report.found.objects))),
        ("points", f"{tracks.points}, visible {visible} of the time"),
        ("detecting", f"{report.detecting_seconds:.1f} s"),
        ("tracking", f"{report.tracking_seconds:.1f} s"),
        ("provider", choice_text(report.choice)),
        *_preset_row(report.preset),
        *((name, str(path)) for name, path in report.outputs.written()),
    ]
    if not report.found.objects:
        return facts(rows)
    table = headed(
        ("object", "frames detected", "tracked", "lost", "points"),
        right=("object", "frames detected", "tracked", "lost", "points"),
    )
    for row in _object_rows(report):
        table.add_row(*(str(value) for value in row.values()))
    return Group(facts(rows), Text(), table)


def objects_document(report: ObjectReport) -> dict[str, Any]:
    """``locoexport.track-objects/1``."""
    return {
        "schema": "locoexport.track-objects/1",
        "video": str(report.video),
        "model": str(report.model),
        "frames": report.found.tracks.frames,
        "height": report.frame_hw[0],
        "width": report.frame_hw[1],
        "pixel_aspect": list(report.pixel_aspect.as_integer_ratio()),
        "points": report.found.tracks.points,
        "objects": _object_rows(report),
        "preset": report.preset,
        "rules": asdict(report.rules),
        "frames_repeated": list(report.frames_repeated),
        "files": {name: str(path) for name, path in report.outputs.written()},
        "detecting_seconds": report.detecting_seconds,
        "tracking_seconds": report.tracking_seconds,
        "seconds": report.seconds,
        **choice_facts(report.choice),
        **drawn_facts(report.drawn),
        "warnings": list(report.warnings),
    }


def objects_summary(report: ObjectReport) -> str:
    """A few words, for one of many clips."""
    tracks = report.found.tracks
    named = (
        (len(report.found.objects), "object"),
        (tracks.points, "point"),
        (tracks.frames, "frame"),
    )
    return ", ".join(counted(number, noun) for number, noun in named)


def folder_text(report: FolderReport) -> RenderableType:
    """What became of every clip."""
    table = headed(("clip", "outcome", "result"))
    for result in report.results:
        outcome = result.outcome + (" (earlier)" if result.skipped else "")
        table.add_row(_within(report, result.clip), outcome, result.text)
    rows = [("outputs", str(report.out))]
    return Group(facts(rows + _preset_row(report.preset)), Text(), table)


def folder_document(report: FolderReport) -> dict[str, Any]:
    """``locoexport.track-folder/1``."""
    return {
        "schema": "locoexport.track-folder/1",
        "passed": report.passed,
        "folder": str(report.folder),
        "out": str(report.out),
        "preset": report.preset,
        "clips": [
            {
                "clip": _within(report, result.clip),
                "outcome": result.outcome,
                "skipped": result.skipped,
                "text": result.text,
                "warnings": list(result.warnings),
            }
            for result in report.results
        ],
        "warnings": list(report.warnings),
    }


def _preset_row(preset: str | None) -> list[tuple[str, str]]:
    return [] if preset is None else [("preset", preset)]


def _within(report: FolderReport, clip: Path) -> str:
    return clip.relative_to(report.folder).as_posix()


def _object_rows(report: ObjectReport) -> list[dict[str, int]]:
    found = report.found
    return [
        {
            "object": item.object_id,
            "frames_detected": int((item.source == 1).sum()),
            "frames_tracked": int((item.source == 2).sum()),
            "frames_lost": int((item.source == 0).sum()),
            "points": int((found.object_ids == item.object_id).sum()),
        }
        for item in found.objects
    ]
