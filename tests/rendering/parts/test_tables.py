"""Facts, tables and sizes as text: no number is cut in 80 columns."""

import io
import math

import pytest
from rich.console import Console

from locoexport.rendering.parts.tables import (
    facts,
    file_size,
    gigabytes,
    headed,
    megabytes,
    pixels,
    share,
    size,
    titled,
)

LONG = "words that are many more than a terminal of eighty columns has room for in one line"


def printed(result, width: int = 80) -> list[list[str]]:
    """The words of each line."""
    console = Console(width=width, file=io.StringIO())
    console.print(result, crop=False)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_round_sizes() -> None:
    assert megabytes(0) == "0.0 MB"
    assert megabytes(12_300_000) == "12.3 MB"
    assert gigabytes(1_200_000_000) == "1.2 GB"
    assert gigabytes(1_950_000_000) == "1.9 GB"  # 1.95 in binary lies below
    assert size((256, 384)) == "256x384"


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 KB"),
        (40_000, "40.0 KB"),
        (999_940, "999.9 KB"),
        (999_999, "1.0 MB"),
        (38_812_345, "38.8 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_a_file_is_told_in_the_unit_that_fits(size_bytes: int, told: str) -> None:
    assert file_size(size_bytes) == told


def test_a_little_is_not_nothing() -> None:
    assert [pixels(px) for px in (0.0, 1e-9, 1e-6, 0.00291432, 12345.6, math.inf, math.nan)] == [
        *("0.000000", "<0.000001", "0.000001", "0.002914", "12345.600000", "inf", "nan")
    ]
    assert [share(part, 1_312) for part in (0, 12, 1_312)] == ["0.0%", "0.9%", "100.0%"]
    assert share(1, 10_000) == "<0.1%"
    assert share(0, 0) == "nan%"


def test_facts_in_eighty_columns_lose_nothing() -> None:
    digits = "0123456789" * 12
    lines = printed(facts([("parameters", "12,345,678"), ("sha256", digits)]))
    assert lines[0] == ["parameters", "12,345,678"]
    assert lines[1] == ["sha256", digits]


def test_a_headed_table_in_eighty_columns_keeps_its_numbers() -> None:
    table = headed(["part", "ms", "share", "note"], right=["ms", "share"])
    table.add_row("backbone", "1234567.89", "100.00%", LONG)
    words = [word for line in printed(titled("Parts", table)) for word in line]
    assert words[:5] == ["Parts", "part", "ms", "share", "note"]
    assert {"1234567.89", "100.00%"} <= set(words)
    assert [word for word in words if word in LONG.split()] == LONG.split()


def test_numbers_stand_at_the_right() -> None:
    table = headed(["name", "number"], right=["number"])
    table.add_row("a", "7")
    table.add_row("b", "123456")
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    header, first, second = console.file.getvalue().splitlines()
    assert first.rstrip().endswith("     7")
    assert len(first.rstrip()) == len(second.rstrip()) == len(header.rstrip())
