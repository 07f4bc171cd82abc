"""A state dict → the model whose variant it is: key names and shapes decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from locoexport.models.locotrack.checkpoint import (
    MOST_TENSORS,
    CheckpointError,
    list_names,
    read_state_dict,
)
from locoexport.models.locotrack.config import VARIANTS, TrackerConfig
from locoexport.models.locotrack.creation import configure, create_uninitialised
from locoexport.models.locotrack.tracker import LocoTrack

__all__ = ["identify_variant", "load_checkpoint", "load_state", "tell_variant"]

_EXTRA_CONVOLUTIONS = "extra_convs."


def load_checkpoint(
    path: str | Path,
    variant: str | TrackerConfig | None = None,
    resolution: tuple[int, int] | None = None,
    *,
    most_tensors: int = MOST_TENSORS,
) -> LocoTrack:
    """The model that a checkpoint holds, in eval mode.

    Args:
        path: a .ckpt, .pt, .pth or .safetensors file.
        variant: what it is expected to be, a name or a configuration; by default told from key
            names and shapes (b0 and b0-384 share both: b0 is told, and ``variant="b0-384"`` fits
            as well). What a state dict cannot say is that of the configuration.
        resolution: (height, width) of the initial resolution; the variant's own by default.
        most_tensors: see ``read_state_dict``.

    Raises:
        CheckpointError: unreadable, unsafe, of another network or other kinds of numbers, or
            holding what is NaN or infinite in the model's precision.
    """
    return load_state(read_state_dict(path, most_tensors), variant, resolution, source=path)


def load_state(
    state: Mapping[str, Tensor],
    variant: str | TrackerConfig | None = None,
    resolution: tuple[int, int] | None = None,
    *,
    source: str | Path,
) -> LocoTrack:
    """``load_checkpoint`` of a state dict that was read before; ``source`` is for messages."""
    told = tell_variant(state, source, variant)
    config = configure(told if variant is None else variant, resolution)
    if _shapes_of(config) != _shapes_of(configure(told)):
        raise CheckpointError(
            f"{source} holds {told!r} weights, not {config.name!r}: {_differences(state, config)}."
        )
    model = create_uninitialised(config)
    _check_values(source, state, model.state_dict())
    model.load_state_dict(state)
    return model


def tell_variant(
    state: Mapping[str, Tensor],
    source: str | Path,
    expected: str | TrackerConfig | None = None,
) -> str:
    """The variant that a state dict is of.

    Raises:
        CheckpointError: of none; it says how it differs from the expected, else the nearest one.
    """
    told = identify_variant(state)
    if told is not None:
        return told
    nearest = expected or min(VARIANTS, key=lambda name: _distance(state, name))
    name = nearest if isinstance(nearest, str) else nearest.name
    extra = sum(key.startswith(_EXTRA_CONVOLUTIONS) for key in state)
    reason = (
        f"the weights were trained with extra_convs ({extra} tensors), an option of the published "
        "code with which its own forward pass fails, and which no variant here has"
        if extra
        else "the weights fit no variant"
    )
    raise CheckpointError(f"{source}: {reason}; against {name!r}: {_differences(state, nearest)}.")


def identify_variant(state: Mapping[str, Tensor]) -> str | None:
    """The first variant whose key names and shapes are exactly these, or None."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in VARIANTS:
        if _shapes_of(configure(name)) == shapes:
            return name
    return None


def _shapes_of(config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = LocoTrack(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _distance(state: Mapping[str, Tensor], variant: str) -> int:
    missing, unexpected, misshaped = _compare(state, variant)
    return len(missing) + len(unexpected) + len(misshaped)


def _differences(state: Mapping[str, Tensor], variant: str | TrackerConfig) -> str:
    missing, unexpected, misshaped = _compare(state, variant)
    parts = []
    for title, names in (("missing", missing), ("unexpected", unexpected), ("shape", misshaped)):
        if names:
            parts.append(f"{len(names)} {title}: {list_names(names)}")
    return "; ".join(parts)


def _compare(
    state: Mapping[str, Tensor], variant: str | TrackerConfig
) -> tuple[list[str], list[str], list[str]]:
    expected = _shapes_of(configure(variant))
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    misshaped = [
        f"{name} {tuple(state[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    return missing, unexpected, misshaped


def _check_values(
    path: str | Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """What the model will hold is what the file holds: floats that are finite once they are cast.

    Raises:
        CheckpointError: naming the tensors that are not.
    """
    bad = []
    for name, tensor in state.items():
        wanted = expected[name].dtype
        cast = tensor.to(wanted)
        if wanted.is_floating_point != tensor.is_floating_point() and (
            wanted.is_floating_point or not bool((cast == tensor).all())
        ):
            raise CheckpointError(
                f"{path}: tensor {name} is {tensor.dtype}; expected {wanted}, as the model has it."
            )
        if not bool(torch.isfinite(cast).all()):
            bad.append(name)
    if bad:
        raise CheckpointError(
            f"{path} holds NaN or infinite weights in {len(bad)} tensors: {list_names(bad)}."
        )
