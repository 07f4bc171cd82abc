"""Checkpoints as the JAX LocoTrack's training writes them, of golden weights; no JAX is needed."""

import importlib.util
import io
import json
import pickle
import tarfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

GOLDENS = Path(__file__).parents[2] / "parity_tests/goldens/jax"
SIZES = {"small": "resnet-small", "base": "resnet-base", "large": "resnet-large"}


def _load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_checkpoint", GOLDENS / "make_checkpoint.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker = _load_maker()


@cache
def _params(size: str) -> dict[str, dict[str, np.ndarray]]:
    return maker.params(size)


def golden_params(size: str) -> dict[str, dict[str, np.ndarray]]:
    """The golden weights as a training holds them; the dicts are the caller's own."""
    return {module: dict(leaves) for module, leaves in _params(size).items()}


def mapping_rows(size: str) -> list[dict[str, Any]]:
    """Every array: where JAX has it, what it is in PyTorch, and its digest there."""
    keys = ("module", "leaf", "shape", "torch", "torch_shape", "sha256")
    rows = json.loads((GOLDENS / f"mapping_{size}.json").read_text())
    return [dict(zip(keys, row, strict=True)) for row in rows]


def npy_bytes(document: object, protocol: int = 4) -> bytes:
    """``numpy.save`` of an object, with a pickle of that protocol."""
    array = np.empty((), object)
    array[()] = document
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
    pickle.dump(array, out, protocol)
    return out.getvalue()


def save_document(path: Path, document: object, protocol: int = 4) -> Path:
    path.write_bytes(npy_bytes(document, protocol))
    return path


def save_golden(path: Path, size: str = "small", **options: Any) -> Path:
    """What ``make_checkpoint.py`` writes; options are those of its ``write``."""
    maker.write(path, size, **options)
    return path


def save_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
