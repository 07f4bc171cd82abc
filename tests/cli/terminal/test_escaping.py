"""Nothing that a file says moves a cursor, forges a line or is markup; no digit is cut."""

import io

import pytest
from rich.console import Console, Group
from rich.text import Text

from locoexport.cli.terminal import console
from locoexport.cli.terminal.escaping import escape_controls, shorten
from locoexport.cli.terminal.plain_lines import plain_lines
from locoexport.notices import Notice
from locoexport.rendering.parts.tables import facts, headed

HOSTILE = "a\x1b]0;pwn\x07\x1b[2J\r\n\x9b31m\u202eb\u2066\u2028\udcff[red]c[/] :smile:"
SHOWN = r"a\x1b]0;pwn\x07\x1b[2J\r\n\x9b31m\u202eb\u2066\u2028\udcff[red]c[/] :smile:"


def test_controls_are_written_out_and_letters_are_not() -> None:
    assert escape_controls(HOSTILE) == SHOWN
    assert escape_controls("né 日本 \u200d 👩\u200d💻 ∞") == "né 日本 \u200d 👩\u200d💻 ∞"
    assert escape_controls("a\n\tb\x1b", lines=True) == "a\n\tb\\x1b"


def test_an_error_is_one_line_of_bounded_length(capsys) -> None:
    console.print_error(HOSTILE)
    assert capsys.readouterr().err == f"error: {SHOWN}\n"
    console.print_error("x" * 10**6)
    assert len(capsys.readouterr().err) < 5000
    assert shorten("x" * 4000) == "x" * 4000


@pytest.mark.parametrize("make", [str, Text])
def test_results_show_what_files_say(capsys, make) -> None:
    hostile, shown = "a\x1b[2J\n\u202eb[red]c[/]", r"a\x1b[2J\n\u202eb[red]c[/]"
    table = headed(("name", make(hostile)))
    table.add_row(make(hostile), Group(Text(hostile), Text("second")))
    console.print_result(Group(make(hostile), facts([(hostile, make(hostile))]), table))
    out = capsys.readouterr().out
    assert out.count(shown) == 6
    assert "second" in out
    assert not set(out) & set("\x1b\u202e")


def test_notices_show_what_files_say(capsys) -> None:
    with plain_lines() as listen:
        listen(Notice(HOSTILE))
        listen(Notice(HOSTILE, warning=True))
        listen(Notice(HOSTILE, done=2, total=2))
    assert capsys.readouterr().err == f"{SHOWN}\nwarning: {SHOWN}\n{SHOWN}: 2 of 2\n"


def test_live_notices_show_what_files_say() -> None:
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, width=300, markup=False, highlight=False)
    with console._live(terminal) as listen:
        for notice in (
            Notice(HOSTILE, warning=True),
            Notice(HOSTILE, detail=True),
            Notice(HOSTILE),
            Notice(HOSTILE, done=1, total=2),
        ):
            listen(notice)
    assert file.getvalue().count(SHOWN) >= 4
    assert "\x1b]0;" not in file.getvalue()
    assert "\u202e" not in file.getvalue()


def test_a_traceback_shows_what_files_say(capsys) -> None:
    console.print_traceback(ValueError(HOSTILE))
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("width", [20, 80, 400])
def test_no_number_is_cut_however_narrow_the_terminal(monkeypatch, capsys, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    columns = [f"column {index} [px]" for index in range(12)]
    table = headed(columns, right=columns)
    table.add_row(*(f"{index}.2345678e-0{index}" for index in range(10)), "a b c", "-")
    console.print_result(table)
    out = capsys.readouterr().out
    assert "…" not in out
    for index in range(10):
        assert f"{index}.2345678e-0{index}" in out
    assert out.count("[px]") == 12
