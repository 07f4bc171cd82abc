"""``locoexport verify``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from locoexport.cli.options import measurement_options as options
from locoexport.cli.options.model_arguments import ExportedFile
from locoexport.cli.options.panels import OUTPUT
from locoexport.cli.options.shared_options import JsonTarget, OwnProvider, ReplaceJson
from locoexport.cli.terminal import console
from locoexport.errors import UsageError
from locoexport.machine.installation import require_extra

__all__ = ["verify"]

Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Show every output: where it is worst, and both values there.",
        callback=console.raise_verbosity,
        rich_help_panel=OUTPUT,
    ),
]


def verify(
    context: typer.Context,
    model: ExportedFile,
    checkpoint: options.Checkpoint = None,
    video: options.Clip = None,
    tolerance_px: options.Tolerance = None,
    localise: options.Localise = None,
    sidecar: options.Sidecar = None,
    provider: OwnProvider = None,
    json_target: JsonTarget = None,
    force: ReplaceJson = False,
    verbose: Verbose = False,
) -> None:
    """Check that an exported file still equals the PyTorch model.

    Exit code 1: they differ. A file in fp16 or int8 is held to the limits that its export
    measured and allowed. Needs PyTorch, unless the file has a sidecar.

    Examples:
        locoexport verify model.onnx
        locoexport verify model.onnx --video clip.mp4
        locoexport verify model.onnx --sidecar
    """
    console.check_outputs(context)
    if sidecar is not None:
        _refuse_with_sidecar(checkpoint=checkpoint, video=video, localise=localise)
    else:
        require_extra("export")
    from locoexport.rendering import verify as render

    with console.listening(context) as notify:
        if sidecar is not None:
            from locoexport.pipeline.proof.sidecar_check import verify_with_sidecar

            report = verify_with_sidecar(
                model,
                None if sidecar == options.SIDECAR_BESIDE else sidecar,
                provider=provider,
                tolerance_px=tolerance_px,
                notify=notify,
            )
        else:
            from locoexport.pipeline.verify import verify_model

            report = verify_model(
                model,
                checkpoint=checkpoint,
                provider=provider,
                tolerance_px=tolerance_px,
                video=video,
                localise=localise,
                notify=notify,
            )
    document, text = render.verify_document, partial(render.verify_text, verbose=verbose)
    console.report(json_target, document, text, report, context=context, passed=report.passed)


def _refuse_with_sidecar(**given: object) -> None:
    """Raises UsageError for an option that needs PyTorch or the checkpoint."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"--sidecar compares with stored outputs, so --{name} has no effect with it; leave "
                "one of them out."
            )
