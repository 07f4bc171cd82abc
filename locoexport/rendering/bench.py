"""``locoexport bench``: the grid, the parts of the largest size, and what to make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.notices import counted
from locoexport.rendering.parts.by_part import by_part_document
from locoexport.rendering.parts.placement import chosen_text, elsewhere_text, nodes_text
from locoexport.rendering.parts.tables import (
    facts,
    gigabytes,
    headed,
    megabytes,
    pixels,
    titled,
)

if TYPE_CHECKING:
    from locoexport.benchmarking.report import BenchReport, Cell, PartTimes, Side, Spread
    from locoexport.inspection.parts import Part

__all__ = ["bench_document", "bench_text", "largest", "seconds_by_step"]

OUTSIDE = "outside kernels"
"""What a profiled run takes beyond its nodes."""


def bench_text(report: BenchReport) -> RenderableType:
    """Everything that was measured, for a terminal."""
    blocks: list[RenderableType] = [_machine(report), Text(), _grid(report)]
    blocks += [Text(), _comparison(report)]
    cell = largest(report)
    if any(side.transfers is not None for other in report.cells for side in other.sides):
        blocks += [Text(), _transfers(report)]
    if cell.parts is not None:
        blocks += [Text(), _parts(report, cell, cell.parts)]
    blocks += [Text(), _notes(report)]
    blocks += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return Group(*_busy(report), *blocks)


def bench_document(report: BenchReport) -> dict[str, Any]:
    """``locoexport.bench/1``: seconds and bytes."""
    gemm = report.gemm
    return {
        "schema": "locoexport.bench/1",
        "model": str(report.model),
        "title": report.title,
        "provider": report.provider,
        "provider_chosen_by": report.chosen_by,
        "node_placement": dict(report.placement.nodes),
        "elsewhere": [asdict(group) for group in report.placement.elsewhere],
        "runs": report.runs,
        "trusted": not report.warnings,
        "measured_busy": report.measured_busy,
        "warnings": list(report.warnings),
        "cpu": asdict(report.cpu),
        "load_before": asdict(report.load),
        "gemm": None if gemm is None else asdict(gemm) | {"best": gemm.best},
        "versions": dict(report.versions),
        "cells": [_cell_document(report, cell) for cell in report.cells],
    }


def _busy(report: BenchReport) -> list[RenderableType]:
    """First of all, where nothing below can be believed."""
    if not report.measured_busy:
        return []
    said = f"MEASURED ON A BUSY MACHINE: other processes took up to {report.others_share:.0%} of it"
    return [Text(f"{said}. Do not publish these figures.", style="bold yellow"), Text()]


def largest(report: BenchReport) -> Cell:
    """The size with the most points times frames."""
    return max(report.cells, key=lambda cell: cell.frames * cell.points)


def seconds_by_step(parts: PartTimes) -> dict[str, float]:
    """Seconds of a profiled run by name, refinements put together, the longest first."""
    sums: dict[str, float] = {}
    for part, seconds in parts.by_part.items():
        sums[part.name] = sums.get(part.name, 0.0) + seconds
    sums[OUTSIDE] = parts.outside
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _cell_document(report: BenchReport, cell: Cell) -> dict[str, Any]:
    parts = cell.parts
    return {
        "batch": 1,
        "frames": cell.frames,
        "points": cell.points,
        "sides": [_side_document(side) for side in cell.sides],
        **_first_comparison(cell),
        "others_share_of_machine": cell.others_share,
        "flops": cell.flops,
        "flops_by_part": by_part_document(_in_order(cell.flops_by_part)),
        "share_of_gemm": _gemm_share(report, cell.flops, cell.sides[0].latency.median),
        "parts": None
        if parts is None
        else {
            "seconds_by_part": by_part_document(_in_order(parts.by_part)),
            "outside_kernels": parts.outside,
            "profiled_run": parts.total,
            "runs": parts.runs,
        },
    }


def _first_comparison(cell: Cell) -> dict[str, Any]:
    """``ratio`` and ``tracks_apart`` of the first opponent: the only one there once was."""
    if not cell.opponents:
        return {"ratio": None, "tracks_apart": None}
    side = _side_document(cell.opponents[0])
    return {name: side[name] for name in ("ratio", "tracks_apart")}


def _side_document(side: Side) -> dict[str, Any]:
    document = asdict(side) | {"latency": asdict(side.latency), "seconds": list(side.seconds)}
    document["tracks_apart"] = document.pop("agreement")
    return document


def _in_order(values: Mapping[Part, float]) -> dict[Part, float]:
    return dict(sorted(values.items(), key=_order))


def _order(item: tuple[Part, float]) -> tuple[int, str]:
    iteration = item[0].iteration
    return (-1 if iteration is None else iteration, item[0].name)


def _machine(report: BenchReport) -> Table:
    cpu, load, gemm = report.cpu, report.load, report.gemm
    average = "" if load.average is None else f", load average {load.average:.2f}"
    threads = [
        f"{side.name} {side.threads}" for side in report.cells[0].sides if side.threads is not None
    ]
    placement = report.placement
    rows = [
        ("model", f"{report.title} ({report.model})"),
        ("machine", f"{cpu.model}, {counted(cpu.usable_cores, 'core')}"),
        (
            "provider",
            f"{report.provider}{chosen_text(report.chosen_by)} "
            f"(nodes: {nodes_text(placement.nodes)})",
        ),
        *([("elsewhere", elsewhere_text(placement.elsewhere))] if placement.elsewhere else []),
        (
            "before",
            f"other processes took {load.busy_share:.0%} of the machine{average}",
        ),
        ("versions", ", ".join(f"{name} {found}" for name, found in report.versions.items())),
    ]
    if threads:
        rows.insert(3 + bool(placement.elsewhere), ("threads", ", ".join(threads)))
    if gemm is not None:
        rows.append(
            (
                "fp32 products",
                f"{gemm.best / 1e9:.0f} GFLOP/s by {gemm.by} "
                f"({gemm.before / 1e9:.0f} before, {gemm.after / 1e9:.0f} after)",
            )
        )
    return facts(rows)


def _grid(report: BenchReport) -> RenderableType:
    """A row for each size and side."""
    times = ("median ms", "p10 ms", "p90 ms", "points·frames/s")
    numbers = (*times, "peak MB", "load s")
    table = headed(("T x N", "", *numbers), right=numbers)
    for cell in report.cells:
        for index, side in enumerate(cell.sides):
            latency, fresh = side.latency, side.fresh
            table.add_row(
                cell.label if index == 0 else "",
                Text(side.name),
                *(f"{each * 1e3:.1f}" for each in (latency.median, latency.p10, latency.p90)),
                f"{side.point_frames_per_second:,.0f}",
                "?" if fresh is None else f"{fresh.peak_bytes / 1e6:.0f}",
                "" if fresh is None or index else f"{fresh.load_seconds:.2f}",
            )
    return titled(f"latency of one call, {counted(report.runs, 'run')} a side in turn", table)


def _comparison(report: BenchReport) -> RenderableType:
    """A row for each size and opponent: the first side against it, and against plain products."""
    numbers = ("times as fast", "p10", "p90", "tracks apart p50 px", "worst px", "of GEMM")
    first, *others = (side.name for side in report.cells[0].sides)
    several = len(others) > 1
    table = headed(("T x N", *([""] if several else []), *numbers), right=numbers)
    for cell in report.cells:
        share = _gemm_share(report, cell.flops, cell.sides[0].latency.median)
        for index, side in enumerate(cell.opponents or (None,)):
            table.add_row(
                "" if index else cell.label,
                *([Text("" if side is None else side.name)] if several else []),
                *_compared(side),
                "" if index else "-" if share is None else f"{share:.0%}",
            )
    return titled(first + (f" against {', '.join(others)}" if others else ""), table)


def _compared(opponent: Side | None) -> list[str]:
    ratio = None if opponent is None else opponent.ratio
    apart = None if opponent is None else opponent.agreement
    return [
        *(["-"] * 3 if ratio is None else _ratios(ratio)),
        *(["-"] * 2 if apart is None else map(pixels, (apart.median_px, apart.worst_px))),
    ]


def _ratios(ratio: Spread) -> list[str]:
    return [f"{each:.2f}" for each in (ratio.median, ratio.p10, ratio.p90)]


def _transfers(report: BenchReport) -> RenderableType:
    columns = ("T x N", "", "upload ms", "download ms")
    table = headed(columns, right=columns[2:])
    for cell in report.cells:
        for side in cell.sides:
            if side.transfers is not None:
                up, down = side.transfers.upload, side.transfers.download
                table.add_row(
                    cell.label,
                    Text(side.name),
                    f"{up.median * 1e3:.2f}",
                    f"{down.median * 1e3:.2f}",
                )
    return titled("copies to and from the device, not in the latency", table)


def _parts(report: BenchReport, cell: Cell, parts: PartTimes) -> RenderableType:
    """A row for each part, a column for each refinement."""
    iterations = sorted({p.iteration for p in parts.by_part if p.iteration is not None})
    turns = tuple(f"r{iteration}" for iteration in iterations)
    columns = ("part", "ms", "share", "GFLOP", "of GEMM", *turns)
    table = headed(columns, right=columns[1:])
    for name, seconds in seconds_by_step(parts).items():
        flops = sum(count for part, count in cell.flops_by_part.items() if part.name == name)
        share = _gemm_share(report, flops, seconds) if flops else None
        by_turn = {p.iteration: value for p, value in parts.by_part.items() if p.name == name}
        table.add_row(
            name,
            f"{seconds * 1e3:.1f}",
            f"{seconds / parts.total:.1%}",
            f"{flops / 1e9:.2f}" if flops else "",
            "" if share is None else f"{share:.0%}",
            *(f"{by_turn[i] * 1e3:.1f}" if i in by_turn else "" for i in iterations),
        )
    title = (
        f"where ONNX Runtime's time goes at {cell.label} (mean of {parts.runs} profiled runs of "
        f"{parts.total * 1e3:.0f} ms)"
    )
    return titled(title, table)


def _gemm_share(report: BenchReport, flops: int | None, seconds: float) -> float | None:
    if report.gemm is None or flops is None or seconds <= 0:
        return None
    return flops / seconds / report.gemm.best


def _notes(report: BenchReport) -> RenderableType:
    rows = [
        (
            "times as fast",
            "another side's time divided by the first's, median of the ratios run by run",
        ),
        (
            "of GEMM",
            "FLOPs of convolutions and matrix products over time, as a share of the rate of fp32 "
            "products above",
        ),
        ("peak MB", _memory_note(report)),
    ]
    return facts(rows)


def _memory_note(report: BenchReport) -> str:
    before = [
        f"{side.name} {megabytes(side.fresh.before_bytes)}"
        for side in report.cells[0].sides
        if side.fresh is not None
    ]
    text = (
        "the most physical memory held by a new process that opens the model and runs it "
        "twice, libraries and inputs included"
    )
    if before:
        text += f" (before opening, at {report.cells[0].label}: {', '.join(before)})"
    memory = gigabytes(max((_peak(side) for c in report.cells for side in c.sides), default=0))
    return f"{text}. The largest is {memory}."


def _peak(side: Side) -> int:
    return 0 if side.fresh is None else side.fresh.peak_bytes
