"""Pictures for generated sequences: noise of every scale, with shapes and lines on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXTURE_SIZE", "make_texture"]

TEXTURE_SIZE = 512
"""Pixels a side. The noise repeats seamlessly beyond the borders; the shapes are cut there."""

_SHAPES = (12, 40)
_SUBPIXEL_BITS = 3


def make_texture(random: np.random.Generator) -> NDArray[np.float32]:
    """float32 (512, 512, 3) in 0..255.

    Noise whose power falls with frequency, in three correlated colours, under polygons, discs and
    lines of flat colour: smooth regions, edges and corners, as pictures have them. Structures finer
    than three pixels are left out, so that a texture may be shrunk a little without aliasing.
    """
    noise = _noise(random)
    mixing = np.eye(3) + 0.6 * random.random((3, 3))
    coloured = np.tensordot(noise, mixing / np.linalg.norm(mixing, axis=0), axes=([0], [0]))
    contrast, brightness = random.uniform(18, 45), random.uniform(90, 165, 3)
    picture = np.clip(brightness + contrast * coloured, 0, 255).astype(np.float32)
    for _ in range(int(random.integers(*_SHAPES))):
        _draw_shape(picture, random)
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.7, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)


def _noise(random: np.random.Generator) -> NDArray[np.float64]:
    """(3, 512, 512), each of mean 0 and variance 1: white noise times frequency to some power."""
    fx = np.fft.rfftfreq(TEXTURE_SIZE)
    fy = np.fft.fftfreq(TEXTURE_SIZE)[:, None]
    frequency = np.hypot(fx, fy)
    frequency[0, 0] = 1.0
    spectrum = frequency ** -random.uniform(0.8, 1.6) * np.exp(-((frequency / 0.3) ** 4))
    spectrum[0, 0] = 0.0
    white = np.fft.rfft2(random.standard_normal((3, TEXTURE_SIZE, TEXTURE_SIZE)))
    noise = np.fft.irfft2(white * spectrum, s=(TEXTURE_SIZE, TEXTURE_SIZE))
    return np.asarray(noise / noise.std(axis=(1, 2), keepdims=True))


def _draw_shape(picture: NDArray[np.float32], random: np.random.Generator) -> None:
    """One polygon, disc or line, blended with what is there."""
    layer = picture.copy()
    colour = tuple(float(value) for value in random.uniform(0, 255, 3))
    centre, radius = random.uniform(0, TEXTURE_SIZE, 2), random.uniform(5, 45)
    scale = 1 << _SUBPIXEL_BITS
    kind = random.choice(["polygon", "disc", "line"])
    if kind == "polygon":
        corners = int(random.integers(3, 8))
        angles = np.sort(random.uniform(0, 2 * np.pi, corners))
        reach = radius * random.uniform(0.4, 1, corners)
        corners_xy = centre + reach[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)
        fixed = np.rint(corners_xy * scale).astype(np.int32)
        cv2.fillPoly(layer, [fixed], colour, cv2.LINE_8, _SUBPIXEL_BITS)
    elif kind == "disc":
        fixed_centre = tuple(int(value) for value in np.rint(centre * scale))
        cv2.circle(
            layer, fixed_centre, int(radius * scale / 2), colour, -1, cv2.LINE_8, _SUBPIXEL_BITS
        )
    else:
        end = centre + random.uniform(-90, 90, 2)
        begins, ends = ([int(v) for v in np.rint(p * scale)] for p in (centre, end))
        thickness = int(random.integers(2, 7))
        cv2.line(layer, begins, ends, colour, thickness, cv2.LINE_8, _SUBPIXEL_BITS)
    opacity = np.float32(random.uniform(0.5, 1))
    picture += opacity * (layer - picture)
