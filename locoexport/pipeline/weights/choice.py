"""Which profile and which weights a command means."""

from __future__ import annotations

from pathlib import Path

from locoexport.contract.checkpoint_settings import NOTHING_SAID, CheckpointSettings
from locoexport.contract.profile import DEFAULT_PROFILE, ExportProfile, load_profile
from locoexport.network.loading import choose_profile
from locoexport.notices import Listener
from locoexport.pipeline.weights.published import find_weights

__all__ = ["choose_model"]


def choose_model(
    name_or_file: str | None,
    checkpoint: str | None,
    notify: Listener,
    *,
    settings: CheckpointSettings = NOTHING_SAID,
    as_pytorch: bool = False,
) -> tuple[ExportProfile, Path | None]:
    """The profile that was named, else the one that the weights tell, and the weights' file.

    Args:
        name_or_file: see ``choose_profile``.
        checkpoint: see ``find_weights``; None leaves the profile its own weights.
        notify: is told of downloads.
        settings: see ``choose_profile``.
        as_pytorch: see ``choose_profile``.

    Raises:
        ProfileError: no such profile, or one that contradicts the weights.
        CheckpointError: the weights are not there, cannot be read or fit no variant.
    """
    weights = None
    if checkpoint is not None:
        weights = find_weights(checkpoint, load_profile(name_or_file or DEFAULT_PROFILE), notify)
    return choose_profile(name_or_file, weights, settings, as_pytorch=as_pytorch), weights
