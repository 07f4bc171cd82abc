"""MODEL.parity.npz: what PyTorch answers to some inputs, so that a file can be proven without it.

The sidecar holds the inputs, the oracle's outputs, how far the oracle can be trusted at each point,
the tolerances, the SHA-256 of the files that it belongs to, and who made it. That of a file in a
smaller precision holds the limits of that precision instead, and no noise: none of its points is
judged by itself. numpy and standard library only.

Whoever can change the model can change the sidecar. So it proves that a file is the one that was
exported, and that this machine runs it as PyTorch ran the model there; of a stranger's pair it
proves nothing. What it allows is never more than this installation does
(``pipeline.proof.allowed``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import Precision, Tolerance
from locoexport.errors import InputError, SidecarError
from locoexport.machine.limits import SIDECAR_BYTES
from locoexport.machine.reading.arrays import load_archive
from locoexport.machine.writing.output_files import is_file
from locoexport.parity.pointwise import Conditioning, TrackArrays
from locoexport.parity.quantiles import PrecisionTolerance

__all__ = [
    "PRECISION_SCHEMA",
    "SIDECAR_LIMIT_BYTES",
    "SIDECAR_SCHEMA",
    "Sidecar",
    "SidecarCase",
    "SidecarMaker",
    "read_sidecar",
    "sidecar_path",
    "video_of_blocks",
    "write_sidecar",
]

SIDECAR_SCHEMA = "locoexport.parity-sidecar/1"
PRECISION_SCHEMA = "locoexport.precision-sidecar/1"
"""Of a file in a smaller precision."""
SIDECAR_LIMIT_BYTES = 5_000_000
_BLOCK_SIDES = (1, 2, 4, 8)
_HEADER_BYTES = 100_000


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


@dataclass(frozen=True)
class SidecarMaker:
    """Who says so: the version that wrote a sidecar, and what the oracle was.

    ``weights`` is as in the model's metadata, with the checkpoint's SHA-256; ``profile_sha256`` is
    of every value of the profile.
    """

    locoexport: str
    profile: str
    profile_sha256: str
    weights: str


@dataclass(frozen=True, eq=False)
class Sidecar:
    """All cases, the files that they are for (SHA-256 by role) and what may differ.

    ``exported_p99_px`` is how far a file in a smaller precision was on these inputs on export, in
    pixels of 256×256. ``made_by`` is None in early files of 0.1.0, which do not say.
    """

    model_sha256: Mapping[str, str]
    tolerance: Tolerance | PrecisionTolerance
    torch_version: str
    cases: tuple[SidecarCase, ...]
    exported_p99_px: float | None = None
    made_by: SidecarMaker | None = None


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
    if sidecar.made_by is not None:
        header["made_by"] = asdict(sidecar.made_by)
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


def read_sidecar(path: str | Path, model_sha256: Mapping[str, str]) -> Sidecar:
    """Read a sidecar and check that it belongs to a model.

    Args:
        path: of the .parity.npz.
        model_sha256: of the model's files, by role (``whole``, or the three of a split export).

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
        arrays = load_archive(path, SIDECAR_BYTES)
    except OSError as error:
        raise SidecarError(f"Cannot read {path}: {error.strerror or error}.") from error
    except InputError as error:
        raise SidecarError(f"{path} is not a sidecar: {error}") from error
    try:
        return _read(path, arrays, model_sha256)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise SidecarError(
            f"{path} is damaged or no sidecar ({reason[:200]}); export the model again with "
            "--sidecar."
        ) from error


def _read(
    path: Path, arrays: Mapping[str, NDArray[Any]], model_sha256: Mapping[str, str]
) -> Sidecar:
    header = _parse_header(arrays["header"])
    schema = header["schema"]
    if schema not in (SIDECAR_SCHEMA, PRECISION_SCHEMA):
        raise SidecarError(
            f"{path} has the schema {schema!r}; this version reads {SIDECAR_SCHEMA!r} and "
            f"{PRECISION_SCHEMA!r}. Export the model again with --sidecar."
        )
    _check_belongs(path, header["model_sha256"], model_sha256)
    entries = header["cases"]
    if not (isinstance(entries, list) and entries):
        raise ValueError("it has no cases")
    maker, exported = header.get("made_by"), header.get("exported_p99_px")
    return Sidecar(
        dict(model_sha256),
        _tolerance(schema, header["tolerance"]),
        str(header["torch"]),
        tuple(_case(arrays, index, entry, schema) for index, entry in enumerate(entries)),
        None if exported is None else _number(exported),
        None if maker is None else SidecarMaker(**{k: str(v) for k, v in dict(maker).items()}),
    )


def _parse_header(values: NDArray[Any]) -> dict[str, Any]:
    if values.dtype != np.uint8 or values.size > _HEADER_BYTES:
        raise ValueError("its header is not text")
    header = json.loads(values.tobytes().decode())
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header


def _tolerance(schema: str, stated: Mapping[str, Any]) -> Tolerance | PrecisionTolerance:
    """What the sidecar states, where every limit is a number from 0 up."""
    origin = str(stated["origin"])
    if schema == SIDECAR_SCHEMA:
        return Tolerance(_number(stated["tracks_px"]), _number(stated["logits"]), origin)
    known: dict[str, Precision] = {"fp16": "fp16", "int8": "int8"}
    p99_px, flip_share = _number(stated["p99_px"]), _number(stated["flip_share"])
    return PrecisionTolerance(known[stated["precision"]], p99_px, flip_share, origin)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{value} is not a number from 0 up")
    return float(value)


def _check_belongs(path: Path, stated: Any, model_sha256: Mapping[str, str]) -> None:
    if not isinstance(stated, dict):
        raise ValueError("it does not say which model it is of")
    for role, found in model_sha256.items():
        if stated.get(role) != found:
            raise SidecarError(
                f"{path} is not of this model: it was written for SHA-256 "
                f"{str(stated.get(role))[:64]}, the {role} file has {found}. Use the pair as it "
                "was exported; a file that was changed since (rewritten, converted, cut) can only "
                "be verified against its checkpoint."
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


def _case(arrays: Mapping[str, NDArray[Any]], index: int, entry: Any, schema: str) -> SidecarCase:
    """One case, whose arrays fit each other.

    Raises:
        ValueError: an array is of another type or shape than the others ask for.
    """

    def value(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        found = arrays[f"{index}.{name}"]
        if found.dtype != np.float32 or found.shape != shape:
            raise ValueError(
                f"{index}.{name} is {found.dtype} of {found.ndim} axes; expected float32 of shape "
                f"{shape}"
            )
        return found

    pointwise = schema == SIDECAR_SCHEMA
    side = entry["block_side"]
    if side not in _BLOCK_SIDES:
        raise ValueError(f"its blocks have the side {str(side)[:20]}, not one of {_BLOCK_SIDES}")
    blocks = arrays[f"{index}.{'blocks_u8' if pointwise else 'differences_u8'}"]
    if blocks.dtype != np.uint8 or blocks.ndim != 5 or blocks.shape[4] != 3 or not blocks.size:
        raise ValueError(f"the frames of case {index} are {blocks.dtype} of {blocks.ndim} axes")
    SIDECAR_BYTES.check(blocks.size * side * side * 4, f"The video of case {index}", SidecarError)
    queries = arrays[f"{index}.query_points_tyx"]
    batch, frames = blocks.shape[:2]
    points = queries.shape[1] if queries.ndim == 3 else 0
    queries = value("query_points_tyx", (batch, points, 3))
    each = (batch, points, frames)
    reference = TrackArrays(
        value("tracks_xy", (*each, 2)), value("occlusion", each), value("expected_dist", each)
    )
    noise = None
    if pointwise:
        gap = value("peak_gap", each)
        noise = Conditioning(gap, *(value(f"noise_{of}", each[:2]) for of in ("px", "logits")))
        if not all(np.isfinite(v).all() for v in (noise.noise_px, noise.noise_logits)):
            raise ValueError(f"the noise of case {index} is not a number")
    name = str(entry["name"])
    return SidecarCase(
        name, blocks if pointwise else _summed(blocks), side, queries, reference, noise
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
