"""What the reports share: facts, headed tables and units as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from rich.console import Group
from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.layout import FittedTable

__all__ = [
    "facts",
    "file_size",
    "gigabytes",
    "headed",
    "megabytes",
    "pixel_facts",
    "pixels",
    "severity",
    "share",
    "size",
    "titled",
]

_COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_SMALLEST_PX = 1e-6


def facts(rows: Sequence[tuple[str | Text, str | Text]], *, indent: int = 0) -> Table:
    """Names and values, without a header."""
    table = FittedTable(show_header=False)
    table.indent = indent
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, value if isinstance(value, Text) else Text(value))
    return table


def headed(columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` hold numbers, of one unit and as many decimals
    in all rows."""
    table = FittedTable(header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left")
    return table


def titled(title: str, table: Table) -> Group:
    """A table below its title, which may be wider than the table."""
    return Group(Text(title, "bold"), table)


def pixels(distance_px: float) -> str:
    """A distance to six decimals; a little is not nothing. The unit stands in the header."""
    if not math.isfinite(distance_px):
        return str(distance_px)
    if 0 < distance_px < _SMALLEST_PX:
        return f"<{_SMALLEST_PX:.6f}"
    return f"{distance_px:.6f}"


def share(part: int, whole: int) -> str:
    """``0.9%``; a little is not nothing."""
    percent = 100 * part / whole if whole else math.nan
    return "<0.1%" if 0 < percent < 0.05 else f"{percent:.1f}%"


def file_size(size_bytes: int) -> str:
    """In the unit that fits: ``348 B``, ``12.3 KB``, ``6.5 MB``, ``1.2 GB``."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        # What would round to 1000.0 of a unit is 1.0 of the next.
        if size_bytes >= 0.99995 * scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes} B"


def megabytes(size_bytes: int) -> str:
    """``12.3 MB``."""
    return f"{size_bytes / 1e6:.1f} MB"


def size(size_hw: tuple[int, int]) -> str:
    """``256x384``: height and width."""
    return f"{size_hw[0]}x{size_hw[1]}"


def gigabytes(size_bytes: int) -> str:
    """``1.2 GB``."""
    return f"{size_bytes / 1e9:.1f} GB"


def pixel_facts(aspect: Fraction, frame_hw: tuple[int, int]) -> list[tuple[str, str]]:
    """A row about pixels that are not square; none where they are."""
    if aspect == 1:
        return []
    height, width = frame_hw
    shape = f"{aspect.numerator}:{aspect.denominator}"
    shown = f"{height}x{round(width * aspect)}"
    return [("pixels", f"{shape}, players show {shown}; coordinates are in stored pixels")]


def severity(level: str) -> Text:
    """A severity in its colour."""
    return Text(level, _COLOURS[level])
