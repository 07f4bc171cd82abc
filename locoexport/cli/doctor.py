"""``locoexport doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from locoexport.cli.console import check_json_target, print_result, write_json
from locoexport.errors import MachineError

__all__ = ["doctor"]


def doctor(
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """Say what works on this machine, what is missing, and the command that mends it.

    Every execution provider is tried with a one-node model. Exit 0 whenever the CPU provider
    works, whatever else is missing; else 3.
    """
    check_json_target(json, force=force)
    from locoexport.pipeline.doctor import examine
    from locoexport.rendering.doctor import doctor_document, doctor_text

    report = examine()
    if json is not None:
        write_json(json, doctor_document(report))
    if json != "-":
        print_result(doctor_text(report))
    if not report.found.cpu_provider_works:
        raise typer.Exit(MachineError.exit_code)
