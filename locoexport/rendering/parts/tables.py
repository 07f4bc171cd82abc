"""What the reports share: two-column facts, headed tables, sizes and severities as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

__all__ = ["facts", "gigabytes", "headed", "megabytes", "severity", "size", "titled"]

_COLOURS = {"error": "bold red", "warning": "yellow", "info": "cyan"}


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
    table = Table(box=None, pad_edge=False, header_style="bold")
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


def severity(level: str) -> Text:
    """A severity in its colour."""
    return Text(level, _COLOURS[level])
