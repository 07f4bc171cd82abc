"""MODEL.parity.npz: what PyTorch answers to some inputs, so that a file can be proven without it.

The sidecar holds the inputs, the oracle's outputs, how far the oracle can be trusted at each point,
the tolerances, and the SHA-256 of the files that it belongs to. That of a file in a smaller
precision holds the limits of that precision instead, and no noise: none of its points is judged by
itself. numpy and standard library only.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import Tolerance
from locoexport.errors import InputError, SidecarError
from locoexport.machine.output_files import is_file, sha256_of
from locoexport.parity.pointwise import Conditioning, TrackArrays
from locoexport.parity.quantiles import PrecisionTolerance

__all__ = [
    "PRECISION_SCHEMA",
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
PRECISION_SCHEMA = "locoexport.precision-sidecar/1"
"""Of a file in a smaller precision."""
SIDECAR_LIMIT_BYTES = 5_000_000


@dataclass(frozen=True, eq=False)
class SidecarCase:
    """One pair of inputs and the oracle's answer.

    ``blocks_u8`` is uint8 (B, T, H/k, W/k, 3): each value stands for k×k pixels, which keeps the
    file small at any resolution; ``block_side`` is k. ``conditioning`` is None for a smaller
    precision.
    """

    name: str
    blocks_u8: NDArray[np.uint8]
    block_side: int
    query_points_tyx: NDArray[np.float32]
    reference: TrackArrays
    conditioning: Conditioning | None

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
    """All cases, the files that they are for (SHA-256 by role) and what may differ.

    ``exported_p99_px`` is how far a file in a smaller precision was on these inputs on export, in
    pixels of 256×256.
    """

    model_sha256: Mapping[str, str]
    tolerance: Tolerance | PrecisionTolerance
    torch_version: str
    cases: tuple[SidecarCase, ...]
    exported_p99_px: float | None = None


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
    header: dict[str, Any] = {
        "schema": SIDECAR_SCHEMA if isinstance(sidecar.tolerance, Tolerance) else PRECISION_SCHEMA,
        "model_sha256": dict(sidecar.model_sha256),
        "tolerance": asdict(sidecar.tolerance),
        "torch": sidecar.torch_version,
        "cases": [{"name": c.name, "block_side": c.block_side} for c in sidecar.cases],
    }
    if sidecar.exported_p99_px is not None:
        header["exported_p99_px"] = sidecar.exported_p99_px
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
    for index, case in enumerate(sidecar.cases):
        arrays |= {f"{index}.{name}": value for name, value in _values(case).items()}
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
        files: the model's, by role (``whole``, or the three of a split export).

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
            if header["schema"] not in (SIDECAR_SCHEMA, PRECISION_SCHEMA):
                raise SidecarError(
                    f"{path} has the schema {header['schema']!r}; this version reads "
                    f"{SIDECAR_SCHEMA!r} and {PRECISION_SCHEMA!r}. Export the model again with "
                    "--sidecar."
                )
            _check_belongs(path, header["model_sha256"], files)
            tolerance = _TOLERANCES[header["schema"]](**header["tolerance"])
            cases = tuple(_case(stored, i, entry) for i, entry in enumerate(header["cases"]))
            return Sidecar(
                header["model_sha256"],
                tolerance,
                header["torch"],
                cases,
                header.get("exported_p99_px"),
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


_TOLERANCES: Mapping[str, type[Tolerance] | type[PrecisionTolerance]] = {
    SIDECAR_SCHEMA: Tolerance,
    PRECISION_SCHEMA: PrecisionTolerance,
}


def _check_belongs(path: Path, stated: Mapping[str, str], files: Mapping[str, Path]) -> None:
    for role, file in files.items():
        try:
            found = sha256_of(file)
        except OSError as error:
            raise InputError(f"Cannot read {file}: {error.strerror or error}.") from error
        if stated.get(role) != found:
            raise SidecarError(
                f"{path} is not of {file}: it was written for SHA-256 {stated.get(role)}, the file "
                f"has {found}. Use the pair as it was exported; a file that was changed since "
                "(rewritten, converted, cut) can only be verified against its checkpoint."
            )


def _values(case: SidecarCase) -> dict[str, NDArray[Any]]:
    noise = case.conditioning
    values: dict[str, NDArray[Any]] = {
        "query_points_tyx": case.query_points_tyx,
        "tracks_xy": case.reference.tracks_xy,
        "occlusion": case.reference.occlusion,
        "expected_dist": case.reference.expected_dist,
    }
    if noise is None:
        # Longer clips: as differences they take a fourth less.
        return values | {"differences_u8": _differences(case.blocks_u8)}
    return values | {
        "blocks_u8": case.blocks_u8,
        "peak_gap": noise.peak_gap,
        "noise_px": noise.noise_px,
        "noise_logits": noise.noise_logits,
    }


def _case(stored: Any, index: int, entry: Mapping[str, Any]) -> SidecarCase:
    def value(name: str) -> NDArray[Any]:
        found: NDArray[Any] = stored[f"{index}.{name}"]
        return found

    whole = f"{index}.blocks_u8" in stored
    return SidecarCase(
        name=str(entry["name"]),
        blocks_u8=value("blocks_u8") if whole else _summed(value("differences_u8")),
        block_side=int(entry["block_side"]),
        query_points_tyx=value("query_points_tyx"),
        reference=TrackArrays(value("tracks_xy"), value("occlusion"), value("expected_dist")),
        conditioning=Conditioning(value("peak_gap"), value("noise_px"), value("noise_logits"))
        if whole
        else None,
    )


def _differences(blocks_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each value less those to the left and above, modulo 256."""
    for axis in (2, 3):
        blocks_u8 = np.diff(blocks_u8, axis=axis, prepend=np.uint8(0)).astype(np.uint8)
    return blocks_u8


def _summed(differences_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    for axis in (3, 2):
        differences_u8 = np.cumsum(differences_u8, axis=axis, dtype=np.uint8)
    return differences_u8
