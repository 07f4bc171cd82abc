"""What is written in an option's value: lists, ranges, shares and grids."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import typer

from locoexport.contract.checkpoint_settings import (
    CheckpointSettings,
    parse_levels,
    parse_resolution,
)
from locoexport.errors import OutputError, UsageError
from locoexport.machine.installation import require_packages
from locoexport.machine.writing.output_files import check_output

__all__ = [
    "check_onnx_name",
    "check_plot",
    "one_of",
    "parse_axis_sizes",
    "parse_grid",
    "parse_range",
    "parse_settings",
    "parse_share",
    "parse_sizes",
    "parse_types",
    "positive_number",
    "whole_number",
]


def whole_number(given: str | int) -> int:
    """An option's value as a whole number, written without a point: what is a rate or a share
    elsewhere was meant otherwise.

    Raises:
        typer.BadParameter: it is not one.
    """
    if isinstance(given, int):  # a default
        return given
    if re.fullmatch(r"[+-]?[0-9]{1,4000}", given) is None:
        raise typer.BadParameter(f"{given!r} is not a whole number.")
    return int(given)


def positive_number(given: str | int) -> int:
    """The same, from 1 on.

    Raises:
        typer.BadParameter: it is not one.
    """
    number = whole_number(given)
    if number < 1:
        raise typer.BadParameter(f"{number} is not a positive number.")
    return number


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of an option's value that takes these words alone, and suggests the nearest one."""

    def parse(given: str) -> str:
        if given not in words:
            listed = ", ".join(f"'{word}'" for word in words)
            raise typer.BadParameter(f"'{given}' is not one of {listed}.")
        return given

    return parse


def check_onnx_name(output: Path) -> None:
    """Refuse another format's name for a model; a name without a suffix is anybody's own.

    Raises:
        OutputError: it has another suffix than .onnx.
    """
    if output.suffix.lower() not in ("", ".onnx"):
        raise OutputError(
            f"{output}: models are written as ONNX and as nothing else; name the file "
            f"{output.with_suffix('.onnx')}."
        )


def check_plot(plot: Path, *, force: bool) -> None:
    """Before any work: the file can be written, and there is something to write it with.

    Raises:
        OutputError: it is no .png, or cannot be written.
        PackageMissingError: matplotlib is not installed.
    """
    if plot.suffix.lower() != ".png":
        raise OutputError(f"{plot}: the plot is written as .png; name it so.")
    check_output(plot, force=force)
    require_packages("matplotlib", extra="plot")


def parse_types(given: Sequence[str]) -> dict[str, str]:
    """``NAME=TYPE`` of ``--assume-type``; a name may hold an equals sign, a type cannot.

    Raises:
        UsageError: one has no equals sign, or a name is given two types.
    """
    types: dict[str, str] = {}
    for text in given:
        name, separator, kind = text.rpartition("=")
        if not separator or not name or not kind:
            raise UsageError(f"--assume-type {text!r}: expected NAME=TYPE, such as volume=float32.")
        if types.setdefault(name, kind) != kind:
            raise UsageError(f"--assume-type gives {name!r} two types, {types[name]} and {kind}.")
    return types


def parse_sizes(option: str, text: str | None) -> list[int] | None:
    """``8,24`` as sizes without repetitions, in their order; None where nothing was given.

    Raises:
        UsageError: one is no positive number; ``option`` is named.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(_is_size(part) for part in parts):
        raise UsageError(f"{option} {text!r}: expected positive numbers, such as 8,24.")
    return list(dict.fromkeys(int(part) for part in parts))


def parse_axis_sizes(texts: Sequence[str]) -> dict[str, int]:
    """``NAME=SIZE`` each as sizes by name; of one name the last counts.

    Raises:
        UsageError: one has no name, or no positive size.
    """
    sizes = {}
    for text in texts:
        name, _, size = text.rpartition("=")
        if not (name and _is_size(size)):
            raise UsageError(f"--axis {text!r}: expected NAME=SIZE with a positive size.")
        sizes[name] = int(size)
    return sizes


def parse_range(option: str, text: str) -> tuple[int, int, int]:
    """``MIN,OPT,MAX`` as three numbers; their order is not checked.

    Raises:
        UsageError: these are not three numbers; ``option`` is named.
    """
    try:
        least, usual, most = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} is MIN,OPT,MAX, like 2,24,48, not {text!r}.") from None
    return least, usual, most


def parse_share(text: str) -> float:
    """``1/3`` or ``0.3`` as a number, of any size.

    Raises:
        UsageError: it is neither.
    """
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"A share is a number like 0.3 or 1/3, not {text!r}.") from None


def parse_grid(text: str) -> tuple[int, int]:
    """``NxM`` as (rows, columns); ``N`` is as many of both.

    Raises:
        UsageError: it is neither.
    """
    match = re.fullmatch(r"([0-9]{1,4})(?:x([0-9]{1,4}))?", text)
    if match is None:
        raise UsageError(f"A grid is N or NxM (rows and columns), like 8x8, not {text!r}.")
    return int(match[1]), int(match[2] or match[1])


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def parse_settings(
    resolution: str | None,
    refinement_resolutions: str | None,
    refinements: int | None,
    softmax_temperature: float | None,
    gelu: str | None,
) -> CheckpointSettings:
    """What the options say that a state dict cannot.

    Raises:
        ProfileError: a value is of no use.
    """
    form: Any = gelu  # checked where it becomes a setting
    return CheckpointSettings(
        None if resolution is None else parse_resolution(resolution),
        None if refinement_resolutions is None else parse_levels(refinement_resolutions),
        refinements,
        softmax_temperature,
        form,
    )
