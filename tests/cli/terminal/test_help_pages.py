"""Help fits any width: no broken word, a word for every value, examples that parse."""

import re
import shlex
from typing import Any

import pytest
import typer

from locoexport.cli.main import _with_values, app
from locoexport.cli.terminal.help_pages import describe_command

GROUP: Any = typer.main.get_command(app)
COMMANDS = tuple(GROUP.commands)


def help_of(run, monkeypatch, width: int, *command: str) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    return run(*command, "--help").stdout


def words(text: str) -> list[str]:
    return re.findall(r"\S+", re.sub(r"[│╭╮╰╯─]", " ", text))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_word_is_broken_at_any_width(command: str, width: int, run, monkeypatch) -> None:
    page = describe_command(GROUP.commands[command], f"locoexport {command}")
    shown = help_of(run, monkeypatch, width, command)
    said = [
        *page.paragraphs,
        *(f"{e.name} {e.text} {e.remark}" for s in page.sections for e in s.entries),
    ]
    assert set(words(" ".join(said))) <= set(words(shown))
    examples = [f"  {example}" for example in page.examples]
    lines = shown.splitlines()
    assert [line for line in examples if line not in lines] == []
    assert max(len(line) for line in lines if line not in examples) <= min(width, 100)


def test_the_top_level_has_a_line_a_command(run, monkeypatch) -> None:
    lines = help_of(run, monkeypatch, 80).splitlines()
    for command in COMMANDS:
        (line,) = (line for line in lines if line.startswith(f"│ {command} "))
        assert line.rstrip(" │").endswith(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_texts_of_options_begin_in_one_column(command: str, run, monkeypatch) -> None:
    shown = help_of(run, monkeypatch, 80, command)
    beside = re.findall(r"^(│ -\S.*? {2,})[^\s│]", shown, re.MULTILINE)
    assert {len(start) for start in beside} == {30}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_panel_a_text_and_a_word_for_its_value(command: str) -> None:
    for parameter in GROUP.commands[command].params:
        assert parameter.help
        assert parameter.help.endswith((".", ")"))
        if parameter.param_type_name == "argument":
            assert parameter.metavar
        else:
            assert parameter.rich_help_panel
            assert parameter.is_flag or parameter.metavar


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_that_parse(command: str) -> None:
    page = describe_command(GROUP.commands[command], f"locoexport {command}")
    assert page.examples
    for example in page.examples:
        program, name, *arguments = shlex.split(example)
        assert (program, name) == ("locoexport", command)
        assert len(example) <= 78
        # Parses and converts, and runs nothing.
        GROUP.commands[command].make_context(command, _with_values([name, *arguments])[1:])


def test_what_remarks_say() -> None:
    page = describe_command(GROUP.commands["track-many"], "locoexport track-many")
    remarks = {e.name: e.remark for section in page.sections for e in section.entries}
    assert page.usage == "locoexport track-many INPUTS... [OPTIONS]"
    assert remarks["-o, --out DIR"] == "[required]"
    assert remarks["--trail FRAMES"] == "[default: 16]"
    assert remarks["--fps RATE"] == "[default: 25, with a warning]"
    assert remarks["--overlays"] == ""
    export = describe_command(GROUP.commands["export"], "locoexport export")
    remarks = {e.name: e.remark for section in export.sections for e in section.entries}
    assert remarks["--verify / --no-verify"] == "[default: --verify]"
