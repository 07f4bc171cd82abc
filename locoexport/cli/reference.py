"""docs/commands.md, written from the commands themselves: ``python -m locoexport.cli.reference``.

It is made of the pages that ``--help`` shows. A test fails where the page and the commands differ,
so that no option is undocumented.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import typer

from locoexport.cli.main import app
from locoexport.cli.terminal.help_pages import Entry, HelpPage, Section, describe_command
from locoexport.runtime.session.provider_options import OPTIONS

__all__ = ["describe_commands"]

_HEAD = """# Commands

<!-- Written by `python -m locoexport.cli.reference > docs/commands.md`: do not edit. -->

This is what `locoexport COMMAND --help` says.

- Exit codes: 0 done, 1 a check failed, 2 wrong use or bad input, 3 this machine lacks something.
- Results go to stdout, progress and warnings to stderr. `--json -` prints one JSON document on
  stdout and nothing else.
- Before the command: `--quiet` (`-q`) shows errors only; `--verbose` (`-v`) shows timings, what
  caches did, and a traceback with an error.
- `NO_COLOR=1` turns colours off. `locoexport --install-completion` installs completion for your
  shell.
"""

_PROVIDERS = """
## Provider options

`--provider NAME` takes options as `NAME:OPTION=VALUE,OPTION=VALUE`, for example
`openvino:device=GPU`. A default that is listed is locoexport's own; the rest is the provider's. An
unknown option is exit code 2.

| provider | option | default | meaning |
|---|---|---|---|
"""

_CODE = re.compile(
    r"""
    (?<![\w`/-])(
        --[a-z][\w-]*                    # an option
      | '[^'\s]*[*/][^'\s]*'             # a quoted pattern
      | [^\s`(),;]*(?:%\d+d|://|::)\S*?(?=[;,.)]*(?:\s|$))  # a numbered path, an address, a member
      | (?:[A-Z]{2,}|NAME)(?:_[A-Z]+)+(?:=\w+)?             # a variable of the environment
      | (?:NAME|FILE|MODEL|VIDEO)\.\w+(?:\.\w+)?            # a name that stands for another
    )
    """,
    re.VERBOSE,
)
"""What is typed or named within a text, and would be read as Markdown or as prose."""


def describe_commands() -> str:
    """The page, as Markdown."""
    group: Any = typer.main.get_command(app)
    overview = describe_command(group, "locoexport")
    panels = [section for section in overview.sections if section.of_commands]
    commands = [entry.name for section in panels for entry in section.entries]
    pages = [
        (name, describe_command(group.commands[name], f"locoexport {name}")) for name in commands
    ]
    return (
        _HEAD
        + "".join(_describe_panel(section) for section in panels)
        + "".join(_describe_page(name, page) for name, page in pages)
        + _describe_providers()
    )


def _describe_panel(section: Section) -> str:
    rows = [f"- [`{entry.name}`](#{entry.name}): {entry.text}" for entry in section.entries]
    return f"\n**{section.title}**\n\n" + "\n".join(rows) + "\n"


def _describe_page(name: str, page: HelpPage) -> str:
    parts = [f"## {name}", _block(page.usage), *map(_marked, page.paragraphs)]
    if page.examples:
        parts += ["Examples:", _block(*page.examples)]
    for section in page.sections:
        parts.append(f"**{section.title}**")
        parts.append("\n".join(_describe_entry(entry) for entry in section.entries))
    return "\n" + "\n\n".join(parts) + "\n"


def _block(*lines: str) -> str:
    return "\n".join(("```sh", *lines, "```"))


def _describe_entry(entry: Entry) -> str:
    text = " ".join(part for part in (entry.text, entry.remark) if part)
    return f"- `{entry.name}`: {_marked(text)}"


def _marked(text: str) -> str:
    """A text whose literals are code; what is code already stays."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else _CODE.sub(lambda found: f"`{found[1]}`", piece)
        for piece in pieces
    )


def _describe_providers() -> str:
    rows = [
        f"| {name} | `{key}` | {option.default or '-'} | {option.meaning} |"
        for name, options in OPTIONS.items()
        for key, option in options.items()
    ]
    return _PROVIDERS + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe_commands())
