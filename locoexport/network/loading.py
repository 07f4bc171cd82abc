"""Profile and checkpoint → a PyTorch tracker, and its reference run on numpy arrays.

This is the oracle: the unrewritten model, 5D ``grid_sample`` included.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file
from pathlib import Path

import torch

from locoexport.contract.metadata import WeightsOrigin
from locoexport.contract.profile import (
    DEFAULT_PROFILE,
    ExportProfile,
    demo_weights_path,
    load_profile,
    profile_names,
)
from locoexport.errors import CheckpointError, ProfileError
from locoexport.machine.limits import CHECKPOINT_TENSORS
from locoexport.machine.writing.output_files import sha256_of
from locoexport.models import locotrack
from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.checkpoint import identify_variant, read_state_dict
from locoexport.network.checkpoint_files import check_checkpoint

__all__ = ["Network", "choose_profile", "is_same_network", "load_network", "tell_variant"]


@dataclass(frozen=True)
class Network:
    """The PyTorch model that an export starts from, and where its weights came from."""

    model: LocoTrack
    weights: WeightsOrigin


def choose_profile(name_or_file: str | None, checkpoint: Path | None) -> ExportProfile:
    """The profile asked for, else the one the checkpoint tells, else the default.

    Raises:
        ProfileError: no such profile, or one that contradicts the checkpoint.
        CheckpointError: the checkpoint cannot be read or fits no variant.
    """
    if checkpoint is None:
        return load_profile(name_or_file or DEFAULT_PROFILE)
    if name_or_file is None:
        return load_profile(_told_variant(checkpoint))
    profile = load_profile(name_or_file)
    told = _told_variant(checkpoint)
    if not is_same_network(profile.variant, told):
        raise ProfileError(
            f"{checkpoint} holds {told!r} weights, but {name_or_file!r} was asked for "
            f"(variant {profile.variant!r}). Leave --backbone and --profile out, or pass "
            "the checkpoint of that variant."
        )
    return profile


def load_network(profile: ExportProfile, checkpoint: Path | None) -> Network:
    """The profile's network with the checkpoint's weights, else the shipped ones, else seeded.

    Raises:
        CheckpointError: the checkpoint cannot be read, does not fit, or holds NaN.
        ProfileError: the profile names a variant that does not exist.
    """
    if profile.variant not in locotrack.VARIANTS:
        raise ProfileError(
            f"Profile {profile.name} names variant {profile.variant!r}; known are "
            f"{', '.join(locotrack.VARIANTS)}."
        )
    if checkpoint is not None:
        return _load(checkpoint, profile)
    if profile.demo_weights is not None:
        with as_file(demo_weights_path(profile.demo_weights)) as path:
            return _load(path, profile)
    model = locotrack.create_model(profile.variant, profile.resolution_hw)
    return Network(model, WeightsOrigin(None, None))


def _load(path: Path, profile: ExportProfile) -> Network:
    check_checkpoint(path)
    try:
        model = locotrack.load_checkpoint(
            path, profile.variant, profile.resolution_hw, most_tensors=CHECKPOINT_TENSORS.value
        )
    except locotrack.CheckpointError as error:
        raise CheckpointError(str(error)) from error
    return Network(model, WeightsOrigin(path.name, sha256_of(path)))


def tell_variant(checkpoint: Path) -> str | None:
    """The variant whose names and shapes the checkpoint's state dict has; None for any other.

    Raises:
        CheckpointError: it cannot be read.
    """
    check_checkpoint(checkpoint)
    try:
        return identify_variant(read_state_dict(checkpoint, CHECKPOINT_TENSORS.value))
    except locotrack.CheckpointError as error:
        raise CheckpointError(str(error)) from error


def is_same_network(variant: str, other: str) -> bool:
    """Whether one state dict fits both: b0 and b0-384 are one network at two resolutions.

    Raises:
        ProfileError: there is no such variant.
    """
    return _parameter_shapes(variant) == _parameter_shapes(other)


def _told_variant(checkpoint: Path) -> str:
    told = tell_variant(checkpoint)
    if told is None:
        try:
            # Loading says how it differs from the nearest variant.
            locotrack.load_checkpoint(checkpoint, most_tensors=CHECKPOINT_TENSORS.value)
        except locotrack.CheckpointError as error:
            raise CheckpointError(str(error)) from error
    if told is None or told not in profile_names():
        raise ProfileError(f"{checkpoint} holds {told!r} weights, which no profile exports.")
    return told


def _parameter_shapes(variant: str) -> dict[str, torch.Size]:
    if variant not in locotrack.VARIANTS:
        raise ProfileError(
            f"There is no variant {variant!r}; known are {', '.join(locotrack.VARIANTS)}."
        )
    with torch.device("meta"):
        model = LocoTrack(locotrack.VARIANTS[variant])
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
