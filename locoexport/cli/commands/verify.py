"""``locoexport verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.errors import UsageError

__all__ = ["SIDECAR_BESIDE", "verify"]

SIDECAR_BESIDE = "auto"
"""Of ``--sidecar``: the sidecar beside the model."""


def verify(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An exported file.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="The weights it was made from; by default found by name and SHA-256."),
    ] = None,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")] = "cpu",
    tolerance_px: Annotated[
        float | None,
        typer.Option(
            help="Allowed track error in pixels (default: the profile's); of a file in fp16 or "
            "int8 that of the 99th percentile, in pixels of 256x256 (default: what its export "
            "allowed)."
        ),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="A real clip to try as well (its first 24 frames).")
    ] = None,
    localise: Annotated[
        bool | None,
        typer.Option(
            help="Compare values inside as well and name the first part and node that departs; of "
            "a file in fp16 or int8 the part that costs most (default: only where parity fails).",
        ),
    ] = None,
    sidecar: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Compare with what PyTorch said on export instead: no PyTorch and no checkpoint "
            "needed. Without FILE (as the last option, or before another one), or with auto, the "
            "MODEL.parity.npz beside the model.",
        ),
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """Compare an exported file with the unrewritten PyTorch model. Exit 1 where they differ.

    A file in fp16 or int8 is held to its own limits, those that its export measured and allowed.
    """
    console.check_json_target(json, force=force)
    if sidecar is not None:
        _refuse_with_sidecar(checkpoint=checkpoint, video=video, localise=localise)
    else:
        from locoexport.machine.installation import require_extra

        require_extra("export")
    from locoexport.rendering import verify as render

    with console.listening(context) as notify:
        if sidecar is not None:
            from locoexport.pipeline.proof.sidecar_check import verify_with_sidecar

            report = verify_with_sidecar(
                model,
                None if sidecar == SIDECAR_BESIDE else sidecar,
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
    console.report(json, render.verify_document, render.verify_text, report, passed=report.passed)


def _refuse_with_sidecar(**options: object) -> None:
    """Raises UsageError for an option that needs PyTorch or the checkpoint."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"--sidecar compares with stored outputs, so --{name} has no effect with it; leave "
                "one of them out."
            )
