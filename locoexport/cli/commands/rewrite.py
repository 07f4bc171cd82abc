"""``locoexport rewrite``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from locoexport.cli.options import graph_options as options
from locoexport.cli.options.model_arguments import AnyGraphToRewrite
from locoexport.cli.options.option_values import check_onnx_name, parse_types
from locoexport.cli.options.panels import OUTPUT
from locoexport.cli.options.shared_options import JsonTarget, ReplaceFiles
from locoexport.cli.terminal import console
from locoexport.machine.installation import require_packages

__all__ = ["rewrite"]

Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Show a row for each node, not for each kind.",
        callback=console.raise_verbosity,
        rich_help_panel=OUTPUT,
    ),
]


def rewrite(
    context: typer.Context,
    model: AnyGraphToRewrite,
    output: options.Output,
    to: options.LowerTo = "gather",
    opset: options.Opset = None,
    ir_version: options.IrVersion = None,
    passes: options.Passes = None,
    assume_type: options.AssumedTypes = None,
    single_file: options.SingleFile = False,
    external_data: options.ExternalData = None,
    check: options.Check = True,
    force: ReplaceFiles = False,
    json_target: JsonTarget = None,
    verbose: Verbose = False,
) -> None:
    """Lower 5D GridSample in any ONNX model, each node proven.

    Every rewritten node is cut out and run beside the original in ONNX Runtime. Exit code 1: a
    proof failed, and no file was written. A model with nothing to do is written unchanged.

    Examples:
        locoexport rewrite in.onnx -o out.onnx
        locoexport rewrite in.onnx -o out.onnx --to planar --opset 17
        locoexport rewrite in.onnx -o out.onnx --single-file --ir-version 8
    """
    console.check_outputs(context, files=("output", "external_data"))
    check_onnx_name(output)
    assumed_types = parse_types(assume_type or ())
    require_packages("onnx", "onnx_ir", extra="export")
    from locoexport.pipeline.rewrite import RewriteFailedError, rewrite_file
    from locoexport.rendering.rewrite import rewrite_document, rewrite_text

    text = partial(rewrite_text, verbose=verbose)
    try:
        with console.listening(context) as notify:
            report = rewrite_file(
                model,
                output,
                to=to,
                opset=opset,
                passes=passes or (),
                ir_version=ir_version,
                assumed_types=assumed_types,
                single_file=single_file,
                external_data=external_data,
                check=check,
                force=force,
                notify=notify,
            )
    except RewriteFailedError as failure:
        console.report(json_target, rewrite_document, text, failure.report, context=context)
        raise
    console.report(json_target, rewrite_document, text, report, context=context)
