"""``locoexport verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from locoexport.cli.console import (
    check_json_target,
    listening,
    print_result,
    write_json,
)

__all__ = ["verify"]


def verify(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An exported file.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="The weights it was made from; by default found by name and SHA-256."),
    ] = None,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")] = "cpu",
    tolerance_px: Annotated[
        float | None, typer.Option(help="Allowed track error in pixels (default: the profile's).")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="A real clip to try as well (its first 24 frames).")
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """Compare an exported file with the unrewritten PyTorch model. Exit 1 where they differ."""
    check_json_target(json, force=force)
    from locoexport.installation import require_extra

    require_extra("export")
    from locoexport import render
    from locoexport.pipeline.verify import verify_model

    with listening(context) as notify:
        report = verify_model(
            model,
            checkpoint=checkpoint,
            provider=provider,
            tolerance_px=tolerance_px,
            video=video,
            notify=notify,
        )
    if json is not None:
        write_json(json, render.verify_document(report))
    if json != "-":
        print_result(render.verify_text(report))
    if not report.parity.passed:
        raise typer.Exit(1)
