"""What a run starts from: the profile, its weights, and who teaches."""

from __future__ import annotations

from pathlib import Path

import torch

from locoexport.contract.profile import ExportProfile, demo_weights_path
from locoexport.errors import ModelFileError, UsageError
from locoexport.evaluation.sides import GraphSide, TorchSide
from locoexport.machine.writing.output_files import sha256_of
from locoexport.models.locotrack import LocoTrack
from locoexport.network.loading import configure_network, load_network
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.weights.choice import choose_model
from locoexport.runtime.session.opening import open_model
from locoexport.runtime.session.split_files import is_live_export
from locoexport.training.data.taught.teacher import Teacher
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


def open_teacher(source: str | Path, notify: Listener = ignore) -> Teacher:
    """An exported file in ONNX Runtime, or a checkpoint's tracker in PyTorch.

    Args:
        source: an .onnx file, of a split export any of its files; or what ``find_weights`` takes.
            ``demo`` are the weights in the box, those of the default profile, whatever is trained.
        notify: is told of downloads, and of a file that does not run where it is fastest.

    Raises:
        CheckpointError, ModelFileError: it cannot be read, or holds no tracker.
        UsageError, ProviderUnavailableError: see ``open_model``.
    """
    if Path(source).suffix.lower() == ".onnx":
        return _graph_teacher(source, notify)
    profile, weights = find_start(None, str(source), notify)
    assert weights is not None
    model = load_network(profile, weights).model
    return Teacher(TorchSide(model), f"torch {sha256_of(weights)} {model.config}")


def _graph_teacher(source: str | Path, notify: Listener) -> Teacher:
    if is_live_export(source):
        raise ModelFileError(
            f"{source} is a live export, which sees no frame before it comes; a teacher looks at "
            "whole clips. Export it without --live, or name its checkpoint."
        )
    model = open_model(source)
    if model.choice.warning:
        notify(Notice(model.choice.warning, warning=True))
    digests = " ".join(model.files_sha256.values())
    return Teacher(GraphSide(model), f"{model.choice.provider} {digests}", model.fixed_frames)


def make_model(
    profile: ExportProfile, recipe: TrainingRecipe, checkpoint: Path | None
) -> LocoTrack:
    """Fresh weights by PyTorch's defaults, as the published code begins, or those to go on from."""
    if checkpoint is not None:
        return load_network(profile, checkpoint).model
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(recipe.seed)
        return LocoTrack(configure_network(profile))
