"""How far a graph is from PyTorch → rows, tables and JSON."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from locoexport.parity.pointwise import LARGEST_SHARE_APART
from locoexport.rendering.parts.tables import headed, pixels, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locoexport.parity.pointwise import CaseParity, OutputParity, ParityReport

__all__ = [
    "outputs_table",
    "parity_document",
    "parity_rows",
    "parity_table",
    "shapes_text",
    "verdict",
]

_ERRORS = ("p50 px", "p99 px", "worst px")


def verdict(passed: bool) -> Text:
    """In its colour."""
    return Text("PASS", "bold green") if passed else Text("FAIL", "bold red")


def parity_table(report: ParityReport) -> Table:
    """Track errors: a row for each input, and one for all of them."""
    table = headed(("inputs BxTxN", *_ERRORS, ""), right=_ERRORS)
    for case in report.cases:
        tracks = case.outputs[0]
        errors = map(pixels, (tracks.p50, tracks.p99, tracks.worst))
        table.add_row(_name(case), *errors, _case_verdict(case))
    if len(report.cases) > 1:
        table.add_row("all", *map(pixels, (report.p50_px, report.p99_px, report.worst_px)), "")
    return table


def outputs_table(report: ParityReport) -> Table:
    """A row for each input and output, with the place of the worst error and both values there."""
    errors = ("p50", "p99", "worst", "allowed")
    values = ("torch", "onnx", "flips", "excluded")
    columns = ("inputs BxTxN", "output", *errors, "at b, point, frame", *values)
    table = headed(columns, right=(*errors, *values))
    for case in report.cases:
        for index, output in enumerate(case.outputs):
            table.add_row(
                _name(case) if index == 0 else "",
                Text(f"{output.output} [{output.unit}]"),
                *(f"{error:.2e}" for error in (output.p50, output.p99, output.worst)),
                f"{output.tolerance:.0e}",
                ", ".join(map(str, output.worst_index)),
                f"{output.expected:.4f}",
                f"{output.found:.4f}",
                str(case.visibility_flips) if index == 0 else "",
                str(case.apart_points) if index == 0 else "",
            )
    return table


def parity_rows(parity: ParityReport, of: str = "PyTorch") -> list[tuple[str | Text, str | Text]]:
    """The verdict, and what was held against what; ``of`` is what the file was compared with."""
    rows: list[tuple[str | Text, str | Text]] = [
        (
            verdict(parity.passed),
            f"p50 {pixels(parity.p50_px)} px, p99 {pixels(parity.p99_px)} px, worst "
            f"{pixels(parity.worst_px)} px from {of} (allowed {parity.tolerance.tracks_px:g} px)",
        ),
        (
            "logits",
            f"worst {pixels(parity.worst_logit)} from {of} (allowed {parity.tolerance.logits:g})",
        ),
        ("visibility", _flips(parity)),
    ]
    if parity.apart_points:
        rows.append(("excluded", _excluded(parity)))
    if not parity.conclusive:
        most = f"{LARGEST_SHARE_APART:.1%}"
        rows.append(("proves", f"nothing: at most {most} of the points may be excluded"))
    return rows


def shapes_text(shapes: Sequence[tuple[int, int, int]]) -> str:
    """``1x8x20, 1x24x64``."""
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def parity_document(report: ParityReport) -> dict[str, Any]:
    """The parity part of a document; errors that are not finite are null."""
    return {
        "passed": report.passed,
        "p50_px": report.p50_px,
        "p99_px": report.p99_px,
        "worst_px": report.worst_px,
        "worst_logit": report.worst_logit,
        "points": report.points,
        "apart_points": report.apart_points,
        "worst_apart_px": report.worst_apart_px,
        "visibility_flips": report.visibility_flips,
        "tolerance": _plain(report.tolerance),
        "provider": report.provider,
        "node_placement": dict(report.placement),
        "cases": [_case_document(case) for case in report.cases],
    }


def _name(case: CaseParity) -> str:
    """What was tried, with its shape."""
    shape = f"{case.batch}x{case.frames}x{case.points}"
    return case.name if shape in case.name else f"{case.name} {shape}"


def _case_verdict(case: CaseParity) -> Text:
    told = verdict(case.passed)
    others = [output.output for output in case.outputs[1:] if not output.passed]
    # The row has the errors of tracks alone.
    return told if not others else told + Text(f" in {', '.join(others)}")


def _flips(parity: ParityReport) -> str:
    of = f"{parity.compared:,} points and frames"
    if not parity.visibility_flips:
        return f"the same at all {of}"
    flips = parity.visibility_flips
    return f"differs at {flips:,} of {of} ({share(flips, parity.compared)})"


def _excluded(parity: ParityReport) -> str:
    apart, tied = parity.apart_points, sum(case.tied_points for case in parity.cases)
    told = f"{apart:,} of {parity.points:,} points"
    part = share(apart, parity.points)
    if not tied:
        told += f", unstable in PyTorch too ({part})"
    elif tied == apart:
        told += f", where two places are equally likely in PyTorch too ({part})"
    else:
        told += (
            f" ({part}): {apart - tied:,} unstable in PyTorch too, {tied:,} where two places are "
            "equally likely there"
        )
    return f"{told}; up to {pixels(parity.worst_apart_px)} px apart"


def _case_document(case: CaseParity) -> dict[str, Any]:
    """Without the error of every single point and frame."""
    document = {name: value for name, value in _plain(case).items() if name != "pixels"}
    outputs: list[OutputParity] = document["outputs"]
    return {**document, "outputs": [_plain(each) for each in outputs], "passed": case.passed}


def _plain(found: Any) -> dict[str, Any]:
    return {each.name: getattr(found, each.name) for each in fields(found)}
