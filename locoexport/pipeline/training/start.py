"""What a run starts from: the profile, its weights, and who teaches."""

from __future__ import annotations

from pathlib import Path

import torch

from locoexport.contract.profile import ExportProfile, demo_weights_path
from locoexport.errors import UsageError
from locoexport.evaluation.sides import GraphSide, Side, TorchSide
from locoexport.models.locotrack import LocoTrack
from locoexport.network.loading import configure_network, load_network
from locoexport.notices import Listener, ignore
from locoexport.pipeline.weights.choice import choose_model
from locoexport.runtime.session.opening import open_model
from locoexport.training.recipe import TrainingRecipe

__all__ = ["SHIPPED", "find_start", "make_model", "open_teacher"]

SHIPPED = "demo"
"""In the place of a checkpoint's source: the weights that the profile ships."""


def find_start(
    name_or_file: str | None, source: str | None, notify: Listener = ignore
) -> tuple[ExportProfile, Path | None]:
    """The profile to train, and the weights to start from; None are fresh ones.

    Args:
        name_or_file: a profile; None is the one that the weights tell, or b0-tiny.
        source: as ``find_weights`` takes it; ``demo`` are those that the profile ships.
        notify: is told of downloads.

    Raises:
        ProfileError: no such profile, or one that contradicts the weights.
        UsageError: the profile ships no weights.
        CheckpointError: the weights are not there, cannot be read or fit no variant.
    """
    if source != SHIPPED:
        return choose_model(name_or_file, source, notify)
    profile, _ = choose_model(name_or_file, None, notify)
    if profile.demo_weights is None:
        raise UsageError(f"Profile {profile.name} ships no weights; name a file with --from.")
    return profile, Path(str(demo_weights_path(profile.demo_weights)))


def open_teacher(source: str | Path, notify: Listener = ignore) -> Side:
    """An exported file in ONNX Runtime, or a checkpoint's tracker in PyTorch.

    Raises:
        CheckpointError, ModelFileError: it cannot be read, or holds no tracker.
    """
    if Path(source).suffix.lower() == ".onnx":
        return GraphSide(open_model(source))
    profile, weights = choose_model(None, str(source), notify)
    return TorchSide(load_network(profile, weights).model)


def make_model(
    profile: ExportProfile, recipe: TrainingRecipe, checkpoint: Path | None
) -> LocoTrack:
    """Fresh weights by PyTorch's defaults, as the published code begins, or those to go on from."""
    if checkpoint is not None:
        return load_network(profile, checkpoint).model
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(recipe.seed)
        return LocoTrack(configure_network(profile))
