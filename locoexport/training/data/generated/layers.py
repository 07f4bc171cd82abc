"""Flat textured shapes that move in space over one another: exact tracks, exact occlusion.

A shape lies in the plane of its texture (512×512 pixels) and is brought into each frame by a
homography, so that it turns, tilts, grows and nears. A point of it is hidden where a shape above
covers it or where it is outside the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXTURE_SIDE", "Layer", "find_tops", "follow_points", "render_frame"]

Floats = NDArray[np.float64]

TEXTURE_SIDE = 512
_OPAQUE = 128
_MOST_AT_ONCE = 16_384


@dataclass(frozen=True, eq=False)
class Layer:
    """``texture`` uint8 (512, 512, 4), its last channel how much it covers (0 to 255);
    ``to_frame`` (T, 3, 3) maps (x, y, 1) of the texture into each frame, in pixels whose centres
    are at .5. ``endless`` continues the texture by mirroring it, and covers everything."""

    texture: NDArray[np.uint8]
    to_frame: Floats
    endless: bool = False

    def place(self, xy: Floats, frame: int) -> Floats:
        """Points (..., 2) of the texture in a frame."""
        return _apply(self.to_frame[frame], xy)

    def locate(self, xy: Floats, frame: int) -> Floats:
        """Points (..., 2) of a frame on the texture."""
        return _apply(np.linalg.inv(self.to_frame[frame]), xy)

    def covers(self, xy: Floats) -> NDArray[np.bool_]:
        """Whether the shape is opaque at points (n, 2) of its texture."""
        if self.endless:
            return np.ones(len(xy), np.bool_)
        covered = np.zeros(len(xy), np.bool_)
        # OpenCV takes no empty row, and none of 32 767 or more.
        for start in range(0, len(xy), _MOST_AT_ONCE):
            index = (xy[start : start + _MOST_AT_ONCE] - 0.5).astype(np.float32)[None]
            found = cv2.remap(
                self.texture[..., 3], index[..., 0], index[..., 1], cv2.INTER_LINEAR, borderValue=0
            )
            covered[start : start + _MOST_AT_ONCE] = found[0] >= _OPAQUE
        return covered


def render_frame(layers: Sequence[Layer], frame: float, side: int) -> NDArray[np.float32]:
    """float32 (side, side, 3) in 0..255: the layers from the first, which lies lowest, to the last.

    ``frame`` may be fractional: between two frames homographies are interpolated.
    """
    picture = np.zeros((side, side, 3), np.float32)
    for layer in layers:
        homography = _between(layer.to_frame, frame)
        top, left, bottom, right = _bounds(layer, homography, side)
        if bottom <= top or right <= left:
            continue
        warped = _warp(layer, homography, (top, left, bottom, right))
        part = picture[top:bottom, left:right]
        if layer.endless:
            part[:] = warped[..., :3]
        else:
            cover = warped[..., 3:] * np.float32(1 / 255)
            part += cover * (warped[..., :3] - part)
    return picture


def find_tops(layers: Sequence[Layer], xy: Floats, frame: int) -> NDArray[np.int64]:
    """The index of the layer that is on top at points (n, 2) of a frame."""
    tops = np.zeros(len(xy), np.int64)
    for index, layer in enumerate(layers):
        tops[layer.covers(layer.locate(xy, frame))] = index
    return tops


def follow_points(
    layers: Sequence[Layer], owners: NDArray[np.int64], homes_xy: Floats, frames: int, side: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Points of layers through all frames: tracks (n, frames, 2) and occluded (n, frames).

    ``homes_xy`` (n, 2) is where each lies on the texture of its layer, ``owners`` (n,).
    """
    tracks = np.empty((len(owners), frames, 2))
    occluded = np.empty((len(owners), frames), np.bool_)
    for frame in range(frames):
        for index, layer in enumerate(layers):
            mine = owners == index
            tracks[mine, frame] = layer.place(homes_xy[mine], frame)
        here = tracks[:, frame]
        outside = ((here < 0) | (here >= side)).any(axis=1)
        occluded[:, frame] = outside | (find_tops(layers, here, frame) > owners)
    return tracks, occluded


def _bounds(layer: Layer, homography: Floats, side: int) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of the part of a frame outside which the layer is not seen."""
    if layer.endless:
        return 0, 0, side, side
    if (_TEXTURE_CORNERS @ homography[2, :2] + homography[2, 2] <= 0).any():
        # Behind the camera; the shape itself, which leaves the corners free, is all before it.
        return 0, 0, side, side
    left, top = _apply(homography, _TEXTURE_CORNERS).min(0) - 1
    right, bottom = _apply(homography, _TEXTURE_CORNERS).max(0) + 1
    inside = np.clip((np.floor(top), np.floor(left), np.ceil(bottom), np.ceil(right)), 0, side)
    return tuple(int(edge) for edge in inside)  # type: ignore[return-value]


def _warp(layer: Layer, homography: Floats, window: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The texture in a window of a frame, uint8 (h, w, 4)."""
    top, left, bottom, right = window
    moved = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]])
    warped = cv2.warpPerspective(
        layer.texture,
        moved @ _TO_INDEX @ homography @ _FROM_INDEX,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101 if layer.endless else cv2.BORDER_CONSTANT,
    )
    return np.asarray(warped, np.uint8)


def _between(homographies: Floats, frame: float) -> Floats:
    first = int(np.clip(np.floor(frame), 0, len(homographies) - 2))
    share = frame - first
    return np.asarray((1 - share) * homographies[first] + share * homographies[first + 1])


def _apply(homography: Floats, xy: Floats) -> Floats:
    mapped = xy @ homography[:, :2].T + homography[:, 2]
    return np.asarray(mapped[..., :2] / mapped[..., 2:])


# OpenCV counts pixels from their centres.
_TO_INDEX = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
_FROM_INDEX = np.linalg.inv(_TO_INDEX)
_TEXTURE_CORNERS = TEXTURE_SIDE * np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
