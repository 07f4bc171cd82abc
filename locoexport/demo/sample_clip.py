"""The built-in clip: two textured sheets that drift, one behind the other. Made, not shipped."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.video.mp4 import write_mp4

__all__ = ["sample_frames", "write_sample_clip"]

_HEIGHT, _WIDTH, _FRAMES, _FPS = 240, 320, 48, 24.0


def write_sample_clip(path: Path) -> None:
    """Write the clip as .mp4: 2 s of 240x320, H.264.

    Raises:
        OutputError: the file cannot be written.
    """
    write_mp4(path, sample_frames(), _FPS)


def sample_frames() -> NDArray[np.uint8]:
    """uint8 (48, 240, 320, 3): always the same."""
    rng = np.random.default_rng(8)
    back = _texture(rng, _HEIGHT + 80, _WIDTH + 80)
    moving, front = _texture(rng, 96, 96), _texture(rng, _HEIGHT, 44)
    front = front // 2  # darker, so that what hides behind it can be told
    frames = []
    for time in np.linspace(0, 1, _FRAMES):
        top = round(40 + 24 * np.sin(2 * np.pi * time))
        left = round(40 + 24 * np.cos(2 * np.pi * time))
        frame = back[top : top + _HEIGHT, left : left + _WIDTH].copy()
        y = round(72 + 36 * np.sin(4 * np.pi * time))
        x = round(16 + 208 * time)
        frame[y : y + 96, x : x + 96] = moving
        frame[:, 150 : 150 + 44] = front
        frames.append(frame)
    return np.stack(frames)


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Noise of several sizes in a tint of its own: corners everywhere, nothing repeated."""
    sheet = np.zeros((height, width, 3))
    for cell in (4, 9, 21, 47):
        size = (width // cell + 2, height // cell + 2)
        coarse = rng.random((size[1], size[0], 3))
        sheet += cell**0.5 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    sheet -= sheet.min()
    tint = 0.55 + 0.45 * rng.random(3)
    answer: NDArray[np.uint8] = (255 * tint * sheet / sheet.max()).astype(np.uint8)
    return answer
