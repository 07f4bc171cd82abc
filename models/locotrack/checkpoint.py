"""Read checkpoints: Lightning .ckpt, plain .pt / .pth, .safetensors. No pickle ever runs code."""

from __future__ import annotations

import collections
import os
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["CheckpointError", "list_names", "read_checkpoint", "read_state_dict"]

_LIGHTNING_PREFIX = "model."
_BACKBONE = "efficientnet_feature_extractor."
_BACKBONE_ALIAS = _BACKBONE + "model."
_NAMES_SHOWN = 4
MOST_TENSORS = 20_000

# Kinds of numbers that become float32, or stay whole numbers, without a loss that matters.
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
# The same, as .safetensors names them.
_SAFETENSORS_KINDS = ("F32", "F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U8")

# Where numpy 1 and 2, Python 3.13 and others, and each Lightning keep the same things.
_NUMPY_CORE = ("numpy.core", "numpy._core")
_PATHLIB = ("pathlib", "pathlib._local")
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
_LIGHTNING = (
    "lightning.fabric.utilities.data",
    "lightning.pytorch.utilities.parsing",
    "lightning_fabric.utilities.data",
    "pytorch_lightning.utilities.parsing",
)

# What parsing malformed bytes raises, over torch's zip and legacy readers.
_READ_FAILURES = (
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or does not fit; the message names what differs."""


def read_state_dict(path: str | Path, most_tensors: int = MOST_TENSORS) -> dict[str, Tensor]:
    """The tensors of ``read_checkpoint`` alone."""
    return read_checkpoint(path, most_tensors)[0]


def read_checkpoint(
    path: str | Path, most_tensors: int = MOST_TENSORS
) -> tuple[dict[str, Tensor], object]:
    """Tensors by canonical name, and the ``hyper_parameters`` of a Lightning file, else None.

    Tensors are dense, of floats of 16 to 64 bits or of whole numbers, in this machine's memory.

    Args:
        path: a .ckpt, .pt, .pth or .safetensors file.
        most_tensors: a state dict of more is refused.

    Raises:
        CheckpointError: the file is missing, truncated, not a checkpoint, or would run code; it
            holds tensors of other kinds, or that take more memory than the file has bytes.
    """
    path = Path(path)
    if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
        raise CheckpointError(f"There is no checkpoint file {path}.")
    if path.suffix == ".safetensors":
        document: object = _read_safetensors(path, most_tensors)
    else:
        document = _read_pickle(path)
    if not isinstance(document, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(document).__name__}; expected a state dict or a Lightning "
            'checkpoint (a mapping with "state_dict").'
        )
    nested = document.get("state_dict", document)
    if not isinstance(nested, Mapping) or not nested:
        raise CheckpointError(f"{path} holds no state dict: its keys are {list_names(document)}.")
    _check_count(path, len(nested), most_tensors)
    strays = [str(name) for name, value in nested.items() if not isinstance(value, Tensor)]
    if strays:
        raise CheckpointError(
            f"{path} is not a state dict: {list_names(strays)} "
            f"{'is not a tensor' if len(strays) == 1 else 'are not tensors'}."
        )
    _check_tensors(path, nested)
    hyper_parameters = document.get("hyper_parameters") if nested is not document else None
    return _canonicalise(path, nested), hyper_parameters


def _read_safetensors(path: Path, most_tensors: int) -> Mapping[str, Any]:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise CheckpointError(
            f"{path} needs the safetensors package: pip install safetensors."
        ) from error
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            _check_count(path, len(names), most_tensors)
            for name in names:
                kind = str(file.get_slice(name).get_dtype())
                if kind not in _SAFETENSORS_KINDS:
                    raise CheckpointError(_unusual(path, name, kind))
            return {name: file.get_tensor(name) for name in names}
    except CheckpointError:
        raise
    except Exception as error:  # the reader's, of whatever kind
        raise CheckpointError(
            f"{path} is not a readable .safetensors file ({error}): it may be truncated; "
            "download or copy it again."
        ) from error


def _read_pickle(path: Path) -> object:
    """``torch.load`` with ``weights_only=True``, always."""
    try:
        with torch.serialization.safe_globals(_stand_ins()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols and TorchScript archives
            document: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message is advice to load without weights_only; its context is the reason.
        reason = str(error.__context__ or error).split("\n")[0]
        wanted = re.search(r"GLOBAL (\S+)", reason)
        if wanted is None:
            raise CheckpointError(_unreadable(path, reason)) from error
        raise CheckpointError(
            f"{path} was refused: its pickle asks for {wanted[1]}, which is more than tensors and "
            "plain values, and loading it could run code. Re-save its state dict as .safetensors "
            "where you trust it."
        ) from error
    except _READ_FAILURES as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise CheckpointError(_unreadable(path, reason)) from error
    return document


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"{path} cannot be read as a checkpoint ({reason}): it may be truncated or of another "
        "format. Expected .ckpt, .pt, .pth or .safetensors; download or copy it again."
    )


class _Ignored:
    """Stands for a value that nobody reads: a numpy scalar or array, a path, a namespace.

    numpy's own constructors are not let in: with a forged dtype they read any memory.
    """

    def __new__(cls, *_arguments: object) -> _Ignored:
        return super().__new__(cls)

    def __setstate__(self, _state: object) -> None:
        """Forget it."""


class _PlainDict:
    """Stands for a subclass of dict; torch's unpickler fills nothing but a plain one."""

    def __new__(cls, *_arguments: object) -> Any:
        return {}


class _PlainList:
    """Stands for ``collections.deque``."""

    def __new__(cls, *_arguments: object) -> Any:
        return []


def _stand_ins() -> list[Any]:
    """What real Lightning files hold beside tensors, by name; none of it can act."""
    ignored = [f"{module}.multiarray.scalar" for module in _NUMPY_CORE]
    ignored += [f"{module}.multiarray._reconstruct" for module in _NUMPY_CORE]
    ignored += ["numpy.ndarray", "numpy.dtype", "_codecs.encode", "argparse.Namespace"]
    ignored += [f"{module}.{name}" for module in _PATHLIB for name in _PATHS]
    dicts = ["collections.defaultdict", *(f"{module}.AttributeDict" for module in _LIGHTNING)]
    return [
        *((_Ignored, name) for name in ignored),
        *((_PlainDict, name) for name in dicts),
        (_PlainList, "collections.deque"),
        collections.Counter,
        dict,
        list,
        set,
        frozenset,
        int,
        float,
    ]


def _check_count(path: Path, count: int, most: int) -> None:
    if count > most:
        raise CheckpointError(
            f"{path} holds {count:,} tensors; the largest variant has a few hundred, and at most "
            f"{most:,} are read."
        )


def _check_tensors(path: Path, state: Mapping[Any, Tensor]) -> None:
    """Every tensor holds numbers that can be read, and the file holds all of them."""
    size = 0
    for name, tensor in state.items():
        kind = _unusual_kind(tensor)
        if kind is not None:
            raise CheckpointError(_unusual(path, name, kind))
        size += tensor.numel() * tensor.element_size()
    held = os.path.getsize(path)
    # Twice: the backbone may be there under two names.
    if size > 2 * held:
        raise CheckpointError(
            f"{path} holds tensors of {size:,} bytes in {held:,}: they repeat the same values "
            "without end. Expected the state dict of a model, saved with torch.save."
        )


def _unusual_kind(tensor: Tensor) -> str | None:
    """What keeps a tensor from being read as plain numbers; None where nothing does."""
    if tensor.is_nested:  # asked first: such a tensor answers little else
        return "nested"
    if tensor.layout is not torch.strided:
        return f"sparse ({tensor.layout})"
    if tensor.is_quantized:
        return f"quantised ({tensor.dtype})"
    if tensor.device.type != "cpu":
        return f"without values here ({tensor.device})"
    return None if tensor.dtype in (*_FLOATS, *_WHOLE) else str(tensor.dtype)


def _unusual(path: Path, name: object, kind: str) -> str:
    return (
        f"{path}: tensor {name} is {kind}, which is not read: expected float32, float64, float16, "
        "bfloat16 or whole numbers. Convert it and save the state dict again."
    )


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


def list_names(names: Any) -> str:
    """The first few names, and how many more there are."""
    names = [str(name) for name in names]
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")
