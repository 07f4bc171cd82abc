"""A random part of a clip, the same in all frames, enlarged to the size of a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Window", "crop_frames", "draw_window"]

Window = tuple[int, int, int, int]
"""Top, left, bottom and right edge in pixels; the last two are exclusive."""

_LEAST_SHARE, _LEAST_ASPECT, _MOST_ASPECT = 0.3, 0.5, 2.0
_ATTEMPTS = 20
_HALF = np.float32(127.5)


def draw_window(size_hw: tuple[int, int], random: np.random.Generator) -> Window:
    """A part with 0.3 to 1 of the area that is 0.5 to 2 times as wide as high.

    As ``tf.image.sample_distorted_bounding_box`` draws it for the whole frame (its kernel,
    ``GenerateRandomCrop``): an aspect ratio, then a height among those that fit, then a corner;
    the last possible corner is left out, as there. After 20 attempts it is the whole frame.
    """
    height, width = size_hw
    least, most = _LEAST_SHARE * height * width, height * width
    for _ in range(_ATTEMPTS):
        aspect = random.uniform(_LEAST_ASPECT, _MOST_ASPECT)
        highest = min(
            round(math.sqrt(most / aspect)), height, math.floor((width + 0.4999999) / aspect)
        )
        lowest = min(round(math.sqrt(least / aspect)), highest)
        tall = int(random.integers(lowest, highest + 1))
        if tall * round(tall * aspect) < least:  # by rounding alone
            tall += 1
        if tall * round(tall * aspect) > most:
            tall -= 1
        wide = round(tall * aspect)
        if not (0 < tall <= height and 0 < wide <= width and least <= tall * wide <= most):
            continue
        top = int(random.integers(max(1, height - tall)))
        left = int(random.integers(max(1, width - wide)))
        return top, left, top + tall, left + wide
    return 0, 0, height, width


def crop_frames(
    frames_rgb: NDArray[np.uint8],
    window: Window,
    size_hw: tuple[int, int],
    *,
    half_pixel_centres: bool = True,
) -> NDArray[np.float32]:
    """The window of every frame, resized bilinearly without antialiasing.

    uint8 (T, H, W, 3) → float32 (T, *size_hw, 3) in [-1, 1]. Pixel i is taken at (i + ½)·s − ½ of
    the window, s being its side by the new one. Without ``half_pixel_centres`` it is taken at i·s,
    as kubric's frames are (``tf.compat.v1.image.resize``). kubric does not move its points along:
    they all lie (1 − s)/(2s) px right of and below what they are on.
    """
    top, left, bottom, right = window
    height, width = size_hw
    rows = _neighbours(bottom - top, height, half_pixel_centres)
    columns = _neighbours(right - left, width, half_pixel_centres).repeat(3)
    resized = np.empty((len(frames_rgb), height, width, 3), np.float32)
    # A frame at a time, so that all of it stays in the processor's cache.
    for frame, target in zip(frames_rgb, resized, strict=True):
        part = frame[top:bottom, left:right].astype(np.float32).reshape(bottom - top, -1)
        mixed = rows.mix(columns.mix(part, 1), 0)
        np.divide(mixed.reshape(height, width, 3), _HALF, out=target)
    resized -= 1
    return resized


@dataclass(frozen=True, eq=False)
class _Neighbours:
    """Along one axis: the two places each new one is mixed of, and the share of the second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: NDArray[np.float32]

    def repeat(self, channels: int) -> _Neighbours:
        """For an axis in which so many channels follow one another at each place."""
        channel = np.arange(channels)
        return _Neighbours(
            (self.first[:, None] * channels + channel).ravel(),
            (self.second[:, None] * channels + channel).ravel(),
            self.share.repeat(channels),
        )

    def mix(self, values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
        """The axis at its new places."""
        first, mixed = values.take(self.first, axis), values.take(self.second, axis)
        mixed -= first
        mixed *= self.share if axis == 1 else self.share[:, None]
        mixed += first
        return mixed


def _neighbours(old: int, new: int, half_pixel_centres: bool) -> _Neighbours:
    step = old / new
    at = (np.arange(new) + 0.5) * step - 0.5 if half_pixel_centres else np.arange(new) * step
    first = np.floor(at).astype(np.int64)
    share = (at - first).astype(np.float32)
    return _Neighbours(first.clip(0, old - 1), (first + 1).clip(0, old - 1), share)
