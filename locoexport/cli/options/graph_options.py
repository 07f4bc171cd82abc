"""The options of the commands that take any .onnx file: ``inspect`` and ``rewrite``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["Axis", "Batch", "Check", "Frames", "LowerTo", "Opset", "Passes", "Points", "Strict"]

Frames = Annotated[int | None, typer.Option(min=1, help="Frames to count costs at (default 24).")]
Points = Annotated[
    int | None, typer.Option(min=1, help="Query points to count costs at (default 64).")
]
Batch = Annotated[int | None, typer.Option(min=1, help="Batch size to count costs at (default 1).")]
Axis = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SIZE", help="Size of any other open axis; may be repeated."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit 1 where the lint finds an error or a warning.")
]

LowerTo = Annotated[
    Literal["planar", "gather"],
    typer.Option(help="gather: no GridSample at all; planar: 4D GridSample and a lerp."),
]
Opset = Annotated[
    int | None,
    typer.Option(help="Bring the opset down, 16 to 20, where every operator allows it."),
]
Passes = Annotated[
    list[str] | None,
    typer.Option(
        "--pass",
        metavar="NAME",
        help="Run these passes alone; may be repeated: volumetric-gridsample (the default), "
        "single-axis-squeeze, newer-operators and opset (both implied by --opset).",
    ),
]
Check = Annotated[bool, typer.Option(help="Prove each rewritten node before the file appears.")]
