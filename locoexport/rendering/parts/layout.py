"""How a report is laid out on a page of any width: a table, or a block a row.

Nothing is padded at the right and nothing is cut: text wraps between words, a number or a path
stays in one piece even where it is longer than a line, and a table for which there is no room
becomes a block a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

__all__ = ["FittedTable", "wrapped"]

_GAP = 2
"""Blanks between two columns."""
_WORD = re.compile(r"\S*\d (?:px|m?s|[KMG]?B)\b\S*|\S+")
"""A number and its unit are one word."""
_ROOMY = 16
"""A column of text that is narrower, and narrower than its text, is hard to read."""


def wrapped(text: Text, width: int) -> list[Text]:
    """Lines of whole words, without blanks at their ends; a longer word has a line of its own.

    rich's own breaks or cuts such a word, and leaves a blank where it breaks a line. A list without
    blanks that is too long for a line ends lines at its commas.
    """
    plain, offsets, begin = text.plain, [], 0
    for start, end in _words(plain, width):
        if plain[begin:start].strip() and cell_len(plain[begin:end]) > width:
            begin = start
            offsets.append(begin)
    lines = list(text.divide(offsets))
    for line in lines:
        line.rstrip()
    return lines


def _words(plain: str, width: int) -> Iterator[tuple[int, int]]:
    """Where each word begins and ends."""
    for word in _WORD.finditer(plain):
        if cell_len(word.group()) <= width:
            yield word.span()
            continue
        # After a comma before a letter; a comma in a number stays.
        for item in re.finditer(r".+?(?:(?<=,)(?=[^\W\d])|$)", word.group()):
            yield word.start() + item.start(), word.start() + item.end()


class FittedTable(Table):
    """A table where there is room for it; else a block a row, which names every value.

    rich's own table pads every line to its width and cuts what does not fit into a column, which
    may be the digits of a number. ``indent`` is for names and values without a header.
    """

    indent = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines of text."""
        width = options.max_width
        if not self.show_header:
            names, values = self.columns
            lines = list(map(_lines, values.cells))
            yield from _facts_lines(_texts(names), lines, width, self.indent)
            return
        widths = _fitted(self.columns, width)
        if widths is None:
            yield from _blocks(self.columns, width)
        else:
            yield from _aligned(self.columns, widths, self.header_style)


def _lines(cell: RenderableType) -> list[Text]:
    """The paragraphs of a cell."""
    if isinstance(cell, Group):
        return [line for part in cell.renderables for line in _lines(part)]
    return [cell.copy() if isinstance(cell, Text) else Text(str(cell))]


def _texts(column: Column) -> list[Text]:
    """The cells of a column that have one paragraph each, in its style."""
    texts = [_lines(cell)[0] for cell in column.cells]
    for text in texts:
        text.stylize_before(column.style)
    return texts


def _width(text: Text) -> int:
    return cell_len(text.plain)


def _longest_word(text: Text) -> int:
    return max(map(cell_len, _WORD.findall(text.plain)), default=0)


def _fitted(columns: Sequence[Column], width: int) -> list[int] | None:
    """A width for every column; None where they do not fit."""
    least, most = [], []
    for column in columns:
        header, cells = _lines(column.header)[0], [t for c in column.cells for t in _lines(c)]
        longest = max(map(_width, cells), default=0)
        needed = longest
        if column.justify != "right" and not column.no_wrap:
            needed = max([min(longest, _ROOMY), *map(_longest_word, cells)])
        least.append(max(needed, _longest_word(header)))
        most.append(max(longest, _width(header)))
    left = width - sum(least) - _GAP * (len(least) - 1)
    if left < 0:
        return None
    widths = list(least)
    # Those that want little get it all; the others share what is left.
    order = sorted(range(len(least)), key=lambda index: most[index] - least[index])
    for turn, index in enumerate(order):
        more = min(most[index] - least[index], left // (len(order) - turn))
        widths[index] += more
        left -= more
    return widths


def _aligned(
    columns: Sequence[Column], widths: Sequence[int], header_style: object
) -> Iterator[Text]:
    headers = [wrapped(_lines(c.header)[0], w) for c, w in zip(columns, widths, strict=True)]
    for line in _side_by_side(headers, columns, widths, bottom=True):
        line.stylize_before(str(header_style))
        yield line
    for row in zip(*(column.cells for column in columns), strict=True):
        cells = [
            [line for text in _lines(cell) for line in wrapped(text, width)]
            for cell, width in zip(row, widths, strict=True)
        ]
        yield from _side_by_side(cells, columns, widths)


def _side_by_side(
    cells: Sequence[list[Text]],
    columns: Sequence[Column],
    widths: Sequence[int],
    *,
    bottom: bool = False,
) -> Iterator[Text]:
    """The lines of a row, beginning at the top or ending at the bottom."""
    height = max(map(len, cells))
    for index in range(height):
        line, end = _line(), 0
        for cell, column, width in zip(cells, columns, widths, strict=True):
            at = index - (height - len(cell) if bottom else 0)
            text = cell[at] if 0 <= at < len(cell) else Text()
            blanks = width - _width(text) if column.justify == "right" else 0
            if text.plain:
                line.append(" " * (end + blanks - _width(line)))
                line.append_text(text)
            end += width + _GAP
        yield line


def _blocks(columns: Sequence[Column], width: int) -> Iterator[Text]:
    """A block a row: the first cell and those without a header, and below them the others."""
    headers = [_lines(column.header)[0] for column in columns]
    named = ""
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        cells = [_lines(cell) for cell in row]
        named = cells[0][0].plain or named  # a blank one is that of the row above
        title = _line(f"{headers[0].plain}: {named}" if headers[0].plain else named, "bold")
        below = []
        for header, lines in list(zip(headers, cells, strict=True))[1:]:
            if not any(line.plain for line in lines):
                continue
            if header.plain:
                below.append((header, lines))
            else:
                title = Text("  ").join([title, *lines])
        if number:
            yield _line()
        yield from (_line() + line for line in wrapped(title, width))
        yield from _facts_lines([n for n, _ in below], [v for _, v in below], width, 2)


def _facts_lines(
    names: Sequence[Text],
    values: Sequence[list[Text]],
    width: int,
    indent: int = 0,
) -> Iterator[Text]:
    """Names, and beside them values; a value with a word too long for that is below its name."""
    begin = indent + max(map(_width, names), default=0) + _GAP
    for name, paragraphs in zip(names, values, strict=True):
        head = _line(" " * indent) + name
        longest = max(map(_longest_word, paragraphs), default=0)
        room, roomy = width - begin, min(max(map(_width, paragraphs), default=0), _ROOMY)
        below = room < max(longest, roomy) and longest <= width - indent - _GAP
        at = indent + _GAP if below and name.plain else begin
        lines = [line for text in paragraphs for line in wrapped(text, width - at)]
        if below and name.plain:
            yield head
            head = _line()
        for line in lines:
            if line.plain:
                head.append(" " * (at - _width(head)))
                head.append_text(line)
            yield head
            head = _line()


def _line(text: str = "", style: str = "") -> Text:
    """A line that no console wraps or cuts."""
    return Text(text, style, no_wrap=True, overflow="ignore")
