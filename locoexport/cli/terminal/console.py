"""stderr: progress, warnings and errors; stdout: results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVarTuple

import typer
from rich.console import Console, RenderableType
from rich.markup import escape
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

from locoexport.machine.output_files import check_output, whole_file

if TYPE_CHECKING:
    from locoexport.notices import Listener, Notice

__all__ = [
    "Verbosity",
    "check_json_target",
    "listening",
    "print_error",
    "print_result",
    "report",
    "set_verbosity",
    "verbosity_of",
]

_Found = TypeVarTuple("_Found")


@dataclass(frozen=True)
class Verbosity:
    """What the user asked to see."""

    quiet: bool = False
    verbose: bool = False


def set_verbosity(context: typer.Context, verbosity: Verbosity) -> None:
    """Keep the global options where commands find them."""
    context.obj = verbosity


def verbosity_of(context: typer.Context) -> Verbosity:
    """What the user asked to see; the defaults where nothing was kept."""
    return context.obj if isinstance(context.obj, Verbosity) else Verbosity()


@contextmanager
def listening(context: typer.Context) -> Iterator[Listener]:
    """A listener that shows notices on stderr: a live line on a terminal, plain lines elsewhere."""
    verbosity = verbosity_of(context)
    console = Console(stderr=True, highlight=False)
    if verbosity.quiet:
        yield lambda notice: None
    elif console.is_terminal:
        with _live(console) as listener:
            yield _filtered(listener, verbosity)
    else:
        yield _filtered(_print_plainly, verbosity)


def check_json_target(target: str | None, *, force: bool) -> None:
    """Raise OutputError before any work where ``--json FILE`` cannot be written."""
    if target not in (None, "-"):
        check_output(str(target), force=force)


def report(
    target: str | None,
    document: Callable[[*_Found], Mapping[str, Any]],
    text: Callable[[*_Found], RenderableType],
    *found: *_Found,
    passed: bool = True,
) -> None:
    """Write the JSON document where one is wanted; print the text unless JSON went to stdout.

    Args:
        target: of ``--json``: a file, ``-`` for stdout, or None.
        document: makes the document of what was found.
        text: makes the text of what was found.
        found: what both are made of.
        passed: whether that is what the user hoped for.

    Raises:
        typer.Exit: with code 1, after all is written, where it did not pass.
        OutputError: the file cannot be written.
    """
    if target is not None:
        _write_json(target, document(*found))
    if target != "-":
        print_result(text(*found))
    if not passed:
        raise typer.Exit(1)


def print_error(message: str) -> None:
    """One error on stderr."""
    Console(stderr=True, highlight=False).print(
        f"[bold red]error:[/] {escape(message)}", soft_wrap=True
    )


def print_result(result: RenderableType) -> None:
    """A result on stdout."""
    console = Console(highlight=False)
    if not console.is_terminal:
        # A pipe has no width: cutting a table to 80 columns would lose what it says.
        console = Console(highlight=False, width=160)
    console.print(result)


def _write_json(target: str, document: Mapping[str, Any]) -> None:
    """One JSON document to a file, or to stdout for ``-``. Infinite and NaN become null."""
    text = json.dumps(_finite(document), indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    with whole_file(Path(target)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def _filtered(listener: Listener, verbosity: Verbosity) -> Listener:
    """The listener without the details that only ``--verbose`` shows."""

    def listen(notice: Notice) -> None:
        if verbosity.verbose or not notice.detail:
            listener(notice)

    return listen


def _print_plainly(notice: Notice) -> None:
    if notice.warning:
        sys.stderr.write(f"warning: {notice.text}\n")
    elif notice.done is None:
        sys.stderr.write(f"{notice.text}\n")
    elif notice.done == notice.total:
        sys.stderr.write(f"{notice.text}: {notice.done} of {notice.total}\n")
    sys.stderr.flush()


class _Rate(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


@contextmanager
def _live(console: Console) -> Iterator[Listener]:
    progress = Progress(
        TextColumn("{task.description}"),
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
            if notice.warning:
                console.print(f"[yellow]warning:[/] {escape(notice.text)}", soft_wrap=True)
            elif notice.detail:
                console.print(f"[dim]{escape(notice.text)}[/]", soft_wrap=True)
            elif notice.done is None:
                progress.update(step, description=escape(notice.text), visible=True)
            else:
                progress.update(step, visible=False)
                if notice.text not in bars:
                    bars[notice.text] = progress.add_task(escape(notice.text), total=notice.total)
                progress.update(bars[notice.text], completed=notice.done, total=notice.total)

        yield listen
