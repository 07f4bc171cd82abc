"""docs/speed.md's section on PyTorch's faster ways, and what is ours within the same error.

Documents measured before there were such sides have none of it, and nothing is said then.
"""

from __future__ import annotations

from typing import Any

from locoexport.benchmarking.report import paired_ratios

__all__ = [
    "AUTOCAST",
    "LIMIT_PX",
    "Lap",
    "fastest_within",
    "lap_of",
    "opponents_section",
    "p99_text",
    "with_opponents",
]

LIMIT_PX = 0.5
EAGER, PLAIN, DEFAULT = "torch eager", "plain graph", "default graph"
AUTOCAST, COMPILE = "torch bf16 autocast", "torch compile"
_BF16 = ("AVX-512 BF16", "AMX")


class Lap:
    """One side at one size."""

    def __init__(self, cell: dict[str, Any], name: str) -> None:
        """``name`` is one of the cell's."""
        place = cell["names"].index(name)
        self.name = name
        self.median_s: float = cell["medians"][place]
        self.seconds: list[float] = cell["seconds"][place]
        peaks = cell["peak_bytes"]
        self.peak_bytes: int | None = peaks[place] if place < len(peaks) else None

    def times_as_fast(self, other: Lap) -> str:
        """``2.41 (2.28-2.57)``: the other's time over this one's, run by run."""
        ratio = paired_ratios(self.seconds, other.seconds)
        return f"{ratio.median:.2f} ({ratio.p10:.2f}-{ratio.p90:.2f})"


def lap_of(cell: dict[str, Any], name: str) -> Lap | None:
    """The side of that name; None where it took no part."""
    return Lap(cell, name) if name in cell["names"] else None


def with_opponents(document: dict[str, Any]) -> bool:
    """Whether any cell was measured with autocast beside it."""
    return any(AUTOCAST in c["names"] for v in document["variants"].values() for c in v["cells"])


def fastest_within(measured: dict[str, Any], cell: dict[str, Any]) -> Lap | None:
    """Our fastest side whose error was measured and is within the limit; None where none was."""
    errors = measured.get("errors", {})
    laps = [
        Lap(cell, name)
        for name in cell["names"]
        if name not in (EAGER, PLAIN, AUTOCAST, COMPILE) and _is_within(errors.get(name))
    ]
    return min(laps, key=lambda lap: lap.median_s, default=None)


def p99_text(measured: dict[str, Any], name: str) -> str:
    """``p99 3.3 px``, or why there is none."""
    error = measured.get("errors", {}).get(name)
    if error is None:
        return "error not measured"
    if not error["finite"]:
        return "not finite"
    return "no visible point" if error["p99_px"] is None else f"p99 {_pixels(error['p99_px'])} px"


def opponents_section(document: dict[str, Any]) -> str:
    """All that was measured of it; empty where nothing was."""
    if not with_opponents(document):
        return ""
    parts = [_introduction(document), _times(document), _errors(document)]
    return "\n\n".join([*parts, *_compiling(document)])


def _introduction(document: dict[str, Any]) -> str:
    features = document["cpu"].get("features") or ()
    has = [name for name in _BF16 if name in features]
    bf16 = (
        f"This processor has bfloat16 instructions ({', '.join(has)})."
        if has
        else "This processor has no bfloat16 instructions that we know of: autocast converts."
    )
    return (
        f"**In the same budget.** In turn with the three sides above: PyTorch eager under bfloat16 "
        f"autocast, torch.compile, and files of ours in smaller precisions where some were given. "
        f"{bf16} *Within {LIMIT_PX} px* is the fastest side of ours whose 99th percentile is "
        f"within {LIMIT_PX} px of eager in the second table; it may be the default graph."
    )


def _times(document: dict[str, Any]) -> str:
    rows = [
        "| variant | frames x points | default ms | autocast ms | autocast / default (p10-p90) "
        f"| compile ms | compile / default (p10-p90) | within {LIMIT_PX} px: ms | which "
        "| autocast / within (p10-p90) | eager / within (p10-p90) "
        "| peak MB: autocast, within |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for variant, measured in document["variants"].items():
        for cell in measured["cells"]:
            autocast, compiled = lap_of(cell, AUTOCAST), lap_of(cell, COMPILE)
            if autocast is None:
                continue
            default, eager = Lap(cell, DEFAULT), Lap(cell, EAGER)
            best = fastest_within(measured, cell)
            columns = (
                *(variant, f"{cell['frames']} x {cell['points']}", _ms(default), _ms(autocast)),
                *(default.times_as_fast(autocast), _ms(compiled)),
                "–" if compiled is None else default.times_as_fast(compiled),
                *(_ms(best), "–" if best is None else best.name),
                *("–" if best is None else best.times_as_fast(lap) for lap in (autocast, eager)),
                f"{_mb(autocast)}, {_mb(best)}",
            )
            rows.append(f"| {' | '.join(columns)} |")
    return "\n".join(rows)


def _errors(document: dict[str, Any]) -> str:
    rows = ["| variant | side | p50 px | p99 px | all finite |", "|---|---|---|---|---|"]
    clips = set()
    for variant, measured in document["variants"].items():
        for name, error in measured.get("errors", {}).items():
            clips.add(error["clips"])
            p50, p99 = (_pixels(error[key]) for key in ("p50_px", "p99_px"))
            finite = "yes" if error["finite"] else "no"
            rows.append(f"| {variant} | {name} | {p50} | {p99} | {finite} |")
    if not clips:
        return "How far these sides are from eager was not measured."
    return (
        "How far each side is from eager, in pixels of 256x256, at the points and frames that "
        f"eager calls visible in {max(clips)} generated clips of 24 frames and 64 points. Only "
        "b0-tiny's weights are trained; seeded weights have flat heatmaps, whose peaks a rounding "
        "moves far.\n\n" + "\n".join(rows)
    )


def _compiling(document: dict[str, Any]) -> list[str]:
    """What compiling took, or why it failed, by variant."""
    told = []
    for variant, measured in document["variants"].items():
        found = measured.get("compile")
        if found is None:
            continue
        size = f"{variant} at {found['frames']} x {found['points']}"
        if found["failed"] is None:
            told.append(f"{size} in {found['seconds']:.0f} s")
        else:
            told.append(f"{size} not at all: after {found['seconds']:.0f} s, {found['failed']}")
    if not told:
        return ["torch.compile took no part."]
    return [
        "torch.compile compiles each size anew, so it took part at one size alone, and not with "
        "every variant (*PyTorch's own ways to be faster*, below, says why). It compiled "
        f"{'; '.join(told)}."
    ]


def _is_within(error: dict[str, Any] | None) -> bool:
    if error is None or not error["finite"] or error["p99_px"] is None:
        return False
    return bool(error["p99_px"] <= LIMIT_PX)


def _pixels(distance_px: float | None) -> str:
    """Two digits of it; less than a thousandth is told as that."""
    if distance_px is None:
        return "–"
    if distance_px < 1e-3:
        return "<0.001"
    return f"{distance_px:.2g}" if distance_px < 10 else f"{distance_px:.0f}"


def _ms(lap: Lap | None) -> str:
    return "–" if lap is None else f"{lap.median_s * 1e3:.0f}"


def _mb(lap: Lap | None) -> str:
    return "?" if lap is None or lap.peak_bytes is None else f"{lap.peak_bytes / 1e6:.0f}"
