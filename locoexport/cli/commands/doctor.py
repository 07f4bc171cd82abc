"""``locoexport doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.errors import MachineError

__all__ = ["doctor"]


def doctor(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MODEL.onnx]",
            help="An exported file: where its nodes run on each provider, or would.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """Say what works on this machine, what is missing, and the command that mends it.

    Every execution provider is tried with a one-node model. A MODEL.onnx is run once on each that
    works, to tell which nodes ran elsewhere, and forecast for the others. Exit 0 whenever the CPU
    provider works, whatever else is missing; else 3.
    """
    console.check_json_target(json, force=force)
    from locoexport.pipeline.doctor import examine
    from locoexport.rendering.doctor import doctor_document, doctor_text

    report = examine(model)
    console.report(json, doctor_document, doctor_text, report)
    if not report.found.cpu_provider_works:
        raise typer.Exit(MachineError.exit_code)
