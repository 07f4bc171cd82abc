"""Where a file departs from torch → text and JSON. Imports data types only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.tables import facts, headed

if TYPE_CHECKING:
    from locoexport.parity.divergence import Difference, Localisation, NodeFault, SeamReading

__all__ = [
    "fault_document",
    "fault_rows",
    "localisation_document",
    "localisation_text",
    "whereabouts",
]

_SHOWN = 3
"""Seams that come nearest to their tolerance, where all agree."""


def localisation_text(found: Localisation, *, verbose: bool = False) -> RenderableType:
    """The first part and node that depart, or how near the seams came; ``verbose`` has all."""
    first = found.first
    if first is None:
        title = Text(f"inside: all {len(found.readings)} seams agree with PyTorch on {found.probe}")
        return Group(
            title, _nearest(found, len(found.readings) if verbose else _SHOWN), _notes(found)
        )
    index = found.readings.index(first) + 1
    title = Text("DEPARTS at ", "bold red") + Text(
        f"{first.seam} (seam {index} of {len(found.readings)}, on {found.probe})"
    )
    before = found.last_agreeing
    rows = [
        ("tensor", first.seam.tensor),
        ("worst", _at(first)),
        (
            "last that agrees",
            "none: it is the first"
            if before is None
            else f"{before.seam} ({before.difference.error:.1e} of {before.allowed:.1e} allowed)",
        ),
        *([] if found.node is None else fault_rows(found.node)),
    ]
    parts: list[RenderableType] = [title, facts(rows, indent=2), _notes(found)]
    return Group(*parts, *([_nearest(found, len(found.readings))] if verbose else []))


def _nearest(found: Localisation, count: int) -> Table:
    """The seams that come nearest to their tolerance, or are furthest beyond."""
    numbers = ("error", "allowed", "share")
    table = headed(
        (f"nearest {count} seams" if count < len(found.readings) else "seam", *numbers),
        right=numbers,
    )
    for reading in sorted(found.readings, key=lambda reading: -reading.excess)[:count]:
        error = f"{reading.difference.error:.1e}"
        table.add_row(str(reading.seam), error, f"{reading.allowed:.1e}", f"{reading.excess:.0%}")
    return table


def _notes(found: Localisation) -> Table:
    rows = []
    if found.missing:
        rows.append(("not compared", f"not in the file: {', '.join(found.missing)}"))
    if found.note:
        rows.append(("note", found.note))
    return facts(rows, indent=2)


def localisation_document(found: Localisation) -> dict[str, Any]:
    """The ``localisation`` part of ``locoexport.verify/1``."""
    first = found.first
    return {
        "probe": found.probe,
        "departs": None if first is None else _reading(first),
        "last_agreeing": None if found.last_agreeing is None else _reading(found.last_agreeing),
        "node": None if found.node is None else fault_document(found.node),
        "nodes_compared": found.nodes_compared,
        "missing_seams": list(found.missing),
        "note": found.note or None,
        "seams": [_reading(reading) for reading in found.readings],
    }


def fault_rows(node: NodeFault) -> list[tuple[str, str]]:
    """The node, both values, and why."""
    difference = node.difference
    return [
        ("first node", f"{node.node} ({node.op_type}), of the {node.part}"),
        (
            "",
            f"a fresh export has {difference.expected:.6g}, the file {difference.found:.6g} at "
            f"{difference.index} of {node.tensor}",
        ),
        *(("because", cause) for cause in node.causes),
    ]


def fault_document(node: NodeFault) -> dict[str, Any]:
    """The ``node`` part of ``locoexport.verify/1``."""
    return {
        "node": node.node,
        "op_type": node.op_type,
        "tensor": node.tensor,
        "part": node.part,
        "causes": list(node.causes),
        **_difference(node.difference),
    }


def _at(reading: SeamReading) -> str:
    difference = reading.difference
    if not difference.index:
        return "it has another shape than in torch"
    where = ", ".join(
        f"{axis} {i}" for axis, i in zip(reading.seam.axes, difference.index, strict=True)
    )
    return (
        f"torch {difference.expected:.6g}, onnx {difference.found:.6g} at ({where}): error "
        f"{difference.error:.1e}, allowed {reading.allowed:.1e}"
    )


def _reading(reading: SeamReading) -> dict[str, Any]:
    seam = reading.seam
    return {
        "seam": str(seam),
        "tensor": seam.tensor,
        "part": seam.part,
        "step": seam.step,
        "iteration": seam.iteration,
        "level": seam.level,
        "axes": list(seam.axes),
        "departs": reading.departs,
        "excess": reading.excess,
        "allowed": reading.allowed,
        **_difference(reading.difference),
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "error": difference.error,
        "index": list(difference.index),
        "expected": difference.expected,
        "found": difference.found,
    }


def whereabouts(
    localisation: Localisation | None, not_localised: str, *, verbose: bool = False
) -> Iterator[RenderableType]:
    """Where a file departs, or why that is not known; nothing where neither was looked for."""
    if localisation is not None:
        yield localisation_text(localisation, verbose=verbose)
    if not_localised:
        yield Text(f"not localised: {not_localised}")
