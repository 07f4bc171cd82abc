"""MODEL.parity.npz: what PyTorch answers to some inputs, so that a file can be proven without it.

The sidecar holds the inputs, the oracle's outputs, how far the oracle can be trusted at each point,
the tolerances, and the SHA-256 of the files that it belongs to. numpy and standard library only.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, SidecarError
from locoexport.files import is_file, sha256_of
from locoexport.parity import Conditioning, TrackArrays
from locoexport.profile import Tolerance

__all__ = [
    "SIDECAR_LIMIT_BYTES",
    "SIDECAR_SCHEMA",
    "Sidecar",
    "SidecarCase",
    "read_sidecar",
    "sidecar_path",
    "video_of_blocks",
    "write_sidecar",
]

SIDECAR_SCHEMA = "locoexport.parity-sidecar/1"
SIDECAR_LIMIT_BYTES = 5_000_000
_ARRAYS = (
    "blocks_u8",
    "query_points_tyx",
    "tracks_xy",
    "occlusion",
    "expected_dist",
    "peak_gap",
    "noise_px",
    "noise_logits",
)


@dataclass(frozen=True, eq=False)
class SidecarCase:
    """One pair of inputs and the oracle's answer.

    ``blocks_u8`` is uint8 (B, T, H/k, W/k, 3): each value stands for k×k pixels, which keeps the
    file small at any resolution; ``block_side`` is k.
    """

    name: str
    blocks_u8: NDArray[np.uint8]
    block_side: int
    query_points_tyx: NDArray[np.float32]
    reference: TrackArrays
    conditioning: Conditioning

    @property
    def video(self) -> NDArray[np.float32]:
        """(B, T, H, W, 3) in [-1, 1]."""
        return video_of_blocks(self.blocks_u8, self.block_side)

    @property
    def frames_rgb(self) -> NDArray[np.uint8]:
        """The same as grey levels (B, T, H, W, 3), for files that take uint8."""
        return self.blocks_u8.repeat(self.block_side, 2).repeat(self.block_side, 3)


@dataclass(frozen=True, eq=False)
class Sidecar:
    """All cases, the files that they are for (SHA-256 by part) and what may differ."""

    model_sha256: Mapping[str, str]
    tolerance: Tolerance
    torch_version: str
    cases: tuple[SidecarCase, ...]


def video_of_blocks(blocks_u8: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """(B, T, h, w, 3) grey levels → (B, T, h·side, w·side, 3) in [-1, 1]."""
    frames = blocks_u8.repeat(side, 2).repeat(side, 3).astype(np.float32)
    return np.asarray(frames / np.float32(255) * np.float32(2) - np.float32(1), np.float32)


def sidecar_path(model: Path) -> Path:
    """Where the sidecar of MODEL.onnx lies: MODEL.parity.npz beside it."""
    return model.with_name(model.name.removesuffix(".onnx") + ".parity.npz")


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write a sidecar; equal sidecars give equal bytes.

    Raises:
        SidecarError: it would be larger than a sidecar may be.
    """
    header = {
        "schema": SIDECAR_SCHEMA,
        "model_sha256": dict(sidecar.model_sha256),
        "tolerance": {
            "tracks_px": sidecar.tolerance.tracks_px,
            "logits": sidecar.tolerance.logits,
            "origin": sidecar.tolerance.origin,
        },
        "torch": sidecar.torch_version,
        "cases": [{"name": c.name, "block_side": c.block_side} for c in sidecar.cases],
    }
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
    for index, case in enumerate(sidecar.cases):
        values = _values(case)
        arrays |= {f"{index}.{name}": values[name] for name in _ARRAYS}
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)
    size = path.stat().st_size
    if size > SIDECAR_LIMIT_BYTES:
        raise SidecarError(
            f"The sidecar would have {size} bytes; at most {SIDECAR_LIMIT_BYTES} are allowed. Fix "
            "fewer frames, points or batch entries on export."
        )


def read_sidecar(path: str | Path, files: Mapping[str, Path]) -> Sidecar:
    """Read a sidecar and check that it belongs to these files.

    Args:
        path: of the .parity.npz.
        files: the model's, by part (``whole``, or the three of a split export).

    Raises:
        SidecarError: there is no such file, it is damaged, or it is of another model.
    """
    path = Path(path)
    if not is_file(path):
        raise SidecarError(
            f"There is no sidecar {path}; `locoexport export --sidecar` writes one beside the "
            "model."
        )
    try:
        # A file of our own: numpy leaves the one it opens open where it is no archive.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            header = json.loads(bytes(stored["header"]).decode())
            if header["schema"] != SIDECAR_SCHEMA:
                raise SidecarError(
                    f"{path} has the schema {header['schema']!r}; this version reads "
                    f"{SIDECAR_SCHEMA!r}. Export the model again with --sidecar."
                )
            _check_belongs(path, header["model_sha256"], files)
            cases = tuple(_case(stored, i, entry) for i, entry in enumerate(header["cases"]))
            return Sidecar(
                header["model_sha256"], Tolerance(**header["tolerance"]), header["torch"], cases
            )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise SidecarError(
            f"{path} is damaged or no sidecar ({error}); export the model again with --sidecar."
        ) from error


def _check_belongs(path: Path, stated: Mapping[str, str], files: Mapping[str, Path]) -> None:
    for part, file in files.items():
        try:
            found = sha256_of(file)
        except OSError as error:
            raise InputError(f"Cannot read {file}: {error.strerror or error}.") from error
        if stated.get(part) != found:
            raise SidecarError(
                f"{path} is not of {file}: it was written for SHA-256 {stated.get(part)}, the file "
                f"has {found}. Use the pair as it was exported; a file that was changed since "
                "(rewritten, converted, cut) can only be verified against its checkpoint."
            )


def _values(case: SidecarCase) -> dict[str, NDArray[Any]]:
    return {
        "blocks_u8": case.blocks_u8,
        "query_points_tyx": case.query_points_tyx,
        "tracks_xy": case.reference.tracks_xy,
        "occlusion": case.reference.occlusion,
        "expected_dist": case.reference.expected_dist,
        "peak_gap": case.conditioning.peak_gap,
        "noise_px": case.conditioning.noise_px,
        "noise_logits": case.conditioning.noise_logits,
    }


def _case(stored: Any, index: int, entry: Mapping[str, Any]) -> SidecarCase:
    values = {name: stored[f"{index}.{name}"] for name in _ARRAYS}
    return SidecarCase(
        name=str(entry["name"]),
        blocks_u8=values["blocks_u8"],
        block_side=int(entry["block_side"]),
        query_points_tyx=values["query_points_tyx"],
        reference=TrackArrays(values["tracks_xy"], values["occlusion"], values["expected_dist"]),
        conditioning=Conditioning(values["peak_gap"], values["noise_px"], values["noise_logits"]),
    )
