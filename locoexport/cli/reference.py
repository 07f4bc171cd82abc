"""docs/commands.md, written from the commands themselves: ``python -m locoexport.cli.reference``.

A test fails where the page and the commands differ, so that no option is undocumented.
"""

from __future__ import annotations

import sys
from typing import Any

import typer

from locoexport.cli.main import app
from locoexport.runtime.session.provider_options import OPTIONS

__all__ = ["describe_commands"]

_HEAD = """# Commands

Written by `python -m locoexport.cli.reference > docs/commands.md`.

Exit codes of every command: 0 done, 1 a check failed, 2 wrong use or bad input, 3 this machine
lacks something. Results go to stdout, progress and warnings to stderr; `--json -` prints one JSON
document on stdout and nothing else there. `NO_COLOR=1` turns colours off.
`locoexport --install-completion` installs completion for your shell.

Before the command: `--quiet` (`-q`) shows errors only, `--verbose` (`-v`) shows timings, what
caches did, and a traceback with an error, `--version` prints the version.
"""

_PROVIDERS = """
## Provider options

`--provider NAME` takes options as `NAME:OPTION=VALUE,OPTION=VALUE`, for example
`openvino:device=GPU`. A default that is given is ours; the rest is left to the provider. An unknown
option is exit 2.

| provider | option | default | |
|---|---|---|---|
"""


def describe_commands() -> str:
    """The page, as Markdown."""
    group: Any = typer.main.get_command(app)
    sections = [_describe(name, command) for name, command in group.commands.items()]
    return _HEAD + "".join(sections) + _describe_providers()


def _describe_providers() -> str:
    rows = [
        f"| {name} | `{key}` | {option.default or '-'} | {option.meaning} |"
        for name, options in OPTIONS.items()
        for key, option in options.items()
    ]
    return _PROVIDERS + "\n".join(rows) + "\n"


def _describe(name: str, command: Any) -> str:
    parameters = [p for p in command.params if not p.hidden] if command.params else []
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join(["locoexport", name, *(_metavar(p) for p in arguments), "[OPTIONS]"])
    text = " ".join((command.help or "").split())
    rows = [f"| `{_metavar(p)}` | {_help(p)} |" for p in arguments]
    rows += [f"| {_spellings(p)} | {_help(p)} |" for p in options]
    return f"\n## {name}\n\n    {usage}\n\n{text}\n\n| | |\n|---|---|\n" + "\n".join(rows) + "\n"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _spellings(option: Any) -> str:
    names = [f"`{spelling}`" for spelling in (*option.opts, *option.secondary_opts)]
    if option.is_flag:
        return " / ".join(names)
    value = option.metavar or "VALUE"
    return " / ".join(names) + f" `{value}`".replace("|", "\\|")


def _help(parameter: Any) -> str:
    text = " ".join((parameter.help or "").split()).replace("|", "\\|")
    if parameter.required:
        return f"{text} Required."
    return text


if __name__ == "__main__":
    sys.stdout.write(describe_commands())
