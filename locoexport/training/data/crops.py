"""A random part of a clip, the same in all frames, enlarged to the size of a sample."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["crop_frames", "draw_window"]

_LEAST_SHARE, _LEAST_ASPECT, _MOST_ASPECT = 0.3, 0.5, 2.0
_ATTEMPTS = 20


def draw_window(size_hw: tuple[int, int], random: np.random.Generator) -> tuple[int, int, int, int]:
    """(top, left, bottom, right): 0.3 to 1 of the area, 0.5 to 2 times as wide as high.

    As ``tf.image.sample_distorted_bounding_box`` draws it for the whole frame: an aspect ratio,
    then a height among those whose area fits; after 20 attempts the whole frame.
    """
    height, width = size_hw
    for _ in range(_ATTEMPTS):
        aspect = random.uniform(_LEAST_ASPECT, _MOST_ASPECT)
        area = height * width
        lowest = round(math.sqrt(_LEAST_SHARE * area / aspect))
        highest = min(
            round(math.sqrt(area / aspect)), height, math.floor((width + 0.4999999) / aspect)
        )
        if lowest > highest:
            continue
        tall = int(random.integers(lowest, highest + 1))
        wide = round(tall * aspect)
        if not (0 < wide <= width and _LEAST_SHARE * area <= tall * wide):
            continue
        top = int(random.integers(0, height - tall + 1))
        left = int(random.integers(0, width - wide + 1))
        return top, left, top + tall, left + wide
    return 0, 0, height, width


def crop_frames(
    frames_rgb: NDArray[np.uint8], window: tuple[int, int, int, int], size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """The window of every frame, resized bilinearly (half-pixel centres, no antialiasing).

    uint8 (T, H, W, 3) → float32 (T, *size_hw, 3) in [-1, 1].
    """
    top, left, bottom, right = window
    height, width = size_hw
    parts = frames_rgb[:, top:bottom, left:right].astype(np.float32)
    resized = np.empty((len(parts), height, width, 3), np.float32)
    for part, target in zip(parts, resized, strict=True):
        cv2.resize(part, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return resized / np.float32(127.5) - 1
