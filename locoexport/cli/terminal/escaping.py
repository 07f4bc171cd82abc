"""What comes from a file is shown as text: it moves no cursor, sets no title and forges no line.

Names of nodes, metadata, paths and messages may hold escape sequences, marks that turn the reading
direction, line breaks, or bytes that are no character. Each is shown as Python would write it.
"""

from __future__ import annotations

import unicodedata

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["escape_controls", "escaped", "shorten"]

_JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji are written with."""
_LONGEST = 4000


def escape_controls(text: str, *, lines: bool = False) -> str:
    r"""A text in which control characters are written out, as ``\x1b``.

    Args:
        text: from anywhere.
        lines: leave line breaks and tabs.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = f"{_JOINERS}\n\t" if lines else _JOINERS
    return "".join(
        letter
        if letter in kept or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def shorten(text: str) -> str:
    """A message of some lines at most: what it names may be as long as a file likes."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


def escaped(result: RenderableType) -> RenderableType:
    """A result whose texts are escaped, with a line for each text; tables are changed in place."""
    if isinstance(result, str):
        return Text(escape_controls(result))
    if isinstance(result, Text):
        plain = escape_controls(result.plain)
        # Whoever forges a name does without its colours.
        return (
            result if plain == result.plain else Text(plain, result.style, no_wrap=result.no_wrap)
        )
    if isinstance(result, Group):
        return Group(*map(escaped, result.renderables))
    if isinstance(result, Table):
        for column in result.columns:
            column.header = escaped(column.header)
            column._cells = [escaped(cell) for cell in column._cells]
    return result
