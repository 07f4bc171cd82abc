"""The application: its commands, and how every error ends."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from locoexport.cli.commands import (
    bench,
    demo,
    doctor,
    evaluate,
    export,
    inspect,
    package,
    profiles,
    rewrite,
    train,
    tune,
    verify,
    version,
)
from locoexport.cli.commands.tracking import convert, live, track, track_many
from locoexport.cli.options.measurement_options import SIDECAR_BESIDE
from locoexport.cli.terminal.console import (
    Verbosity,
    print_error,
    print_traceback,
    set_verbosity,
)
from locoexport.cli.terminal.help_pages import PagedCommand, PagedGroup
from locoexport.cli.terminal.usage_errors import PARSER_ERRORS, usage_message
from locoexport.errors import LocoExportError, OutputError, UsageError
from locoexport.machine.interruption import EndingSignals
from locoexport.version import __version__

__all__ = ["app", "main"]

_INTERRUPTED = 130
_ENDED_BY = {_INTERRUPTED: "", 143: "SIGTERM", 129: "SIGHUP"}
_SHOW_CURSOR = "\x1b[?25h"

app = typer.Typer(
    name="locoexport",
    cls=PagedGroup,
    help="Export LocoTrack point trackers to ONNX, prove the files and track points in video.\n\n"
    "Examples:\n"
    "    locoexport track clip.mp4\n"
    "    locoexport export --backbone b5 --checkpoint published -o b5.onnx\n"
    "    locoexport COMMAND --help",
    epilog="Exit codes: 0 done, 1 a check failed, 2 wrong use or bad input, "
    "3 this machine lacks something.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Track": {
        "track": track.track,
        "track-many": track_many.track_many,
        "live": live.live,
        "demo": demo.demo,
        "convert": convert.convert,
    },
    "Export": {
        "export": export.export,
        "verify": verify.verify,
        "profiles": profiles.profiles,
        "package": package.package,
    },
    "Train": {"train": train.train},
    "Measure": {"bench": bench.bench, "eval": evaluate.evaluate, "tune": tune.tune},
    "Any ONNX model": {"inspect": inspect.inspect, "rewrite": rewrite.rewrite},
    "This machine": {"doctor": doctor.doctor, "version": version.version},
}
"""By panel of the help, in its order."""

for _panel, _named in _COMMANDS.items():
    for _name, _command in _named.items():
        app.command(_name, cls=PagedCommand, rich_help_panel=_panel)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"locoexport {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    print_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show errors only: no progress, no warnings.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Show timings, caches, and a traceback with an error."
        ),
    ] = False,
) -> None:
    set_verbosity(context, Verbosity(quiet=quiet, verbose=verbose))
    from locoexport.machine.cores import heed_quota

    heed_quota()


def main() -> NoReturn:
    """Run the command line; never returns. For the main thread: it handles signals.

    A ``LocoExportError`` becomes one message on stderr and its exit code, without a traceback; so
    does an output that cannot be written, and a name that the operating system refuses.
    """
    _fill_closed_streams()
    signals = EndingSignals(_say_last_words)
    with signals.handled():
        try:
            code = _run(sys.argv[1:])
            # Here and not when Python ends: then nobody is left to say why it fails.
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of stdout went away (| head): nothing is left to say to it.
            _drop_output()
            code = 1
        except OSError as error:
            _print_failure(error, f"{_subject(error)}: {error.strerror or error}.", sys.argv[1:])
            _drop_output()
            code = OutputError.exit_code
        signals.end(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Run a command; returns the exit code."""
    try:
        # By name: under python -m the program would be called "python -m locoexport".
        ended = app(_with_values(arguments), prog_name=app.info.name, standalone_mode=False)
        return _exit_code(ended)
    except PARSER_ERRORS as error:
        return _refuse(error)
    except LocoExportError as error:
        _print_failure(error, str(error), arguments)
        return error.exit_code
    except SystemExit as ended:  # of what completes a shell's line
        return _exit_code(ended.code)


def _exit_code(ended: object) -> int:
    """The code that the parser gives back or ends with; it makes one of KeyboardInterrupt too."""
    code = ended if isinstance(ended, int) else int(ended is not None)
    if code in _ENDED_BY:
        with suppress(OSError):  # with SIGHUP the terminal is gone
            print_error(_farewell(code))
    return code


def _refuse(error: Exception) -> int:
    """What the parser refuses; without a command its help is shown already."""
    if str(error).strip():
        print_error(usage_message(error))
    return UsageError.exit_code


def _print_failure(error: BaseException, message: str, arguments: list[str]) -> None:
    """One message, or with -v where it comes from; nothing of either moves a cursor."""
    if _wants_traceback(arguments):
        print_traceback(error)
    else:
        print_error(message)


def _subject(error: OSError) -> str:
    """What could not be done; a write to a stream that is open has no file's name."""
    return "Cannot write the output" if error.filename is None else f"Cannot use {error.filename}"


def _fill_closed_streams() -> None:
    """Put something in the place of streams that are closed (>&-): the next file that is opened
    would be taken for stdout else. What is written to this stdout fails, as it should."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Not every terminal knows every letter, and a name may be no text at all.
        sys.stdout.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Let go of what is still to be written, on which Python would try again when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_values(arguments: list[str]) -> list[str]:
    """``verify --sidecar`` may stand without its value, which the parser does not know."""
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    if command != "verify":
        return arguments
    filled = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        filled.append(argument)
        if argument == "--sidecar" and following.startswith("-"):
            filled.append(SIDECAR_BESIDE)
    return filled


def _wants_traceback(arguments: list[str]) -> bool:
    """Whether -v is among the options before the command, alone or as in -qv."""
    for argument in arguments:
        if not argument.startswith("-"):
            return False
        if argument == "--verbose" or (not argument.startswith("--") and "v" in argument):
            return True
    return False


def _farewell(code: int) -> str:
    how = "Interrupted" if code == _INTERRUPTED else f"Ended by {_ENDED_BY[code]}"
    return f"{how}; no half-written file is left."


def _say_last_words(number: int) -> None:
    """Where nothing unwinds: nothing that the main thread may hold or fill can be waited for."""
    with suppress(OSError, ValueError):
        _, writable, _ = select.select([], [2], [], 0)
        if writable:
            shown = _SHOW_CURSOR if os.isatty(2) else ""
            os.write(2, f"{shown}error: {_farewell(128 + number)}\n".encode())
