"""``locoexport rewrite``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from locoexport.cli.terminal import console

__all__ = ["rewrite"]


def rewrite(
    context: typer.Context,
    model: Annotated[
        Path, typer.Argument(metavar="IN.onnx", help="Any .onnx file; it need not be ours.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    to: Annotated[
        Literal["planar", "gather"],
        typer.Option(help="gather: no GridSample at all; planar: 4D GridSample and a lerp."),
    ] = "gather",
    opset: Annotated[
        int | None,
        typer.Option(help="Bring the opset down, 16 to 20, where every operator allows it."),
    ] = None,
    passes: Annotated[
        list[str] | None,
        typer.Option(
            "--pass",
            metavar="NAME",
            help="Run these passes alone; may be repeated: volumetric-gridsample (the default), "
            "single-axis-squeeze, newer-operators and opset (both implied by --opset).",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Prove each rewritten node before the file appears.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
) -> None:
    """Lower volumetric (5D) GridSample in any ONNX model, each node proven.

    Every rewritten node is cut out and run beside the original in ONNX Runtime. A failed proof is
    exit 1 and no file. A model with nothing to do is written unchanged.
    """
    console.check_json_target(json, force=force)
    from locoexport.machine.installation import require_packages

    require_packages("onnx", "onnx_ir", extra="export")
    from locoexport.pipeline.rewrite import RewriteFailedError, rewrite_file
    from locoexport.rendering.rewrite import rewrite_document, rewrite_text

    try:
        with console.listening(context) as notify:
            report = rewrite_file(
                model,
                output,
                to=to,
                opset=opset,
                passes=passes or (),
                check=check,
                force=force,
                notify=notify,
            )
    except RewriteFailedError as failure:
        console.report(json, rewrite_document, rewrite_text, failure.report)
        raise
    console.report(json, rewrite_document, rewrite_text, report)
