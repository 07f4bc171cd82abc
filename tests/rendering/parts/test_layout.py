"""Lines of whole words, tables where there is room, and a block a row where there is none."""

import io

import pytest
from rich.console import Console, Group
from rich.text import Text

from locoexport.rendering.parts.layout import wrapped
from locoexport.rendering.parts.tables import facts, headed


def printed(result, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(result, crop=False)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 1, ["one", "two", "three"]),
        ("a 12345678901 b", 5, ["a", "12345678901", "b"]),
        ("it took 12.5 s here", 12, ["it took", "12.5 s here"]),
        ("a list,of,words,1,234,567", 10, ["a list,of,", "words,1,234,567"]),
        ("在 录像二〇二六 里", 10, ["在", "录像二〇二六", "里"]),
        ("", 10, [""]),
        ("  kept", 10, ["  kept"]),
    ],
)
def test_lines_are_of_whole_words(text: str, width: int, lines: list[str]) -> None:
    assert [line.plain for line in wrapped(Text(text), width)] == lines


def test_text_wraps_beside_numbers_that_do_not() -> None:
    table = headed(("what", "median ms", "worst ms"), right=("median ms", "worst ms"))
    table.add_row("a sentence that is too long for its column", "1,234.5", "12,345.6")
    table.add_row("short", "1.0", "2.0")
    assert printed(table, 80) == [
        "what                                        median ms  worst ms",
        "a sentence that is too long for its column    1,234.5  12,345.6",
        "short                                             1.0       2.0",
    ]
    assert printed(table, 40) == [
        "what                 median ms  worst ms",
        "a sentence that is     1,234.5  12,345.6",
        "too long for its",
        "column",
        "short                      1.0       2.0",
    ]
    # Then headers wrap; numbers never do.
    assert printed(table, 36) == [
        "                    median",
        "what                    ms  worst ms",
        "a sentence that    1,234.5  12,345.6",
        "is too long for",
        "its column",
        "short                  1.0       2.0",
    ]


def test_without_room_a_row_is_a_block() -> None:
    table = headed(("input", "px", "", "torch"), right=("px", "torch"))
    table.add_row("first", "0.000001", "PASS", "1234567.8901")
    table.add_row("", "0.000002", "", "-1.0")
    assert printed(table, 22) == [
        "input: first  PASS",
        "  px     0.000001",
        "  torch  1234567.8901",
        "",
        "input: first",
        "  px     0.000002",
        "  torch  -1.0",
    ]


def test_a_value_too_long_for_its_place_is_below_its_name() -> None:
    rows = [("weights", "/a/long/path/to/them.ckpt"), ("n", "1"), ("words", "one two three four")]
    assert printed(facts(rows), 30) == [
        "weights",
        "  /a/long/path/to/them.ckpt",
        "n        1",
        "words    one two three four",
    ]
    # Longer than any line: it stays in one piece all the same.
    assert printed(facts(rows), 20)[0] == "weights  /a/long/path/to/them.ckpt"


def test_a_cell_of_several_paragraphs_keeps_them() -> None:
    table = headed(("rule", "what"))
    table.add_row("a", Group(Text("one"), Text("two")))
    assert printed(table, 80) == ["rule  what", "a     one", "      two"]
