"""``locoexport version``."""

from __future__ import annotations

import typer

from locoexport.cli.options.shared_options import JsonTarget, ReplaceJson
from locoexport.cli.terminal import console
from locoexport.version import __version__

__all__ = ["version"]


def version(
    context: typer.Context, json_target: JsonTarget = None, force: ReplaceJson = False
) -> None:
    """Print the version.

    The versions of everything else that is installed are in the report of `locoexport doctor`.

    Examples:
        locoexport version
    """
    console.check_outputs(context)
    console.report(json_target, _document, _text, context=context)


def _text() -> str:
    return f"locoexport {__version__}"


def _document() -> dict[str, str]:
    return {"schema": "locoexport.version/1", "version": __version__}
