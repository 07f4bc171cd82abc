"""The tables of docs/live.md that no clock decides, from the figures in docs/live.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from marked_pages import write_between

__all__ = ["lines", "quality_tables", "write_tables"]

PAGE = Path(__file__).parents[1] / "docs" / "live.md"
BEGIN = "<!-- live quality: begin (benchmarks/live_quality.py --write) -->"
END = "<!-- live quality: end -->"

Figures = Mapping[str, list[float]]


def write_tables(figures: Figures) -> None:
    """Put the tables of what is on record into the page."""
    write_between(PAGE, BEGIN, END, quality_tables(figures))


def quality_tables(figures: Figures) -> str:
    """Every table of which there are figures."""
    parts = (_generated(figures), _clips(figures), _hidden(figures), _fast(figures))
    return "\n".join(part for part in (*parts, _drift(figures)) if part)


def lines(*names: str, rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in [names, ("---",) * len(names), *rows])


def _ways(figures: Figures, start: str) -> list[str]:
    """The ways of tracking under a key, one window first, then by kind and window."""
    found = {key.removeprefix(start).split("/")[0] for key in figures if key.startswith(start)}
    order = {"one": 0, "track": 1, "live": 2}
    return sorted(found, key=lambda w: (order[w.split()[0]], int(re.sub(r"\D", "", w) or 0)))


def _generated(figures: Figures) -> str:
    """Means over the sequences that every way has."""
    parts = []
    for frames in ("72", "24"):
        start = f"generated/{frames}/"
        ways = _ways(figures, start)
        have = [
            {int(k.split("/")[-1]) for k in figures if k.startswith(start + w + "/")} for w in ways
        ]
        common = sorted(set.intersection(*have)) if have else []
        if not common:
            continue
        rows = []
        for way in ways:
            mean = np.mean([figures[f"{start}{way}/{index}"] for index in common], axis=0)
            rows.append((way, *(f"{100 * each:.1f}" for each in mean[:3]), f"{mean[3]:.2f}"))
        title = f"{len(common)} generated sequences of {frames} frames, 64 points each:\n\n"
        parts.append(title + lines("tracker", "AJ", "δ_avg", "OA", "median px", rows=rows))
    return "\n".join(parts)


def _clips(figures: Figures) -> str:
    keys = [key for key in figures if key.startswith("clips/")]
    backs = [key for key in figures if key.startswith("return/")]
    rows = [
        (*key.split("/")[1:], f"{p50:.2f}", f"{p95:.2f}", f"{flips:.1%}")
        for key in keys
        for p50, p95, flips in [figures[key]]
    ]
    ends = [
        (*key.split("/")[1:], f"{median:.2f}", f"{near:.0%}", f"{seen:.0%}")
        for key in backs
        for median, near, seen in [figures[key]]
    ]
    if not rows or not ends:
        return ""
    names = ("clip", "tracker", "median px at the end", "within 4 px", "visible at the end")
    return (
        "Real clips, 60 frames and 36 points: the distance from the tracks of one window, where "
        "both call a point visible:\n\n"
        + lines("clip", "tracker", "p50 px", "p95 px", "flips", rows=rows)
        + "\nThere and back: 48 frames, then the same frames in reverse, so that each point ends "
        "where it began:\n\n" + lines(*names, rows=ends)
    )


def _hidden(figures: Figures) -> str:
    rows = [
        (hidden, way, *(f"{each:.0%}" for each in figures[f"hidden/{hidden}/{way}"]))
        for hidden in ("4", "8", "16", "32")
        for way in _ways(figures, f"hidden/{hidden}/")
    ]
    if not rows:
        return ""
    names = (
        "frames hidden",
        "tracker",
        "found in the first visible frame",
        "found 8 frames later",
        "called visible while hidden",
    )
    return (
        "A textured square (48 points from three scenes) moves 1 px a frame. Something larger "
        "covers it for the given number of frames. A point is found if it is called visible and is "
        "within 4 px:\n\n" + lines(*names, rows=rows)
    )


def _fast(figures: Figures) -> str:
    rows = [
        (speed, way, *(f"{each:.0%}" for each in figures[f"fast/{speed}/{way}"]))
        for speed in ("4", "8", "16", "32")
        for way in _ways(figures, f"fast/{speed}/")
    ]
    if not rows:
        return ""
    return "The same square, never covered, moves to and fro for 48 frames:\n\n" + lines(
        "px a frame", "tracker", "within 4 px", "called visible", rows=rows
    )


def _drift(figures: Figures) -> str:
    rows = []
    for way in _ways(figures, "drift/"):
        found = [figures[key] for key in figures if key.startswith(f"drift/{way}/")]
        pairs = np.mean(found, axis=0)[1:].reshape(-1, 2)
        rows.append((way, *(f"{median:.2f} px, {near:.0%}" for median, near in pairs)))
    if not rows:
        return ""
    stretches = [f"frames {100 * i + (i == 0)} to {100 * i + 99}" for i in range(len(rows[0]) - 1)]
    return (
        "Two generated sequences of 500 frames, points of frame 0 where they are visible: the "
        "median error, and the share within 4 px:\n\n" + lines("tracker", *stretches, rows=rows)
    )
