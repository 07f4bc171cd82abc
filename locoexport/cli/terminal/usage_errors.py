"""What the parser refuses, as one line like every other error, with what was probably meant."""

from __future__ import annotations

import re
from typing import Any

import typer

from locoexport.errors import did_you_mean

__all__ = ["PARSER_ERRORS", "usage_message"]

PARSER_ERRORS: type[Any] = typer.BadParameter.__mro__[2]
"""The base of all that the parser raises (``ClickException``), which typer does not name."""

_CHOICE = re.compile(r"'([^']*)' is not one of ((?:'[^']*'(?:, )?)+)")


def usage_message(error: Any) -> str:
    """The parser's error as a sentence, and which help to read."""
    text = " ".join(error.format_message().split())
    # What it is checked with says so; nobody who typed an option wants to know.
    text = text.replace("Value error, ", "")
    text = re.sub(r" ?\(Possible options: [^)]*\)| ?Did you mean [^?]*\?", "", text)
    suggestion = _suggestion(error, text)
    context = getattr(error, "ctx", None)
    helped = "" if context is None else f" See `{context.command_path} --help`."
    return f"{text.rstrip('.')}.{suggestion}{helped}"


def _suggestion(error: Any, text: str) -> str:
    possible = getattr(error, "possibilities", None)
    if possible:
        return did_you_mean(error.option_name, possible)
    choice = _CHOICE.search(text)
    if choice is not None:
        return did_you_mean(choice[1], re.findall(r"'([^']*)'", choice[2]))
    command = re.search(r"No such command '(.*)'", text)
    if command is not None and error.ctx is not None:
        return did_you_mean(command[1], getattr(error.ctx.command, "commands", {}))
    return ""
