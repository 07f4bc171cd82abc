"""What ``--help`` says of a command, as data, and how a terminal of any width shows it.

typer's own page gives every kind of value a column of its own, and the text what is left: at 80
columns that is a third of the line. Here a name and its value stand together, texts begin in one
column on the whole page, and no word, path or address is broken. ``locoexport.cli.reference``
writes docs/commands.md from the same data.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

__all__ = ["Entry", "HelpPage", "PagedCommand", "PagedGroup", "Section", "describe_command"]

_EXAMPLES = "Examples:\n"
_ARGUMENTS = "Arguments"
_GLUE = "\xa0"
_NAMES_WIDTH = 28
_NARROW = 72
"""Below it a text has its own lines under the name."""
_WIDEST = 100
"""Longer lines are hard to read."""


@dataclass(frozen=True)
class Entry:
    """An option, an argument or a command. ``remark`` is its default, or that it is required."""

    name: str
    text: str
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """Entries under a title."""

    title: str
    entries: tuple[Entry, ...]

    @property
    def of_commands(self) -> bool:
        """Whether they are commands, and neither options nor arguments."""
        return self.title != _ARGUMENTS and not self.entries[0].name.startswith("-")


@dataclass(frozen=True)
class HelpPage:
    """A command's help. ``examples`` are command lines; texts have no line breaks."""

    usage: str
    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    sections: tuple[Section, ...]
    epilog: str


class PagedCommand(TyperCommand):
    """A command that shows its help as a ``HelpPage``."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the page; ``formatter`` stays empty."""
        _print_page(describe_command(self, ctx.command_path))


class PagedGroup(TyperGroup):
    """The same of a group, its commands by panel."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the page; ``formatter`` stays empty."""
        _print_page(describe_command(self, ctx.command_path))


def describe_command(command: Any, path: str) -> HelpPage:
    """The page of a command or a group; ``path`` is what is typed to reach it.

    Its docstring is the text; command lines under ``Examples:`` are examples.
    """
    text, _, examples = inspect.cleandoc(command.help or "").partition(_EXAMPLES)
    parameters = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    commands = list(getattr(command, "commands", {}).values())
    usage = [path, *(_usage_piece(each) for each in arguments), "[OPTIONS]"]
    if commands:
        usage = [path, "[OPTIONS]", "COMMAND ..."]
    entries = [(_ARGUMENTS, _describe_argument(each)) for each in arguments]
    entries += [
        (each.rich_help_panel or "Options", _describe_option(each))
        for each in parameters
        if each not in arguments
    ]
    if commands:
        # Before the commands these are few, and nobody looks for them first.
        entries = [
            *((each.rich_help_panel or "Commands", _describe_name(each)) for each in commands),
            *entries,
            ("Options", Entry("-h, --help", "Show this page, or that of a command.")),
        ]
    return HelpPage(
        " ".join(usage),
        tuple(" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()),
        tuple(line.strip() for line in examples.splitlines() if line.strip()),
        tuple(_grouped(entries)),
        command.epilog or "",
    )


def _grouped(entries: Iterable[tuple[str, Entry]]) -> Iterator[Section]:
    """By title, in the order in which titles come first."""
    groups: dict[str, list[Entry]] = {}
    for title, entry in entries:
        groups.setdefault(title, []).append(entry)
    for title, found in groups.items():
        yield Section(title, tuple(found))


def _usage_piece(argument: Any) -> str:
    name = _display_name(argument)
    return name if argument.required else f"[{name}]"


def _display_name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _describe_argument(argument: Any) -> Entry:
    return Entry(_display_name(argument), _one_line(argument.help), _remark(argument))


def _describe_option(option: Any) -> Entry:
    short_first = sorted(option.opts, key=lambda name: name.startswith("--"))
    name = ", ".join(short_first)
    if option.secondary_opts:
        name += f" / {', '.join(option.secondary_opts)}"
    if not option.is_flag:
        name += f" {option.metavar or 'VALUE'}"
    return Entry(name, _one_line(option.help), _remark(option))


def _describe_name(command: Any) -> Entry:
    text = inspect.cleandoc(command.short_help or command.help or "")
    return Entry(str(command.name), _one_line(text.split("\n\n")[0]))


def _remark(parameter: Any) -> str:
    """``[default: 16]``; a default that is no value of the option is given as a text."""
    if parameter.required:
        return "[required]"
    shown, default = parameter.show_default, parameter.default
    if isinstance(shown, str):
        return f"[default: {shown}]"
    if not shown or default is None or callable(default):
        return ""
    if isinstance(default, bool):
        name = (parameter.opts if default else parameter.secondary_opts)[:1]
        return f"[default: {name[0]}]" if parameter.secondary_opts else ""
    return f"[default: {default}]"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _print_page(page: HelpPage) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
    width = min(console.width, _WIDEST)

    def show(part: Text | Panel) -> None:
        console.print(part, crop=False, overflow="ignore", no_wrap=True, width=width)

    show(Text.assemble(("Usage: ", "bold"), page.usage))
    for paragraph in page.paragraphs:
        show(Text("\n" + "\n".join(_wrap(paragraph, width))))
    if page.examples:
        show(Text("\nExamples:", "bold"))
        for example in page.examples:
            show(Text(f"  {example}", "cyan"))
    show(Text())
    for section in page.sections:
        indent = _text_column(page, section, width)
        lines = Text("\n").join(_section_lines(section, indent, width - 4))
        show(Panel(lines, title=section.title, title_align="left", border_style="dim", width=width))
    if page.epilog:
        show(Text("\n".join(_wrap(page.epilog, width))))


def _text_column(page: HelpPage, section: Section, width: int) -> int:
    """Where texts begin: in one column for all options, in another for all commands."""
    if section.of_commands:
        commands = (each.entries for each in page.sections if each.of_commands)
        return max(len(entry.name) for entries in commands for entry in entries) + 2
    return 4 if width < _NARROW else _NAMES_WIDTH


def _section_lines(section: Section, indent: int, width: int) -> list[Text]:
    """Every entry's name, and its text beside it where there is room, else below."""
    lines: list[Text] = []
    for entry in section.entries:
        said = _wrap_entry(entry, width - indent)
        line = Text(entry.name, "bold cyan")
        if len(entry.name) + 2 <= indent and said:
            line = Text.assemble(line, " " * (indent - len(entry.name)), said.pop(0))
        lines += [line, *(Text(" " * indent + more) for more in said)]
    return lines


def _wrap_entry(entry: Entry, width: int) -> list[str]:
    """The text and its remark, which is not broken where it fits a line."""
    remark = entry.remark.replace(" ", _GLUE) if len(entry.remark) <= width else entry.remark
    lines = _wrap(f"{entry.text} {remark}".strip(), width)
    return [line.replace(_GLUE, " ") for line in lines]


def _wrap(text: str, width: int) -> list[str]:
    """Lines of whole words; a word that is longer than a line has a line of its own."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
