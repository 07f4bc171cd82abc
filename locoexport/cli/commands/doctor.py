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
    """Say what works here, what is missing, and how to get it.

    Every execution provider is tried with a one-node model. With MODEL.onnx, the file is run once
    on each that works, to tell which nodes ran elsewhere; for the others that is predicted. Exit
    code 3: the CPU provider does not work.

    Examples:
        locoexport doctor
        locoexport doctor model.onnx
    """
    console.check_outputs(context)
    from locoexport.pipeline.doctor import examine
    from locoexport.rendering.doctor import doctor_document, doctor_text

    report = examine(model)
    console.report(json_target, doctor_document, doctor_text, report, context=context)
    if not report.found.cpu_provider_works:
        raise typer.Exit(MachineError.exit_code)
