"""What cameras and codecs do to a clip: blur, noise, JPEG blocks, light, fewer pixels.

Only the picture changes; where things are does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["degrade"]

Frames = NDArray[np.uint8]

_SHARE = 0.3
"""How often each kind is chosen, independently of the others, at strength 1."""


def degrade(frames_rgb: Frames, random: np.random.Generator, strength: float = 1.0) -> Frames:
    """uint8 (T, H, W, 3), each kind of damage drawn once for all frames; noise anew in each.

    ``strength`` 0 leaves the clip as it is; 1 is what handheld cameras and streams do, and more is
    as far beyond.
    """
    share = min(1.0, _SHARE * strength)
    frames = frames_rgb
    if random.random() < share:
        frames = _shrink(frames, 1 + random.uniform(0.3, 1.5) * strength)
    if random.random() < share:
        frames = _blur(frames, random.uniform(0.4, 1.2) * strength)
    if random.random() < share:
        frames = _light(frames, random, strength)
    if random.random() < share:
        frames = _noise(frames, random, random.uniform(2, 10) * strength)
    if random.random() < share:
        frames = _compress(frames, int(np.clip(random.uniform(25, 80) / strength, 5, 95)))
    return frames


def _shrink(frames: Frames, factor: float) -> Frames:
    """To so much fewer pixels a side and back."""
    height, width = frames.shape[1:3]
    small = (max(8, round(width / factor)), max(8, round(height / factor)))
    return _each(
        frames,
        lambda frame: cv2.resize(
            cv2.resize(frame, small, interpolation=cv2.INTER_AREA),
            (width, height),
            interpolation=cv2.INTER_LINEAR,
        ),
    )


def _blur(frames: Frames, sigma: float) -> Frames:
    return _each(frames, lambda frame: cv2.GaussianBlur(frame, (0, 0), sigma))


def _light(frames: Frames, random: np.random.Generator, strength: float) -> Frames:
    """A brightness that drifts, and a gamma."""
    gamma = np.exp(random.uniform(-0.4, 0.4) * strength)
    drift = np.cumsum(random.standard_normal(len(frames))) * 0.02 * strength
    table = 255 * (np.arange(256) / 255) ** gamma
    lit = [
        cv2.LUT(frame, np.clip(np.rint(table * (1 + more)), 0, 255).astype(np.uint8))
        for frame, more in zip(frames, drift, strict=True)
    ]
    return np.stack(lit)


def _noise(frames: Frames, random: np.random.Generator, sigma: float) -> Frames:
    def add(frame: Frames) -> Frames:
        noise = random.standard_normal(frame.shape, np.float32) * np.float32(sigma)
        return np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)

    return _each(frames, add)


def _compress(frames: Frames, quality: int) -> Frames:
    def through_jpeg(frame: Frames) -> Frames:
        _, file = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(file, cv2.IMREAD_COLOR)
        assert decoded is not None
        return np.asarray(decoded, np.uint8)

    return _each(frames, through_jpeg)


def _each(frames: Frames, change: Callable[[Frames], Any]) -> Frames:
    return np.stack([change(frame) for frame in frames])
