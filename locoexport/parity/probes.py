"""Inputs that a graph is tried on: moving textures, noise, and awkward query points. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MadeKind",
    "Probe",
    "make_probe",
    "noise_video",
    "probe_queries",
    "textured_video",
    "to_uint8",
]

Floats = NDArray[np.float32]
MadeKind = Literal["textured", "noise"]
"""What ``make_probe`` draws: a network sees motion in a texture, and nothing in noise."""

_WAVES = 64
_VELOCITY_XY = (2.3, -1.1)  # pixels a frame: sub-pixel motion, another in each axis


@dataclass(frozen=True)
class Probe:
    """One pair of inputs: (B, T, H, W, 3) and (B, N, 3) as (t, y, x).

    The video is float32 in [-1, 1], or uint8 for a graph that takes frames as a clip has them.
    ``kind`` says where it comes from: drawn by ``make_probe``, a clip from a file, or a generated
    sequence whose motion is known. ``first_video`` are its frames at a network's first level,
    where they are not resized from ``video``.
    """

    name: str
    kind: MadeKind | Literal["clip", "sequence"]
    video: NDArray[Any]
    query_points_tyx: Floats
    first_video: Floats | None = None


def make_probe(
    kind: MadeKind, *, batch: int, frames: int, points: int, size_hw: tuple[int, int], seed: int
) -> Probe:
    """A ``textured`` or ``noise`` clip with awkward query points; deterministic."""
    make = {"textured": textured_video, "noise": noise_video}[kind]
    video = np.stack([make(frames, size_hw, seed + b) for b in range(batch)])
    queries = np.stack([probe_queries(points, frames, size_hw, seed + b) for b in range(batch)])
    return Probe(f"{kind} {batch}x{frames}x{points}", kind, video, queries)


def to_uint8(video: Floats) -> NDArray[np.uint8]:
    """Frames in [-1, 1] as the nearest grey levels."""
    levels: NDArray[np.uint8] = np.rint((video + 1) * 127.5).astype(np.uint8)
    return levels


def textured_video(frames: int, size_hw: tuple[int, int], seed: int) -> Floats:
    """(T, H, W, 3) in [-1, 1]: a sum of plane waves that drifts by a known sub-pixel step."""
    random = np.random.default_rng([1, seed])
    radius = 2.0 * 15.0 ** random.random(_WAVES)  # cycles per 256 px, 2 to 30
    angle = 2 * np.pi * random.random(_WAVES)
    fx, fy = radius * np.cos(angle) / 256.0, radius * np.sin(angle) / 256.0
    amplitude = random.standard_normal((3, _WAVES)) / np.sqrt(radius)
    amplitude /= np.sqrt(0.5 * np.sum(amplitude**2, axis=1, keepdims=True))
    phased = amplitude * np.exp(2j * np.pi * random.random((3, _WAVES)))
    along_x = np.exp(2j * np.pi * fx[:, None] * (np.arange(size_hw[1]) + 0.5))
    along_y = np.exp(2j * np.pi * fy[:, None] * (np.arange(size_hw[0]) + 0.5))
    video = np.empty((frames, *size_hw, 3), np.float32)
    for t in range(frames):
        drift = np.exp(-2j * np.pi * t * (fx * _VELOCITY_XY[0] + fy * _VELOCITY_XY[1]))
        for c in range(3):
            video[t, :, :, c] = ((along_y * (phased[c] * drift)[:, None]).T @ along_x).real
    return np.asarray(np.clip(0.4 * video, -1, 1), np.float32)


def noise_video(frames: int, size_hw: tuple[int, int], seed: int) -> Floats:
    """(T, H, W, 3) in [-1, 1]: every value independent, the worst case for a matcher."""
    random = np.random.default_rng([2, seed])
    return random.uniform(-1, 1, (frames, *size_hw, 3)).astype(np.float32)


def probe_queries(points: int, frames: int, size_hw: tuple[int, int], seed: int) -> Floats:
    """(N, 3) as (t, y, x): corners, borders, outside, fractional times, then uniform ones."""
    (height, width), last = size_hw, frames - 1
    awkward = [
        (0, height / 2 + 3.5, width / 2 - 7.25),
        (last, 0, 0),
        (0, height, width),
        (last, 0, width),
        (0, height, 0),
        (0.5, height * 2 / 3, width / 4),
        (1.5, height / 2, width / 2),
        (0.25 * last, height / 3, width / 3),
        (0, -3.5, width / 2),
        (last, height + 4.25, width / 3),
        (1, height / 2, -2.5),
        (last - 0.125, height / 3, width + 6),
        (0.5, -height / 6, -width / 6),
        (last, height * 7 / 6, width * 7 / 6),
        (0, 0.5, width - 0.5),
        (last, height - 0.5, 0.5),
    ]
    random = np.random.default_rng([3, seed])
    uniform = random.random((points, 3)) * (max(last, 0), height, width)
    uniform[1::2, 0] = np.floor(uniform[1::2, 0])
    # With fewer points than awkward places, another seed begins at another place.
    places = np.roll(np.array(awkward, np.float64), -(seed % len(awkward)), axis=0)
    chosen = np.concatenate((places[: min(points, len(places))], uniform))[:points]
    chosen[:, 0] = np.clip(chosen[:, 0], 0, last)
    return chosen.astype(np.float32)
