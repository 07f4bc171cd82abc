"""``locoexport profiles``."""

from __future__ import annotations

from typing import Annotated

import typer

from locoexport.cli.terminal import console
from locoexport.contract.profile import load_profile, profile_names

__all__ = ["profiles"]


def profiles(
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the profiles as JSON.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing JSON file.")] = False,
) -> None:
    """List the export profiles that ship with locoexport."""
    from locoexport.rendering import profiles as render

    console.check_json_target(json, force=force)
    loaded = [load_profile(name) for name in profile_names()]
    console.report(json, render.profiles_document, render.profiles_table, loaded)
