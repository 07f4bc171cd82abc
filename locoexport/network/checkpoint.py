"""A checkpoint as people have it: tensors, and what it or a file beside it says of its training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from locoexport.contract.checkpoint_settings import (
    NOTHING_SAID,
    CheckpointSettings,
    agree,
    settings_in,
)
from locoexport.errors import CheckpointError, InputError, ProfileError
from locoexport.machine.limits import CHECKPOINT_TENSORS, PROFILE_BYTES
from locoexport.machine.reading.documents import parse_toml, read_at_most, read_json
from locoexport.machine.reading.tar_archive import container_of, with_member
from locoexport.machine.writing.output_files import is_file
from locoexport.models import locotrack
from locoexport.models.locotrack.checkpoint import read_checkpoint as read_torch_checkpoint
from locoexport.models.locotrack.fitting import identify_variant
from locoexport.network.checkpoint_files import check_checkpoint
from locoexport.network.jax_checkpoint import is_jax_checkpoint, read_jax_checkpoint
from locoexport.network.jax_levels import JAX_SETTINGS

__all__ = ["Checkpoint", "read_checkpoint", "settings_file_of", "tell_variant"]

_SUFFIXES = (".json", ".toml")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was read: tensors by canonical name, and the settings that were found.

    ``path`` names the member of a tar as well. ``from_jax``: the weights were trained by the JAX
    implementation, whose function is PyTorch's at one level of 256x256 alone.
    """

    path: Path
    state: Mapping[str, Tensor]
    settings: CheckpointSettings = NOTHING_SAID
    from_jax: bool = False


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, its ``hyper_parameters``, and a JSON or TOML file of its name.

    Raises:
        CheckpointError: it cannot be read, asks for more than tensors, or its settings are wrong
            or contradict one another.
    """
    read, inside = _read_jax(path) if is_jax_checkpoint(path) else _read_torch(path)
    said = read.settings
    try:
        for beside in _files_beside(container_of(path)):
            found = settings_in(_document(beside), str(beside))
            said = agree(said, found, who=inside, whose=str(beside), error=CheckpointError)
    except ProfileError as error:
        raise CheckpointError(str(error)) from error
    return replace(read, settings=said)


def _read_torch(path: Path) -> tuple[Checkpoint, str]:
    """What torch saved, and what its settings are called."""
    check_checkpoint(path)
    inside = f"{path} (its hyper_parameters)"
    try:
        state, hyper_parameters = read_torch_checkpoint(path, CHECKPOINT_TENSORS.value)
        return Checkpoint(path, state, settings_in(hyper_parameters, inside)), inside
    except (locotrack.CheckpointError, ProfileError) as error:
        raise CheckpointError(str(error)) from error


def _read_jax(path: Path) -> tuple[Checkpoint, str]:
    read = read_jax_checkpoint(path)
    if read.member is not None:
        path = with_member(path, read.member)
    state = {key: torch.from_numpy(array) for key, array in read.state.items()}
    return Checkpoint(path, state, JAX_SETTINGS, from_jax=True), f"{path} (as JAX has it)"


def tell_variant(path: Path) -> str | None:
    """The variant whose names and shapes a checkpoint has; None for any other network.

    Raises:
        CheckpointError: it cannot be read.
    """
    return identify_variant(read_checkpoint(path).state)


def settings_file_of(path: Path) -> Path:
    """The file beside a checkpoint in which people say how it was trained."""
    file = container_of(path)
    return file.with_name(f"{file.name}.json")


def _files_beside(path: Path) -> Iterable[Path]:
    """Files that bear the checkpoint's name, with or without its suffix."""
    names = (f"{name}{suffix}" for name in (path.name, path.stem) for suffix in _SUFFIXES)
    return (path.with_name(name) for name in names if is_file(path.with_name(name)))


def _document(path: Path) -> Any:
    """What it holds, as far as it is about settings."""
    try:
        if path.suffix == ".json":
            document = read_json(path, path, CheckpointError)
        else:
            document = parse_toml(read_at_most(path, PROFILE_BYTES, path), path)
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}.") from error
    except ProfileError:
        raise
    except InputError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(document, Mapping):
        return {}
    if str(document.get("schema", "")).startswith("locoexport."):
        return {}  # the report of one of our commands
    return document
