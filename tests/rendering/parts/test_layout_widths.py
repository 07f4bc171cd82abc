"""Every report at every width: no number is cut, no word is broken, nothing is padded.

What is written into a pipe has no width, so that every cell is one word after the other there;
each of these words has to be whole on a page of any width.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.table import Table
from sample_reports import Sample, sample_reports

from locoexport.cli.terminal import console

NAMES = tuple(sample_reports(Path()))
WIDTHS = (60, 80, 120, 200)
NUMBER = re.compile(r"[+<-]?\d[\d.,:]*(?:e[+-]\d+)?(?:×|%)?")


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> dict[str, Sample]:
    return sample_reports(tmp_path_factory.mktemp("package"))


@pytest.fixture
def page(monkeypatch, capsys, samples):
    """The lines of a report by its name, piped with COLUMNS set, or without."""

    def print_page(name: str, width: int | None) -> list[str]:
        monkeypatch.delenv("COLUMNS", raising=False)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        console.print_result(samples[name].render())
        return capsys.readouterr().out.splitlines()

    return print_page


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


def numbers(lines: list[str]) -> Counter[str]:
    return Counter(number for line in lines for number in NUMBER.findall(line))


@pytest.mark.parametrize("name", NAMES)
def test_each_number_of_the_data_is_on_the_page_whole(name: str, page, samples) -> None:
    for width in WIDTHS:
        found = {word.strip("()[];:,/'\"") for word in words(page(name, width))}
        assert {number.strip(",") for number in samples[name].numbers} <= found, width


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_page_has_every_number_and_word_of_a_pipe(name: str, page) -> None:
    whole = page(name, None)
    for width in WIDTHS:
        narrow = page(name, width)
        # Blocks repeat what a table says once.
        assert not numbers(whole) - numbers(narrow), width
        text = "".join("".join(line.split()) for line in narrow)
        names = {word.strip(":") for word in words(narrow)}
        # Lists without blanks end lines at their commas.
        missing = {w for w in words(whole) - words(narrow) - names if "," not in w or w not in text}
        assert not missing, width


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_padded_cut_or_too_long(name: str, page) -> None:
    for width in (*WIDTHS, None):
        lines = page(name, width)
        assert lines == [line.rstrip() for line in lines]
        assert not [line for line in lines if "…" in line]
        # A path, a row of Markdown, or a command as a shell takes it, may be longer than the page.
        long = [line for line in lines if width is not None and cell_len(line) > width]
        assert all(is_one_word(line) or name == "package" for line in long), long


def is_one_word(line: str) -> bool:
    """A name and a value without blanks at most."""
    return re.match(r"^( *\S+( \S+)?  +|.*: | *)\S+(  [A-Z]+)?$", line) is not None


def test_a_table_that_cuts_would_be_found(page, monkeypatch) -> None:
    # What rich does by itself: the tests above have to see it.
    whole = page("verify -v", 200)
    layout = "locoexport.rendering.parts.layout.FittedTable.__rich_console__"
    monkeypatch.setattr(layout, Table.__rich_console__)
    narrow = page("verify -v", 60)
    assert numbers(whole) - numbers(narrow)
