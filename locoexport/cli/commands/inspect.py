"""``locoexport inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.errors import UsageError

__all__ = ["inspect"]


def inspect(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="Any .onnx file; it need not be ours.")
    ],
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames to count costs at (default 24).")
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=1, help="Query points to count costs at (default 64).")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Batch size to count costs at (default 1).")
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SIZE", help="Size of any other open axis; may be repeated."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 where the lint finds an error or a warning.")
    ] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """Say what an .onnx file is, what a run costs, and what will not run where.

    FLOPs and memory are counted from the graph with its open axes bound; what cannot be resolved
    is named and counted. Findings of the lint leave the exit code 0 unless --strict is given.
    """
    console.check_json_target(json, force=force)
    axes = _sizes(axis or [])
    named = {"frames": frames, "points": points, "batch": batch}
    axes |= {name: size for name, size in named.items() if size is not None}
    from locoexport.machine.installation import require_packages

    require_packages("onnx", extra="export")
    from locoexport.pipeline.inspect import inspect_file
    from locoexport.rendering.inspection import inspect_document, inspect_text

    report = inspect_file(model, axes)
    passed = not (strict and report.has_faults)
    console.report(json, inspect_document, inspect_text, report, passed=passed)


def _sizes(options: list[str]) -> dict[str, int]:
    sizes = {}
    for option in options:
        name, _, size = option.rpartition("=")
        if not (name and size.isascii() and size.isdigit() and int(size) > 0):
            raise UsageError(f"--axis {option!r}: expected NAME=SIZE with a positive size.")
        sizes[name] = int(size)
    return sizes
