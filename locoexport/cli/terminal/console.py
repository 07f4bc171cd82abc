"""stderr: progress, warnings and errors; stdout: results. All texts are escaped here."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVarTuple

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from locoexport.cli.terminal.escaping import escape_controls, escaped, shorten
from locoexport.cli.terminal.plain_lines import describe_rate, plain_lines
from locoexport.machine.writing.documents import finite
from locoexport.machine.writing.output_files import check_apart, check_text_output, whole_file
from locoexport.notices import ignore, noting
from locoexport.rendering.parts.layout import wrapped

if TYPE_CHECKING:
    from locoexport.notices import Listener, Notice

__all__ = [
    "Verbosity",
    "check_outputs",
    "listening",
    "print_error",
    "print_result",
    "print_traceback",
    "raise_verbosity",
    "report",
    "set_verbosity",
    "verbosity_of",
    "write_text",
]

_Found = TypeVarTuple("_Found")
_UNLIMITED = 1_000_000
_NARROWEST = 20
_WARNINGS = "locoexport.warnings"
"""Where a command's context keeps what it was warned of."""


@dataclass(frozen=True)
class Verbosity:
    """What the user asked to see."""

    quiet: bool = False
    verbose: bool = False


def set_verbosity(context: typer.Context, verbosity: Verbosity) -> None:
    """Keep the global options where commands find them."""
    context.obj = verbosity


def raise_verbosity(context: typer.Context, verbose: bool) -> bool:
    """A command's own ``--verbose`` is that before the command; returns whether either stands."""
    before = verbosity_of(context)
    set_verbosity(context, replace(before, verbose=before.verbose or verbose))
    return before.verbose or verbose


def verbosity_of(context: typer.Context) -> Verbosity:
    """What the user asked to see; the defaults where nothing was kept."""
    return context.obj if isinstance(context.obj, Verbosity) else Verbosity()


@contextmanager
def listening(context: typer.Context) -> Iterator[Listener]:
    """A listener that shows notices on stderr: a live line on a terminal, plain lines elsewhere."""
    verbosity = verbosity_of(context)
    console = _console(stderr=True)
    told = context.meta.setdefault(_WARNINGS, [])
    if verbosity.quiet:
        yield noting(told, ignore)
    elif console.is_interactive and sys.stderr.isatty():
        # FORCE_COLOR makes a pipe a terminal, and a dumb one shows no bar at all.
        with _live(console) as listener:
            yield noting(told, _filtered(listener, verbosity))
    else:
        with plain_lines() as listener:
            yield noting(told, _filtered(listener, verbosity))


def check_outputs(
    context: typer.Context, *, texts: Sequence[str] = ("json_target",), files: Sequence[str] = ()
) -> None:
    """Raise OutputError before any work where an output cannot be written.

    It may not be a file that the command was given to read, even with ``--force``, nor another
    output. A report replaces text alone.

    Args:
        context: of the running command.
        texts: its parameters that name a report to write; ``-`` is stdout.
        files: its parameters that name other files or folders to write. Whether they can be
            written is for whoever writes them.
    """
    outputs = [named for name in (*texts, *files) for named in _named_files(context, name)]
    written = {*texts, *files}
    read = [name for name in context.params if name not in written]
    inputs = [named for name in read for named in _named_files(context, name)]
    check_apart(outputs, inputs)
    for name in texts:
        target = context.params.get(name)
        if target not in (None, "-"):
            check_text_output(str(target), force=bool(context.params.get("force")))


def _named_files(context: typer.Context, name: str) -> list[tuple[str, str | Path]]:
    """What a parameter of the running command names that may be a file, by its option."""
    parameter = next(each for each in context.command.params if each.name == name)
    option = max(parameter.opts, key=len)
    option = option if option.startswith("-") else option.upper()
    value = context.params.get(name)
    values = value if isinstance(value, list | tuple) else [value]
    return [(option, path) for each in values for path in _paths(each)]


def _paths(value: object) -> list[str | Path]:
    """A path, or a text that holds one: FILE, FILE@frame:grid. ``-`` is none."""
    if isinstance(value, Path):
        return [] if str(value) == "-" else [value]
    # A word without a dot or a slash is the name of something else.
    if not isinstance(value, str) or re.search(r"[./]", value) is None:
        return []
    return list(dict.fromkeys((value, re.sub(r"(@[0-9]+)?(:[0-9x]+)?$", "", value))))


def report(
    target: str | None,
    document: Callable[[*_Found], Mapping[str, Any]],
    text: Callable[[*_Found], RenderableType] | None,
    *found: *_Found,
    context: typer.Context,
    passed: bool = True,
) -> None:
    """Write the JSON document where one is wanted; print the text unless JSON went to stdout.

    Args:
        target: of ``--json``: a file, ``-`` for stdout, or None.
        document: makes the document of what was found.
        text: makes the text of what was found; None where stdout has another result.
        found: what both are made of.
        context: of the running command: a document that has no warnings of its own gets what was
            told while it was ``listening``.
        passed: whether that is what the user hoped for.

    Raises:
        typer.Exit: with code 1, after all is written, where it did not pass.
        OutputError: the file cannot be written.
    """
    if target is not None:
        made = document(*found)
        told = list(context.meta.get(_WARNINGS, []))
        _write_json(target, {**made, "warnings": made.get("warnings", told)})
    if target != "-" and text is not None:
        print_result(text(*found))
    if not passed:
        raise typer.Exit(1)


def write_text(target: str, text: str) -> None:
    """Write a text as it is to a file, or to stdout for ``-``.

    Raises:
        OutputError: the file cannot be written.
    """
    if target == "-":
        sys.stdout.write(text)
        return
    with whole_file(Path(target)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def print_error(message: str) -> None:
    """One error on stderr, as one line."""
    line = Text.assemble(("error:", "bold red"), " ", shorten(escape_controls(message)))
    _console(stderr=True).print(line, soft_wrap=True)


def print_traceback(error: BaseException) -> None:
    """Where an error comes from, with its causes, on stderr."""
    lines = "".join(traceback.format_exception(error))
    sys.stderr.write(escape_controls(lines, lines=True))


def print_result(result: RenderableType) -> None:
    """A result on stdout, as wide as COLUMNS says, else as the terminal.

    A pipe or a file without COLUMNS has no width: every row and every sentence is one line, which
    grep finds whole. No line has blanks at its end.
    """
    _print_parts(_console(width=_result_width()), escaped(result))


def _print_parts(console: Console, result: RenderableType) -> None:
    if isinstance(result, Group):
        for part in result.renderables:
            _print_parts(console, part)
        return
    if isinstance(result, str | Text):
        text = result if isinstance(result, Text) else Text(result)
        for line in [text] if text.no_wrap else wrapped(text, console.width):
            console.print(line, soft_wrap=True)
        return
    console.print(result, crop=False)


def _result_width() -> int:
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        # It asks the terminal where COLUMNS is 0, and takes 80 where nobody knows.
        return max(shutil.get_terminal_size().columns, _NARROWEST)
    return _UNLIMITED


def _console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Texts are texts: what looks like markup, or names an emoji, is a name in a file."""
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def _write_json(target: str, document: Mapping[str, Any]) -> None:
    """One JSON document to a file, or to stdout for ``-``. Infinite and NaN become null."""
    text = json.dumps(finite(document), indent=2, allow_nan=False) + "\n"
    write_text(target, text)


def _filtered(listener: Listener, verbosity: Verbosity) -> Listener:
    """The listener without the details that only ``--verbose`` shows."""

    def listen(notice: Notice) -> None:
        if verbosity.verbose or not notice.detail:
            listener(notice)

    return listen


class _Rate(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else describe_rate(speed))


@contextmanager
def _live(console: Console) -> Iterator[Listener]:
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    bars: dict[str, Any] = {}
    with progress:
        # One line for steps that do not count.
        step = progress.add_task("", total=None, visible=False)

        def listen(notice: Notice) -> None:
            text = shorten(escape_controls(notice.text))
            if notice.warning:
                line = Text.assemble(("warning:", "yellow"), " ", text)
                console.print(line, soft_wrap=True)
            elif notice.detail:
                console.print(Text(text, "dim"), soft_wrap=True)
            elif notice.done is None:
                progress.update(step, description=text, visible=True)
            else:
                progress.update(step, visible=False)
                if notice.text not in bars:
                    bars[notice.text] = progress.add_task(text, total=notice.total)
                named = f"{notice.text}, {notice.figures}" if notice.figures else notice.text
                progress.update(
                    bars[notice.text],
                    description=shorten(escape_controls(named)),
                    completed=notice.done,
                    total=notice.total,
                )

        yield listen
