"""Frames of a textured square that moves over a textured ground, and where its points are."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["square_at", "square_frames"]

_STEP_YX = (1, 2)


def square_frames(
    count: int, size_hw: tuple[int, int] = (64, 64), side: int = 24
) -> NDArray[np.uint8]:
    """uint8 (count, height, width, 3); the square goes on by (1, 2) pixels a frame, and round."""
    rng = np.random.default_rng(5)
    ground = _blocks(rng, size_hw, 60, 120)
    square = _blocks(rng, (side, side), 0, 255)
    frames = np.repeat(ground[None], count, 0)
    for index, frame in enumerate(frames):
        top, left = (int(each) for each in square_at(index, size_hw, side))
        frame[top : top + side, left : left + side] = square
    return frames


def square_at(index: int, size_hw: tuple[int, int] = (64, 64), side: int = 24) -> tuple[int, int]:
    """(y, x) of the square's upper left corner."""
    top, left = (
        (4 + index * step) % (size - side) for step, size in zip(_STEP_YX, size_hw, strict=True)
    )
    return top, left


def _blocks(
    rng: np.random.Generator, size_hw: tuple[int, int], low: int, high: int
) -> NDArray[np.uint8]:
    """Coloured blocks of 4x4 pixels."""
    height, width = size_hw
    coarse = rng.integers(low, high, (-(-height // 4), -(-width // 4), 3))
    return coarse.repeat(4, 0).repeat(4, 1)[:height, :width].astype(np.uint8)
