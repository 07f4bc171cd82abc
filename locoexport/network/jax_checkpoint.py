"""Checkpoints of the JAX LocoTrack, read without executing a pickle.

A training saves ``numpy.save`` of a dict: ``{"params": {module: {leaf: array}}, "state": {},
"opt_state": ..., "global_step": ...}``, in ``checkpoint.npy`` and ``checkpoint.npy_iterNNNNNNN``.
Also read: the dict of modules alone, a .npz whose keys join module and leaf, and a tar that holds
one of these. Source: github cvlab-kaist/locotrack, folder ``locotrack/``, Apache-2.0.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import CheckpointError, InputError
from locoexport.machine.reading.arrays import (
    check_archive_members,
    check_array_header,
    read_array_header,
)
from locoexport.machine.reading.documents import quote
from locoexport.machine.reading.pickles.jax_pickle import JaxPickleReader, StoredArray, Unread
from locoexport.machine.reading.pickles.pickle_reading import MalformedPickleError, shown
from locoexport.machine.reading.tar_archive import is_tar, open_member, split_member
from locoexport.network.jax_mapping import JAX_VARIANTS, ROOT, JaxParameter, parameters_of

__all__ = ["JaxCheckpoint", "is_jax_checkpoint", "read_jax_checkpoint"]

_NUMPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
_PICKLE = b"\x80"
_NAME = re.compile(r"\.np[yz](_iter[0-9]+|_tmp)?$")
_WIDEST = 8  # bytes of a float that is read
_SEPARATORS = re.compile(r"[:/]")
_PACKED_RATIO, _FREE_BYTES = 10, 64 << 20
_NAMES_SHOWN = 4
_EXPECTED = (
    "Expected a checkpoint.npy that the JAX LocoTrack saved: a dict with params, or the dict of "
    "modules itself"
)
_OTHERS = {
    "tapir/": "TAPIR's checkpoint, which is another network",
    "bootstapir/": "BootsTAPIR's checkpoint, which is another network",
    "tap_net/": "TAP-Net's checkpoint, which is another network",
    "tapnet/": "TAP-Net's checkpoint, which is another network",
}

_Modules = dict[tuple[str, str], Any]
"""Arrays, or what stands in their place, by (module, leaf)."""


@dataclass(frozen=True)
class JaxCheckpoint:
    """What a checkpoint of JAX holds, as PyTorch names it.

    Attributes:
        state: float32 arrays in C order by the keys of the variant's state dict.
        variant: resnet-small, resnet-base or resnet-large.
        step: of the training, where the file says it.
        member: its name within a tar.
    """

    state: Mapping[str, NDArray[np.float32]]
    variant: str
    step: int | None = None
    member: str | None = None


def is_jax_checkpoint(path: str | Path) -> bool:
    """Whether a file is to be read by ``read_jax_checkpoint``, told from its bytes.

    It begins as a .npy, is a zip of nothing but .npy files, or a tar; or it has the name of one of
    these and is nothing that PyTorch writes. ``FILE::MEMBER`` names a member of a tar.
    """
    file_path, member = split_member(path)
    if not os.path.isfile(file_path):
        return False
    if member is not None:
        return True
    try:
        with open(file_path, "rb") as file:
            start = file.read(len(_NUMPY))
            if start == _NUMPY:
                return True
            if start[:4] == _ZIP:
                return _is_npz(file)
        if is_tar(file_path):
            return True
    except OSError:
        return False  # whoever reads it says why
    return _NAME.search(file_path.name) is not None and start[:1] != _PICKLE


def read_jax_checkpoint(path: str | Path) -> JaxCheckpoint:
    """The weights in a checkpoint of the JAX LocoTrack. No name in its pickle is ever looked up.

    Args:
        path: a .npy, .npz or .tar file; ``FILE.tar::MEMBER`` where a tar holds several checkpoints,
            MEMBER being a name in it or some folders of one.

    Raises:
        CheckpointError: it is missing, malformed, of another network, or holds NaN.
    """
    file_path, wanted = split_member(path)
    if not os.path.isfile(file_path):
        raise CheckpointError(f"There is no checkpoint file {file_path}.")
    try:
        if not is_tar(file_path):
            if wanted is not None:
                raise InputError("it is not a tar, and has no members")
            with open(file_path, "rb") as file:
                return _read(file, os.fstat(file.fileno()).st_size, None)
        with open_member(file_path, wanted, _looks_right, "checkpoints of JAX") as member:
            return _read(member.file, member.size_bytes, member.name)
    except OSError as error:
        raise CheckpointError(f"Cannot read {file_path}: {error.strerror or error}.") from error
    except MalformedPickleError as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint of JAX ({error}): it may be truncated; copy it "
            "again."
        ) from error
    except InputError as error:
        raise CheckpointError(f"{path}: {str(error).rstrip('.')}.") from error


def _is_npz(file: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [member.filename for member in archive.infolist()]
    except Exception:  # zipfile's, of whatever kind; PyTorch's reader says what is wrong
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _looks_right(file: BinaryIO, size: int) -> bool:
    """Whether a member of a tar is a checkpoint: one object in a .npy, or a .npz."""
    start = file.read(len(_NUMPY))
    file.seek(0)
    if start[:4] == _ZIP:
        return _is_npz(file)
    if start != _NUMPY:
        return False
    try:
        return read_array_header(file).dtype.kind == "O"
    except Exception:  # numpy's, of whatever kind: it is no array
        return False


def _read(file: BinaryIO, size: int, member: str | None) -> JaxCheckpoint:
    start = file.read(len(_NUMPY))
    file.seek(0)
    if start == _NUMPY:
        document = _read_object(file, size)
    elif start[:4] == _ZIP:
        document = _read_archive(file, size)
    else:
        raise InputError(_explain_bytes(start, size))
    modules, step = _find_modules(document)
    del document
    variant, parameters = _identify(modules)
    return JaxCheckpoint(_convert(modules, parameters), variant, step, member)


def _explain_bytes(start: bytes, size: int) -> str:
    if not size:
        return "it is empty"
    begins = start.decode("ascii", "replace").replace("\ufffd", "?")
    return (
        f"it begins with {begins!a}, and a .npy with '\\x93NUMPY': it is not a file of numpy. "
        f"{_EXPECTED}"
    )


def _read_object(file: BinaryIO, size: int) -> Any:
    """The one object of a .npy, whose body is a pickle of the array around it."""
    try:
        header = read_array_header(file)
    except InputError:
        raise
    except Exception as error:  # numpy's, of whatever kind
        raise InputError("it is a .npy whose header is damaged or truncated") from error
    if header.dtype.kind != "O":
        raise InputError(
            f"it is an array of shape {quote(header.shape)} and dtype {quote(str(header.dtype))}, "
            f"not a checkpoint. {_EXPECTED}"
        )
    if header.shape not in ((), (1,)):
        raise InputError(f"it is an array of shape {quote(header.shape)} of objects. {_EXPECTED}")
    array = JaxPickleReader(file, size - header.size_bytes).load()
    return array.only_object() if isinstance(array, StoredArray) else array


def _read_archive(file: BinaryIO, size: int) -> dict[str, Any]:
    """The members of a .npz by name: arrays of numbers, and what one-object arrays hold."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            check_archive_members(members)
            unpacked = sum(member.file_size for member in members)
            if unpacked > _PACKED_RATIO * size + _FREE_BYTES:
                raise InputError(
                    f"it is an archive of {size:,} bytes that unpacks to {unpacked:,}, which no "
                    "weights do"
                )
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member)
                for member in members
            }
    except (InputError, MalformedPickleError):
        raise
    except Exception as error:  # zipfile, zlib, numpy: a damaged archive raises nearly anything
        raise InputError(f"it is a damaged .npz ({shown(str(error))}); copy it again") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    with archive.open(member) as stored:
        numbers = read_array_header(stored).dtype.kind != "O"
    with archive.open(member) as stored:
        if not numbers:
            return _read_object(cast(BinaryIO, stored), member.file_size)
        check_array_header(stored, member.file_size)
    with archive.open(member) as stored:
        return np.asarray(np.lib.format.read_array(stored, allow_pickle=False))


def _find_modules(document: Any) -> tuple[_Modules, int | None]:
    """The arrays of a document in any of its forms, and the training's step."""
    if isinstance(document, dict) and list(document) == ["arr_0"]:  # np.savez(path, document)
        document = document["arr_0"]
    if not isinstance(document, dict):
        raise InputError(f"it holds {_kind_of(document)}. {_EXPECTED}")
    params = document.get("params", document)
    if not isinstance(params, dict):
        raise InputError(f"its params are {_kind_of(params)}, not a dict of modules. {_EXPECTED}")
    modules = _flatten(params)
    if not any(module.startswith(ROOT) for module, _ in modules):
        raise InputError(_explain_strangers(modules))
    if params is document:
        return modules, None
    state = document.get("state")
    if isinstance(state, dict) and (strays := list(_flatten(state))):
        raise InputError(
            f"its state holds {_listing([':'.join(pair) for pair in strays])}, and LocoTrack has "
            "none: it is another network"
        )
    return modules, _step_of(document.get("global_step"))


def _step_of(value: Any) -> int | None:
    if isinstance(value, StoredArray | np.ndarray) and value.shape == ():
        numbers = value.values() if isinstance(value, StoredArray) else value
        value = numbers.item() if numbers.dtype.kind in "iu" else None
    return value if type(value) is int and value >= 0 else None


def _flatten(document: dict[Any, Any]) -> _Modules:
    """By module and leaf: nested dicts, or keys that join both by ``:`` or ``/``."""
    modules: _Modules = {}
    for name, value in document.items():
        if isinstance(value, dict):
            leaves = {(str(name), str(leaf)): array for leaf, array in value.items()}
        else:
            leaves = {_split_key(str(name)): value}
        if doubled := modules.keys() & leaves.keys():
            raise InputError(f"it holds {_listing([':'.join(pair) for pair in doubled])} twice")
        modules.update(leaves)
    return modules


def _split_key(key: str) -> tuple[str, str]:
    """Module and leaf of a joined key; modules hold separators themselves."""
    places = [match.start() for match in _SEPARATORS.finditer(key)]
    if not places:
        return "", key
    module, leaf = key[: places[-1]], key[places[-1] + 1 :]
    for outer in ("params/", "params:"):
        module = module.removeprefix(outer)
    return module, leaf


def _identify(modules: _Modules) -> tuple[str, tuple[JaxParameter, ...]]:
    """The variant, and what it has, once all of it is there and nothing else.

    Raises:
        InputError: naming what is missing, left over or of another shape, or of no numbers.
    """
    by_variant = {variant: parameters_of(variant) for variant in JAX_VARIANTS}
    faults = {variant: _compare(modules, by_variant[variant]) for variant in JAX_VARIANTS}
    variant = min(faults, key=lambda name: sum(map(len, faults[name].values())))
    parts = [
        f"{len(names)} {fault}: {_listing(names)}"
        for fault, names in faults[variant].items()
        if names
    ]
    if parts:
        raise InputError(
            f"its arrays fit no size of LocoTrack; against {variant}: {'; '.join(parts)}"
        )
    return variant, by_variant[variant]


def _compare(modules: _Modules, parameters: tuple[JaxParameter, ...]) -> dict[str, list[str]]:
    known = {(one.module, one.leaf) for one in parameters}
    missing, shape, kind = [], [], []
    for one in parameters:
        found = modules.get((one.module, one.leaf))
        if found is None:
            missing.append(one.name)
        elif not isinstance(found, StoredArray | np.ndarray):
            kind.append(f"{one.name} is {_kind_of(found)}")
        elif tuple(found.shape) != one.shape:
            shape.append(f"{one.name} {quote(tuple(found.shape))} instead of {one.shape}")
        elif found.dtype.kind != "f" or found.dtype.itemsize > _WIDEST:
            kind.append(f"{one.name} is of {quote(str(found.dtype))}")
    return {
        "missing": missing,
        "unexpected": [shown(":".join(pair)) for pair in modules if pair not in known],
        "of another shape": shape,
        "that are no arrays of float32, float64 or float16": kind,
    }


def _convert(
    modules: _Modules, parameters: tuple[JaxParameter, ...]
) -> dict[str, NDArray[np.float32]]:
    state, bad = {}, []
    for one in parameters:
        found = modules.pop((one.module, one.leaf))
        values = found.values() if isinstance(found, StoredArray) else found
        state[one.key] = one.to_torch(values)
        if not bool(np.isfinite(state[one.key]).all()):
            bad.append(one.name)
    if bad:
        raise InputError(f"it holds NaN or infinite weights in {len(bad)} arrays: {_listing(bad)}")
    return state


def _explain_strangers(modules: _Modules) -> str:
    """Which file it is instead, where no module is LocoTrack's."""
    names = [module for module, _ in modules]
    for beginning, told in _OTHERS.items():
        if any(name.startswith(beginning) for name in names):
            return f"it is {told}. Expected the JAX LocoTrack's, whose modules begin with {ROOT}"
    if any("tracks" in leaf for _, leaf in modules):
        what = "it is an archive of tracks, not a checkpoint"
    else:
        what = "it is not a checkpoint of LocoTrack"
    held = _listing([":".join(filter(None, pair)) for pair in modules]) or "nothing"
    return f"{what}: it holds {held}, and LocoTrack's modules begin with {ROOT}"


def _kind_of(value: Any) -> str:
    """What stands where a dict or an array should, in words."""
    if isinstance(value, Unread):
        name = value.text.partition(".")[0]
        if name in ("jax", "jaxlib"):
            return (
                f"a jax array ({shown(value.text)}; save numpy arrays: "
                "jax.tree_util.tree_map(numpy.asarray, params))"
            )
        return f"a {shown(value.text)}"
    if isinstance(value, StoredArray | np.ndarray):
        return f"an array of shape {quote(tuple(value.shape))} and dtype {quote(str(value.dtype))}"
    return f"a {type(value).__name__}"


def _listing(names: list[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:_NAMES_SHOWN])
    return listed + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")
