"""A film for a fake camera: a square that swings, and each frame's number in its corner."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FILM_FRAMES", "FILM_HW", "SQUARE", "square_xy", "swinging_frame", "write_y4m"]

FILM_HW = (240, 320)
FILM_FRAMES = 64
"""There and back, so that the film can be played in a circle."""
SQUARE = 110
"""Its side: some places are on it in every frame, such as (134, 132) and (144, 156)."""
_VELOCITY_XY, _BEGIN_XY = (2, -1), (50, 100)


def square_xy(number: int) -> tuple[int, int]:
    """The upper left corner of the square in a frame."""
    step = min(number, FILM_FRAMES - number)
    return _BEGIN_XY[0] + _VELOCITY_XY[0] * step, _BEGIN_XY[1] + _VELOCITY_XY[1] * step


def swinging_frame(number: int) -> NDArray[np.uint8]:
    """uint8 (240, 320, 3); the number in 8 blocks of 16 pixels, the lowest bit first."""
    frame = _texture(FILM_HW, 1, 60, 130, 12)
    x, y = square_xy(number)
    frame[y : y + SQUARE, x : x + SQUARE] = _texture((SQUARE, SQUARE), 2, 0, 255, 6)
    for bit in range(8):
        frame[:16, 16 * bit : 16 * bit + 16] = 255 * (number >> bit & 1)
    return frame


def write_y4m(path: Path, fps: int = 20) -> None:
    """All frames, in 4:2:0."""
    with av.open(str(path), "w", format="yuv4mpegpipe") as container:
        stream = container.add_stream("wrapped_avframe", rate=fps)
        stream.height, stream.width = FILM_HW
        stream.pix_fmt = "yuv420p"
        for number in range(FILM_FRAMES):
            image = av.VideoFrame.from_ndarray(swinging_frame(number), format="rgb24")
            container.mux(stream.encode(image.reformat(format="yuv420p")))
        container.mux(stream.encode())


def _texture(
    size_hw: tuple[int, int], seed: int, low: int, high: int, cell: int
) -> NDArray[np.uint8]:
    """Smooth noise of that grain."""
    height, width = size_hw
    noise = np.random.default_rng(seed).random(
        (height // cell + 3, width // cell + 3, 3), np.float32
    )
    large = cv2.resize(noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
    return (low + large[:height, :width].clip(0, 1) * (high - low)).astype(np.uint8)
