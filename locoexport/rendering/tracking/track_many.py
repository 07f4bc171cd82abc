"""Many clips → text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.notices import counted
from locoexport.rendering.parts.placement import chosen_text
from locoexport.rendering.parts.tables import facts, headed

if TYPE_CHECKING:
    from locoexport.pipeline.tracking.many import ManyReport

__all__ = ["many_document", "many_text"]


def many_text(report: ManyReport) -> RenderableType:
    """What became of all clips, and which were not tracked and why."""
    fresh = len(report.outcomes) - report.skipped
    counts = f"{report.count('tracked')} of {len(report.outcomes)} tracked"
    for outcome in ("failed", "lost"):
        if report.count(outcome):
            counts += f", {report.count(outcome)} {outcome}"
    rate = report.frames / report.seconds
    rows = [
        (
            "clips",
            counts + (f"; {report.skipped} of them in an earlier run" if report.skipped else ""),
        ),
        (
            "tracking",
            f"{report.seconds:.1f} s, {counted(report.frames, 'frame')}, {rate:.1f} frames/s",
        ),
        (
            "workers",
            f"{report.workers} x {counted(report.threads, 'thread')}, engine {report.engine}",
        ),
        ("provider", f"{report.choice.provider}{chosen_text(report.choice.chosen_by)}"),
        ("dataset", str(report.out / "tracks")),
        ("list", str(report.out / "clips.parquet")),
    ]
    if not fresh:
        del rows[1:4]
    if report.worker_deaths:
        rows.insert(3, ("died", f"{counted(report.worker_deaths, 'worker')}, replaced"))
    bad = [outcome for outcome in report.outcomes if outcome.outcome != "tracked"]
    if not bad:
        return facts(rows)
    table = headed(("clip", "outcome", "reason"))
    for each in bad:
        table.add_row(
            str(each.clip), each.outcome + (" (earlier)" if each.skipped else ""), each.text
        )
    return Group(facts(rows), Text(), table)


def many_document(report: ManyReport) -> dict[str, Any]:
    """``locoexport.track-many/1``."""
    return {
        "schema": "locoexport.track-many/1",
        "passed": report.passed,
        "out": str(report.out),
        "engine": report.engine,
        "workers": report.workers,
        "threads": report.threads,
        "provider": report.choice.provider,
        "provider_chosen_by": report.choice.chosen_by,
        "worker_deaths": report.worker_deaths,
        "seconds": report.seconds,
        "frames": report.frames,
        "tracked": report.count("tracked"),
        "failed": report.count("failed"),
        "lost": report.count("lost"),
        "skipped": report.skipped,
        "warnings": list(report.warnings),
        "clips": [
            {
                "clip": str(each.clip),
                "clip_id": each.clip_id,
                "outcome": each.outcome,
                "text": each.text,
                "points": each.points,
                "frames": each.frames,
                "seconds": each.seconds,
                "skipped": each.skipped,
                "warnings": list(each.warnings),
            }
            for each in report.outcomes
        ],
    }
