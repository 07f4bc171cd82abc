"""The options that commands share. An alias says all that ``--help`` shows but the default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Features",
    "JsonTarget",
    "OutputFile",
    "ProfilesJson",
    "Provider",
    "ReplaceFiles",
    "ReplaceJson",
    "Stride",
]

JsonTarget = Annotated[
    str | None, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON.")
]
ProfilesJson = Annotated[
    str | None, typer.Option("--json", metavar="FILE|-", help="Write the profiles as JSON.")
]
ReplaceFiles = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
ReplaceJson = Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")]
OutputFile = Annotated[Path, typer.Option("-o", "--output", help="The file to write.")]
Provider = Annotated[str, typer.Option(help="Execution provider: cpu, cuda, ...")]

Stride = Annotated[int, typer.Option(metavar="N", help="Keep every N-th frame.")]
Features = Annotated[
    int | None,
    typer.Option(metavar="N", help="Up to N corners of frame 0 that are easy to follow."),
]
