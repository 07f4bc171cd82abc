"""``locoexport doctor``."""

from __future__ import annotations

import typer

from locoexport.cli.options.model_arguments import FileToExamine
from locoexport.cli.options.shared_options import JsonTarget, ReplaceJson
from locoexport.cli.terminal import console
from locoexport.errors import MachineError

__all__ = ["doctor"]


def doctor(
    context: typer.Context,
    model: FileToExamine = None,
    json_target: JsonTarget = None,
    force: ReplaceJson = False,
) -> None:
    """Say what works on this machine, what is missing, and the command that mends it.

    Every execution provider is tried with a one-node model. A MODEL.onnx is run once on each that
    works, to tell which nodes ran elsewhere, and forecast for the others. Exit 0 whenever the CPU
    provider works, whatever else is missing; else 3.
    """
    console.check_outputs(context)
    from locoexport.pipeline.doctor import examine
    from locoexport.rendering.doctor import doctor_document, doctor_text

    report = examine(model)
    console.report(json_target, doctor_document, doctor_text, report, context=context)
    if not report.found.cpu_provider_works:
        raise typer.Exit(MachineError.exit_code)
