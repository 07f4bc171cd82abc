"""Read checkpoints: Lightning .ckpt, plain .pt / .pth, .safetensors. No pickle ever runs code."""

from __future__ import annotations

import collections
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from locotrack.config import VARIANTS
from locotrack.creation import configure, create_uninitialised
from locotrack.tracker import LocoTrack

__all__ = ["CheckpointError", "identify_variant", "load_checkpoint", "read_state_dict"]

_LIGHTNING_PREFIX = "model."
_BACKBONE = "efficientnet_feature_extractor."
_BACKBONE_ALIAS = _BACKBONE + "model."
_NAMES_SHOWN = 4


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or does not fit; the message names what differs."""


def load_checkpoint(
    path: str | Path,
    variant: str | None = None,
    resolution: tuple[int, int] | None = None,
) -> LocoTrack:
    """The model that a checkpoint holds, in eval mode.

    Args:
        path: a .ckpt, .pt, .pth or .safetensors file.
        variant: what it is expected to be; by default told from key names and shapes (b0 and
            b0-384 share both: b0 is told, and ``variant="b0-384"`` fits as well).
        resolution: (height, width) of the initial resolution; the variant's own by default.

    Raises:
        CheckpointError: unreadable, unsafe, of another network, or holding NaN.
    """
    state = read_state_dict(path)
    told = identify_variant(state)
    if told is None:
        raise CheckpointError(f"{path}: {_explain_misfit(state, variant)}")
    if variant is None:
        variant = told
    elif _shapes_of(configure(variant)) != _shapes_of(configure(told)):
        raise CheckpointError(
            f"{path} holds {told!r} weights, not {variant!r}: {_differences(state, variant)}."
        )
    _refuse_non_finite(path, state)
    model = create_uninitialised(configure(variant, resolution))
    model.load_state_dict(state)
    return model


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Tensors by canonical name (no Lightning prefix, no backbone alias).

    Raises:
        CheckpointError: the file is missing, truncated, not a checkpoint, or would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint file {path}.")
    document = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    if not isinstance(document, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(document).__name__}; expected a state dict or a Lightning "
            'checkpoint (a mapping with "state_dict").'
        )
    nested = document.get("state_dict", document)
    if not isinstance(nested, Mapping) or not nested:
        raise CheckpointError(f"{path} holds no state dict: its keys are {_listing(document)}.")
    strays = [str(name) for name, value in nested.items() if not isinstance(value, Tensor)]
    if strays:
        raise CheckpointError(
            f"{path} is not a state dict: {_listing(strays)} "
            f"{'is not a tensor' if len(strays) == 1 else 'are not tensors'}."
        )
    return _canonicalise(path, nested)


def identify_variant(state: Mapping[str, Tensor]) -> str | None:
    """The first variant whose key names and shapes are exactly these, or None."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in VARIANTS:
        if _shapes_of(configure(name)) == shapes:
            return name
    return None


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            f"{path} needs the safetensors package: pip install safetensors."
        ) from error
    try:
        tensors: Mapping[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a readable .safetensors file ({error}): it may be truncated; "
            "download or copy it again."
        ) from error
    return tensors


def _read_pickle(path: Path) -> object:
    """``torch.load`` with ``weights_only=True``, always."""
    try:
        with torch.serialization.safe_globals(_plain_types()):
            document: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0].removesuffix(".")
        if "Unsupported" in str(error) or "GLOBAL" in str(error) or "Weights only" in reason:
            raise CheckpointError(
                f"{path} was refused: its pickle asks for more than tensors and plain values "
                f"({_first_global(str(error))}), and loading it could run code. Re-save its "
                "state dict as .safetensors where you trust it."
            ) from error
        raise CheckpointError(_unreadable(path, reason)) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        KeyError,
        IndexError,
        ValueError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise CheckpointError(_unreadable(path, str(error).split("\n")[0])) from error
    return document


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"{path} cannot be read as a checkpoint ({reason}): it may be truncated or of another "
        "format. Expected .ckpt, .pt, .pth or .safetensors; download or copy it again."
    )


def _first_global(message: str) -> str:
    for word in message.replace("`", " ").split():
        if "." in word and "torch" not in word and "http" not in word and word[0].isalpha():
            return word.strip(".,:")
    return "see the cause"


def _plain_types() -> list[Any]:
    """What real Lightning files hold beside tensors; data only, nothing that can act."""
    scalar = np.float64(0).__reduce__()[0]
    array_types = [type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdSUO"]
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *dict.fromkeys(array_types),
        (_encode, "_codecs.encode"),
        collections.defaultdict,
        collections.Counter,
        collections.deque,
        PurePosixPath,
        (PurePosixPath, "pathlib.PosixPath"),
        (PureWindowsPath, "pathlib.WindowsPath"),
        dict,
        list,
        set,
        int,
        float,
    ]


def _encode(text: str, encoding: str) -> bytes:
    """The one use that numpy's scalars make of ``_codecs.encode``: latin-1 text to bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not one that numpy writes")
    return text.encode(encoding)


def _canonicalise(path: Path, state: Mapping[Any, Tensor]) -> dict[str, Tensor]:
    """Strip the leading Lightning prefix, and let a backbone alias stand for its key."""
    names = [str(name) for name in state]
    prefixed = all(name.startswith(_LIGHTNING_PREFIX) for name in names)
    canonical: dict[str, Tensor] = {}
    for name, tensor in zip(names, state.values(), strict=True):
        stripped = name[len(_LIGHTNING_PREFIX) :] if prefixed else name
        if stripped.startswith(_BACKBONE_ALIAS):
            stripped = _BACKBONE + stripped[len(_BACKBONE_ALIAS) :]
        known = canonical.get(stripped)
        if known is not None and not torch.equal(known, tensor):
            raise CheckpointError(
                f"{path}: {name} and its alias hold different values; which is meant?"
            )
        canonical[stripped] = tensor
    return canonical


def _shapes_of(config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = LocoTrack(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _explain_misfit(state: Mapping[str, Tensor], expected: str | None) -> str:
    """Say how the checkpoint differs from the expected, else from the nearest variant."""
    nearest = expected or min(VARIANTS, key=lambda name: _distance(state, name))
    return f"the weights fit no variant; against {nearest!r}: {_differences(state, nearest)}."


def _distance(state: Mapping[str, Tensor], variant: str) -> int:
    missing, unexpected, misshaped = _compare(state, variant)
    return len(missing) + len(unexpected) + len(misshaped)


def _differences(state: Mapping[str, Tensor], variant: str) -> str:
    missing, unexpected, misshaped = _compare(state, variant)
    parts = []
    for title, names in (("missing", missing), ("unexpected", unexpected), ("shape", misshaped)):
        if names:
            parts.append(f"{len(names)} {title}: {_listing(names)}")
    return "; ".join(parts)


def _compare(state: Mapping[str, Tensor], variant: str) -> tuple[list[str], list[str], list[str]]:
    expected = _shapes_of(configure(variant))
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    misshaped = [
        f"{name} {tuple(state[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    return missing, unexpected, misshaped


def _refuse_non_finite(path: str | Path, state: Mapping[str, Tensor]) -> None:
    bad = [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if bad:
        raise CheckpointError(
            f"{path} holds NaN or infinite weights in {len(bad)} tensors: {_listing(bad)}."
        )


def _listing(names: Any) -> str:
    names = [str(name) for name in names]
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")
