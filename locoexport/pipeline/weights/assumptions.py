"""What nothing says of a checkpoint, told to whoever exports it."""

from __future__ import annotations

from pathlib import Path

from locoexport.contract.profile import ExportProfile
from locoexport.network.checkpoint import settings_file_of
from locoexport.notices import Listener, Notice

__all__ = ["tell_assumptions"]


_LEVELS = "refinement resolutions"


def tell_assumptions(profile: ExportProfile, checkpoint: Path | None, notify: Listener) -> None:
    """Warn of every setting that neither options nor profile nor the checkpoint said.

    Args:
        profile: with the checkpoint's settings, as ``network.loading`` leaves it.
        checkpoint: the weights; None are those that a profile ships, or seeded ones.
        notify: is told, in one line.
    """
    unsaid = profile.settings.unsaid()
    if checkpoint is None or not unsaid:
        return
    complete = profile.trained.describe()
    hint = ""
    if _LEVELS in unsaid and _is_of_the_fork(profile):
        hint = (
            " The published EfficientNet code trains its 256x256 models with "
            "--refinement-resolutions 384x512."
        )
    assumed = ", ".join(f"{name} {complete[name]}" for name in unsaid)
    notify(
        Notice(
            f"{checkpoint.name} does not record how it was trained; assumed: {assumed}. If that is "
            "wrong, so are the tracks. Set the right values with --resolution, "
            "--refinement-resolutions, --refinements, --softmax-temperature, --gelu, or in "
            f"{settings_file_of(checkpoint).name} next to it.{hint}",
            warning=True,
        )
    )


def _is_of_the_fork(profile: ExportProfile) -> bool:
    """Whether its training looks at frames at 384x512 by default: ``config/default.ini`` of github
    zyp-up/locotrack-pytorch-efficientnet, for models whose initial resolution is 256x256."""
    ours_or_the_authors = profile.variant == "b0-tiny" or profile.variant.startswith("resnet")
    return profile.resolution_hw == (256, 256) and not ours_or_the_authors
