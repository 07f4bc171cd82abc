"""Profile and checkpoint → a PyTorch tracker: the oracle, 5D ``grid_sample`` included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import as_file
from pathlib import Path

import torch

from locoexport.contract.checkpoint_settings import NOTHING_SAID, CheckpointSettings, agree
from locoexport.contract.metadata import WeightsOrigin
from locoexport.contract.profile import (
    DEFAULT_PROFILE,
    ExportProfile,
    demo_weights_path,
    load_profile,
    profile_names,
)
from locoexport.errors import CheckpointError, ProfileError
from locoexport.machine.reading.tar_archive import split_member
from locoexport.machine.writing.output_files import sha256_of
from locoexport.models import locotrack
from locoexport.models.locotrack import LocoTrack, TrackerConfig
from locoexport.models.locotrack.fitting import load_state, tell_variant
from locoexport.network.checkpoint import Checkpoint, read_checkpoint
from locoexport.network.jax_levels import explain_levels, settle_levels

__all__ = ["Network", "choose_profile", "configure_network", "is_same_network", "load_network"]


@dataclass(frozen=True)
class Network:
    """The PyTorch model that an export starts from, and where its weights came from.

    ``settings`` are those that something said: the profile, the checkpoint, a file beside it.
    ``apart`` says how another implementation, which trained the weights, computes another function
    at these levels; None where it does not.
    """

    model: LocoTrack
    weights: WeightsOrigin
    settings: CheckpointSettings = NOTHING_SAID
    apart: str | None = None


def choose_profile(
    name_or_file: str | None,
    checkpoint: Path | None,
    settings: CheckpointSettings = NOTHING_SAID,
    *,
    as_pytorch: bool = False,
) -> ExportProfile:
    """The profile asked for, else the one the checkpoint tells, else the default.

    Its settings are those asked for, then the profile's own, and what the checkpoint says.

    Args:
        name_or_file: a name of ours, or the path of a .toml file.
        checkpoint: the weights.
        settings: what was asked for.
        as_pytorch: weights of JAX are taken at levels where JAX computes another function.

    Raises:
        ProfileError: no such profile, or one that contradicts the checkpoint.
        CheckpointError: the checkpoint cannot be read or fits no variant, or it says other
            settings than were asked for.
    """
    if checkpoint is None:
        return load_profile(name_or_file or DEFAULT_PROFILE).with_options(settings=settings)
    read = read_checkpoint(checkpoint)
    told = _told_variant(read)
    if name_or_file is None:
        profile = load_profile(_named_after(told, read.settings))
    else:
        profile = load_profile(name_or_file)
        if not is_same_network(profile.variant, told):
            raise ProfileError(
                f"{checkpoint} holds {told!r} weights, but you chose {name_or_file!r} "
                f"(variant {profile.variant!r}). Leave --backbone and --profile out, or pass "
                "the checkpoint of that variant."
            )
    return _settle(profile.with_options(settings=settings), read, as_pytorch=as_pytorch)


def load_network(
    profile: ExportProfile, checkpoint: Path | None, *, as_pytorch: bool = False
) -> Network:
    """The profile's network with the checkpoint's weights, else the shipped ones, else seeded.

    Args:
        profile: variant and settings.
        checkpoint: the weights.
        as_pytorch: see ``choose_profile``.

    Raises:
        CheckpointError: the checkpoint cannot be read, does not fit, holds NaN, or says other
            settings than the profile asks for.
        ProfileError: the profile names a variant that does not exist.
    """
    if profile.variant not in locotrack.VARIANTS:
        raise ProfileError(
            f"Profile {profile.name} names variant {profile.variant!r}; known are "
            f"{', '.join(locotrack.VARIANTS)}."
        )
    if checkpoint is not None:
        read = read_checkpoint(checkpoint)
        settled = _settle(profile, read, as_pytorch=as_pytorch)
        apart = explain_levels(settled.trained) if read.from_jax else None
        return replace(_load(read, settled), apart=apart)
    if profile.demo_weights is not None:
        with as_file(demo_weights_path(profile.demo_weights)) as path:
            return _load(read_checkpoint(path), profile)
    model = locotrack.create_model(configure_network(profile))
    return Network(model, WeightsOrigin(None, None), profile.settings)


def _settle(profile: ExportProfile, checkpoint: Checkpoint, *, as_pytorch: bool) -> ExportProfile:
    """The profile with what the checkpoint says, where it does not say otherwise."""
    settings = agree(
        profile.settings,
        checkpoint.settings,
        who=f"your choice (options, or profile {profile.name})",
        whose=str(checkpoint.path),
        error=CheckpointError,
    )
    if checkpoint.from_jax:
        settings = settle_levels(settings)
        apart = explain_levels(settings)
        if apart is not None and not as_pytorch:
            raise CheckpointError(
                f"{checkpoint.path} holds weights that JAX trained. {apart} At one level of "
                "256x256 they are the same: leave --resolution and --refinement-resolutions out. "
                "With --as-pytorch, PyTorch's function is exported anyway."
            )
    return profile.with_options(settings=settings)


def _load(checkpoint: Checkpoint, profile: ExportProfile) -> Network:
    path = checkpoint.path
    try:
        model = load_state(checkpoint.state, configure_network(profile), source=path)
    except locotrack.CheckpointError as error:
        raise CheckpointError(str(error)) from error
    file, member = split_member(path)
    return Network(model, WeightsOrigin(file.name, sha256_of(file), member), profile.settings)


def is_same_network(variant: str, other: str) -> bool:
    """Whether one state dict fits both: b0 and b0-384 are one network at two resolutions.

    Raises:
        ProfileError: there is no such variant.
    """
    return _parameter_shapes(variant) == _parameter_shapes(other)


def configure_network(profile: ExportProfile) -> TrackerConfig:
    """The variant with the profile's settings."""
    trained = profile.trained
    assert trained.refinements is not None
    assert trained.softmax_temperature is not None
    assert trained.gelu is not None
    return replace(
        locotrack.VARIANTS[profile.variant],
        resolution_hw=profile.resolution_hw,
        refinement_resolutions=trained.refinement_resolutions,
        refinements=trained.refinements,
        softmax_temperature=trained.softmax_temperature,
        gelu=trained.gelu,
    )


def _told_variant(checkpoint: Checkpoint) -> str:
    try:
        told = tell_variant(checkpoint.state, checkpoint.path)
    except locotrack.CheckpointError as error:
        raise CheckpointError(str(error)) from error
    if told not in profile_names():
        raise ProfileError(f"{checkpoint.path} holds {told!r} weights, which no profile exports.")
    return told


def _named_after(variant: str, said: CheckpointSettings) -> str:
    """The profile of a variant: of several, the one at the resolution that the checkpoint says."""
    if said.resolution_hw is None:
        return variant
    fitting = [
        name
        for name in profile_names()
        if load_profile(name).resolution_hw == said.resolution_hw
        and is_same_network(load_profile(name).variant, variant)
    ]
    return fitting[0] if fitting else variant


def _parameter_shapes(variant: str) -> dict[str, torch.Size]:
    if variant not in locotrack.VARIANTS:
        raise ProfileError(
            f"There is no variant {variant!r}; known are {', '.join(locotrack.VARIANTS)}."
        )
    with torch.device("meta"):
        model = LocoTrack(locotrack.VARIANTS[variant])
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
