"""What a command prints and writes of what it found."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from rich.console import Group

from locoexport.cli.terminal import console
from locoexport.errors import OutputError
from locoexport.notices import Notice
from locoexport.rendering.parts.tables import facts

CONTEXT = typer.Context(click.Command("any"))


def _document(name: str, size: float) -> dict[str, Any]:
    return {"name": name, "sizes": (size, [size])}


def _text(name: str, size: float) -> str:
    return f"{name} is {size}"


def _refuse(*found: object) -> Any:
    raise AssertionError(f"{found} was rendered though nobody sees it")


def test_without_json_the_text_is_printed(capsys) -> None:
    console.report(None, _refuse, _text, "a", 1.5, context=CONTEXT)
    assert capsys.readouterr().out == "a is 1.5\n"


def test_json_on_stdout_stands_there_alone(capsys) -> None:
    console.report("-", _document, _refuse, "a", 1.5, context=CONTEXT)
    found = json.loads(capsys.readouterr().out)
    assert found == {"name": "a", "sizes": [1.5, [1.5]], "warnings": []}


def test_json_in_a_file_leaves_the_text_on_stdout(capsys, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    console.report(str(path), _document, _text, "a", 1.5, context=CONTEXT)
    assert capsys.readouterr().out == "a is 1.5\n"
    text = path.read_text()
    assert text.startswith('{\n  "name": "a",\n  "sizes": [\n    1.5,\n    [\n      1.5\n    ]\n')
    assert text.endswith('  ],\n  "warnings": []\n}\n')
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("quiet", [False, True])
def test_what_was_warned_of_is_in_the_document(quiet: bool, capsys) -> None:
    context = typer.Context(click.Command("any"))
    console.set_verbosity(context, console.Verbosity(quiet=quiet))
    with console.listening(context) as notify:
        for text in ("one", "two", "one"):
            notify(Notice(text, warning=True))
        notify(Notice("a step"))
    console.report("-", _document, None, "a", 1.5, context=context)
    streams = capsys.readouterr()
    assert json.loads(streams.out)["warnings"] == ["one", "two"]
    assert ("warning: one" in streams.err) != quiet
    # A document of its own warnings keeps these.
    console.report("-", lambda: {"warnings": ["mine"]}, None, context=context)
    assert json.loads(capsys.readouterr().out) == {"warnings": ["mine"]}


@pytest.mark.parametrize("size", [float("inf"), float("-inf"), float("nan")])
def test_what_json_has_no_number_for_is_null(size: float, capsys) -> None:
    console.report("-", _document, _text, "a", size, context=CONTEXT)
    assert json.loads(capsys.readouterr().out)["sizes"] == [None, [None]]


@pytest.mark.parametrize("target", [None, "-", "a.json"])
def test_what_did_not_pass_is_told_and_ends_with_1(
    target: str | None, capsys, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as ended:
        console.report(target, _document, _text, "a", 1.5, context=CONTEXT, passed=False)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.startswith("{" if target == "-" else "a is 1.5\n")
    assert Path("a.json").exists() == (target == "a.json")


def test_a_report_is_checked_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def check(target: object, *, force: bool = False) -> None:
        options = [click.Option(["--json", "json_target"]), click.Option(["--force"])]
        context = typer.Context(click.Command("any", params=options))
        context.params = {"json_target": None if target is None else str(target), "force": force}
        console.check_outputs(context)

    check(None)
    check("-")
    check(path)
    path.write_text("{}")
    check(path, force=True)
    with pytest.raises(OutputError, match=r"a\.json"):
        check(path)
    with pytest.raises(OutputError, match="no"):
        check(tmp_path / "no" / "a.json", force=True)
    # A model, a clip, an array: no report is meant to replace it.
    path.write_bytes(b"PK\0\0")
    with pytest.raises(OutputError, match="holds data"):
        check(path, force=True)


def test_what_was_asked_to_be_seen_is_kept_in_the_context() -> None:
    context = typer.Context(click.Command("any"))
    assert console.verbosity_of(context) == console.Verbosity()
    console.set_verbosity(context, console.Verbosity(verbose=True))
    assert console.verbosity_of(context).verbose


@pytest.mark.parametrize("columns", ["60", "100"])
def test_piped_output_is_as_wide_as_columns_says(columns: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    console.print_result(" ".join(["word"] * 40))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == int(columns) - int(columns) % 5 - 1
    assert " ".join(lines) == " ".join(["word"] * 40)


def test_piped_output_without_columns_has_no_width_and_no_padding(capsys, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    sentence = " ".join(["word"] * 400)
    console.print_result(Group(sentence, facts([("name", sentence)])))
    assert capsys.readouterr().out == f"{sentence}\nname  {sentence}\n"


@pytest.mark.parametrize("columns", ["0", "1", "-3", "wide"])
def test_columns_that_are_no_width_do_no_harm(columns: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    console.print_result(facts([("name", "12345.678 and a word")]))
    assert "12345.678" in capsys.readouterr().out


def test_verbose_after_the_command_is_verbose_before_it() -> None:
    context = typer.Context(click.Command("any"))
    assert not console.raise_verbosity(context, False)
    assert console.raise_verbosity(context, True)
    assert console.verbosity_of(context) == console.Verbosity(verbose=True)
    console.set_verbosity(context, console.Verbosity(quiet=True, verbose=True))
    assert console.raise_verbosity(context, False)
    assert console.verbosity_of(context).quiet
