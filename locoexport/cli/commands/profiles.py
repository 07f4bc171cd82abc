"""``locoexport profiles``."""

from __future__ import annotations

from functools import partial

import typer

from locoexport.cli.options.shared_options import ProfilesJson, ReplaceJson
from locoexport.cli.terminal import console
from locoexport.contract.profile import load_profile, profile_names

__all__ = ["profiles"]


def profiles(
    context: typer.Context, json_target: ProfilesJson = None, force: ReplaceJson = False
) -> None:
    """List the models: what each costs and where its weights are.

    Examples:
        locoexport profiles
        locoexport profiles --json profiles.json
    """
    from locoexport.rendering import profiles as render

    console.check_outputs(context)
    loaded = [load_profile(name) for name in profile_names()]
    text = partial(render.profiles_text, verbose=console.verbosity_of(context).verbose)
    console.report(json_target, render.profiles_document, text, loaded, context=context)
