"""CSV as people's programs write it: commas, semicolons, tabs or spaces, a header or none.

A spreadsheet in German or French writes ``1,5;2,5``, with a byte order mark or in UTF-16, and
``sep=;`` above it, or ``"1,5","2,5"``; numpy writes spaces, and ``#`` before a header. All of these
are one table. What could be read in two ways is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from locoexport.errors import InputError
from locoexport.machine.limits import ROWS, TEXT_BYTES, Limit
from locoexport.machine.reading.documents import quote, read_at_most

__all__ = ["Row", "Table", "parse_number", "read_table"]

_DELIMITERS = (";", "\t", ",", " ")
_ENCODINGS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"", "utf-8-sig"),
)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(e[+-]?[0-9]+)?", re.IGNORECASE)
_DECIMAL_POINT = re.compile(r"[+-]?[0-9,]*\.[0-9]+(e[+-]?[0-9]+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")
_OF_PIXELS = re.compile(r"(?<=.)(_|\s)*(\((px|pixels?)\)|\[(px|pixels?)\]|(?<=[_\s])(px|pixels?))$")


@dataclass(frozen=True)
class Row:
    """One line's values, and its number in the file, counted from 1."""

    line: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        header: the columns' names in lower case, without the unit pixels; None where the first row
            holds numbers.
        rows: all others that are not empty, none of which is longer than the first.
        decimal_comma: whether a comma may stand in a number.
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
        raise ValueError(f"{text[:40]!r} is not a number")
    return float(text)


def read_table(path: Path, limit: Limit = TEXT_BYTES, rows: Limit = ROWS) -> Table:
    """Read a .csv file.

    Args:
        path: the file: in UTF-8, in UTF-16 or UTF-32, or in Latin-1, as Windows has it.
        limit: of bytes.
        rows: of lines.

    Raises:
        InputError: it is too large; a row is longer than the first; or nobody can tell what a
            comma in a number means.
        OSError, ValueError, csv.Error: it cannot be read, or is no such text.
    """
    text = _decode(read_at_most(path, limit, "it"))
    mark = re.match(r'\s*"?sep=(.)"?[ \t]*(\r\n|\r|\n|$)', text, re.IGNORECASE)
    delimiter = mark[1] if mark else _delimiter_of(text)
    skipped = 0 if mark is None else len(mark[0].splitlines())
    reader = csv.reader(
        io.StringIO(text[mark.end() :] if mark else text, newline=""),
        delimiter=delimiter,
        skipinitialspace=True,
    )
    found = []
    for number, values in enumerate(reader):
        rows.check(number + 1, "it")
        stripped = [value.strip() for value in values]
        while stripped and not stripped[-1]:
            stripped.pop()
        if stripped:
            found.append(Row(number + 1 + skipped, tuple(stripped)))
    comma = _has_decimal_commas(found, delimiter)
    return _with_header(_without_remarks(found, comma), comma)


def _decode(data: bytes) -> str:
    encoding = next(name for mark, name in _ENCODINGS if data.startswith(mark))
    if encoding == "utf-8-sig" and len(data) > 1 and 0 in data[:2]:  # UTF-16 without a mark
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise
        return data.decode("latin-1")


def _delimiter_of(text: str) -> str:
    """What the first line that is no remark has, or the first line."""
    line = re.search(r"^[^\S\r\n]*[^\s#][^\r\n]*", text.replace("\r", "\n"), re.MULTILINE)
    first = (line[0] if line else text[:1000]).strip(" ")
    return next((each for each in _DELIMITERS if each in first), ",")


def _has_decimal_commas(rows: list[Row], delimiter: str) -> bool:
    """Whether commas in numbers are decimal ones.

    Raises:
        InputError: some numbers have commas and some have points, or commas may be thousands'.
    """
    commas = [(line, value) for line, value in _cells_with(rows, ",", _DECIMAL_COMMA)]
    if not commas:
        return delimiter != ","
    line, comma = commas[0]
    point = next(_cells_with(rows, ".", _DECIMAL_POINT), None)
    if point is not None:
        raise InputError(
            f"line {line} has the number {quote(comma)} and line {point[0]} {quote(point[1])}: "
            "write all with decimal points, or all with decimal commas."
        )
    if delimiter == "," and all(_THOUSANDS.fullmatch(value) for _, value in commas):
        raise InputError(
            f"line {line} has the number {quote(comma)}, which may mean "
            f"{comma.replace(',', '')} or {comma.replace(',', '.')}: write it without the comma."
        )
    return True


def _cells_with(rows: list[Row], sign: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    for row in rows:
        for value in row.values:
            if sign in value and pattern.fullmatch(value):
                yield row.line, value


def _without_remarks(rows: list[Row], decimal_comma: bool) -> list[Row]:
    """Without what stands above the names of columns behind a #."""
    kept = rows
    while (
        len(kept) > 1
        and kept[0].values[0].startswith("#")
        and not _is_number(kept[1].values[0], decimal_comma)
    ):
        kept = kept[1:]
    return kept


def _with_header(rows: list[Row], decimal_comma: bool) -> Table:
    if not rows:
        return Table(None, (), decimal_comma)
    header = None
    if not _is_number(rows[0].values[0], decimal_comma):
        names = [_OF_PIXELS.sub("", name.lower()) for name in rows[0].values]
        names[0] = names[0].removeprefix("#").strip()
        # Of "# t y x" the mark is a column of its own.
        header = tuple(names[1:] if rows[0].values[0] == "#" and len(names) > 1 else names)
    width = len(rows[0].values) if header is None else len(header)
    for row in rows[0 if header is None else 1 :]:
        if len(row.values) > width:
            raise InputError(
                f"line {row.line} has {len(row.values)} values where the first has {width}: put "
                "a number with a decimal comma in quotes, or put semicolons between columns; "
                "give a column of row numbers a name."
            )
    return Table(header, tuple(rows if header is None else rows[1:]), decimal_comma)


def _is_number(text: str, decimal_comma: bool) -> bool:
    try:
        parse_number(text, decimal_comma=decimal_comma)
    except ValueError:
        return False
    return True
