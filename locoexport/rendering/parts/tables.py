"""What the reports share: two-column facts, headed tables, sizes and severities as text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = [
    "FittedTable",
    "facts",
    "gigabytes",
    "headed",
    "megabytes",
    "pixel_facts",
    "severity",
    "size",
    "titled",
]

_COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_PLENTY = 10_000
_GAP = 2
"""Columns between two columns."""


class FittedTable(Table):
    """A table where there is room for it; else a paragraph a row, which names every figure.

    rich cuts what does not fit into a column, and what is cut may be the digits of a number.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or its rows as text."""
        roomy = options.update(max_width=_PLENTY)
        for column in self.columns:
            cells = (column.header, *column.cells)
            needs = [Measurement.get(console, roomy, cell) for cell in cells]
            column.overflow = "fold"
            column.min_width = max(
                need.maximum if column.no_wrap else need.minimum for need in needs
            )
        gaps = _GAP * (len(self.columns) - 1)
        if sum(column.min_width or 0 for column in self.columns) + gaps <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            named = (
                Text.assemble(f"{_plain(column.header)} ".lstrip(), _plain(cell))
                for column, cell in zip(self.columns, cells, strict=True)
                if _plain(cell)
            )
            yield Text("; ").join(named)


def _plain(cell: RenderableType) -> Text | str:
    if isinstance(cell, Group):
        return Text(" ").join(Text.assemble(_plain(part)) for part in cell.renderables)
    return cell if isinstance(cell, Text | str) else str(cell)


def facts(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Names and values, without a header."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value if isinstance(value, Text) else Text(value))
    return table


def headed(columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` hold numbers."""
    table = FittedTable(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left")
    return table


def titled(title: str, table: Table) -> Group:
    """A table below its title, which may be wider than the table."""
    return Group(Text(title, "bold"), table)


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
