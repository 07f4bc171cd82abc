"""CSV as people's programs write it: commas, semicolons or tabs, decimal commas, a header or none.

A spreadsheet in German or French writes ``1,5;2,5``, with a byte order mark or in UTF-16, and
``sep=;`` above it; numpy writes ``#`` before a header. All of these are one table.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locoexport.errors import InputError
from locoexport.machine.limits import ROWS, TEXT_BYTES, Limit
from locoexport.machine.reading.documents import quote, read_at_most

__all__ = ["Row", "Table", "parse_number", "read_table"]

_DELIMITERS = (";", "\t", ",")
_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Row:
    """One line's values, and its number in the file, counted from 1."""

    line: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        header: the columns' names in lower case; None where the first row holds numbers.
        rows: all others that are not empty.
        decimal_comma: whether a comma may stand in a number: it separates no columns.
    """

    header: tuple[str, ...] | None
    rows: tuple[Row, ...]
    decimal_comma: bool

    def place(self, *names: str) -> int | None:
        """The first column with one of these names, of which the first that is there counts.

        Raises:
            InputError: two columns have that name.
        """
        for name in names:
            count = (self.header or ()).count(name)
            if count > 1:
                raise InputError(f"two of its columns are called {name}.")
            if count == 1 and self.header is not None:
                return self.header.index(name)
        return None

    def numbers(self, row: Row, columns: Sequence[int], due: str) -> list[float]:
        """The numbers in some columns of a row; ``due`` says what should be there.

        Raises:
            InputError: the row is shorter, or a value is no number.
        """
        try:
            return [self.number(row.values[column]) for column in columns]
        except (ValueError, IndexError):
            text = (";" if self.decimal_comma else ",").join(row.values)
            raise InputError(f"line {row.line} is not {due}: {quote(text)}.") from None

    def number(self, text: str) -> float:
        """A number, with a decimal comma where the table may have one; ValueError for others."""
        return parse_number(text, decimal_comma=self.decimal_comma)


def parse_number(text: str, *, decimal_comma: bool = False) -> float:
    """A number from text; ValueError where it is none (``1_000`` is Python's, and none here)."""
    if decimal_comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if "_" in text:
        raise ValueError(f"{text[:40]!r} is no number")
    return float(text)


def read_table(path: Path, limit: Limit = TEXT_BYTES, rows: Limit = ROWS) -> Table:
    """Read a .csv file.

    Args:
        path: the file, in UTF-8, or in UTF-16 with a byte order mark.
        limit: of bytes.
        rows: of lines.

    Raises:
        InputError: it is too large.
        OSError, ValueError, csv.Error: it cannot be read, or is no such text.
    """
    data = read_at_most(path, limit, "it")
    text = data.decode("utf-16" if data[:2] in _MARKS else "utf-8-sig")
    first, skipped = text.lstrip("\r\n").split("\n", 1)[0].rstrip("\r"), 0
    if first.lower().startswith("sep=") and len(first) == 5:
        delimiter = first[4]
        text = text.split("\n", 1)[1] if "\n" in text else ""
        skipped = 1
    else:
        delimiter = next((each for each in _DELIMITERS if each in first), ",")
    found = []
    for number, values in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
        rows.check(number + 1, "it")
        if any(value.strip() for value in values):
            found.append(Row(number + 1 + skipped, tuple(value.strip() for value in values)))
    return _with_header(found, delimiter != ",")


def _with_header(rows: list[Row], decimal_comma: bool) -> Table:
    if not rows:
        return Table(None, (), decimal_comma)
    try:
        parse_number(rows[0].values[0], decimal_comma=decimal_comma)
    except ValueError:
        names = [name.lower() for name in rows[0].values]
        names[0] = names[0].removeprefix("#").strip()
        return Table(tuple(names), tuple(rows[1:]), decimal_comma)
    return Table(None, tuple(rows), decimal_comma)
