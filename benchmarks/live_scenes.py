"""Scenes with one textured square before a textured ground: hidden for a while, or moving fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from locoexport.evaluation.datasets.textures import TEXTURE_SIZE, make_texture

__all__ = ["Scene", "hidden_scene", "moving_scene"]

_SIDE, _SQUARE, _BEFORE, _AFTER = 256, 72, 20, 12
_SPEED, _FRAMES = 1, 48


@dataclass(frozen=True, eq=False)
class Scene:
    """Frames uint8 (T, 256, 256, 3) and 16 points of the square, asked for in frame 0.

    ``tracks_xy`` (16, T, 2). Hidden are frames ``hidden_from`` to before ``hidden_until``.
    """

    frames_rgb: np.ndarray
    query_points_tyx: np.ndarray
    tracks_xy: np.ndarray
    hidden_from: int = 0
    hidden_until: int = 0


def hidden_scene(seed: int, hidden: int) -> Scene:
    """The square moves 1 px a frame, and for so many frames something larger lies over it."""
    random = np.random.default_rng([11, seed])
    frames = _BEFORE + hidden + _AFTER
    left = 60.0 + _SPEED * np.arange(frames)
    corners = np.stack((left, np.full(frames, 90.0)), 1)
    return _scene(random, corners, (_BEFORE, _BEFORE + hidden))


def moving_scene(seed: int, speed_px: int) -> Scene:
    """The square goes to and fro at that speed, turning where it meets the border."""
    random = np.random.default_rng([12, seed])
    room = _SIDE - _SQUARE
    way = 40 + speed_px * np.arange(_FRAMES)
    left = room - np.abs(way % (2 * room) - room)
    corners = np.stack((left, np.full(_FRAMES, 90)), 1).astype(float)
    return _scene(random, corners, (0, 0))


def _scene(random: np.random.Generator, corners_xy: np.ndarray, hidden: tuple[int, int]) -> Scene:
    ground, square, cover = (_cut(random, size) for size in (_SIDE, _SQUARE, _SQUARE + 24))
    frames = np.repeat(ground[None], len(corners_xy), 0)
    for index, (x, y) in enumerate(corners_xy.astype(int)):
        frames[index, y : y + _SQUARE, x : x + _SQUARE] = square
        if hidden[0] <= index < hidden[1]:
            frames[index, y - 12 : y + _SQUARE + 12, x - 12 : x + _SQUARE + 12] = cover
    noise = random.standard_normal(frames.shape, np.float32) * np.float32(1.5)
    frames = np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)
    at = (np.arange(4) + 0.5) * _SQUARE / 4
    on_square = np.stack(np.meshgrid(at, at), -1).reshape(-1, 1, 2)
    tracks = on_square + corners_xy.astype(int)
    queries = np.insert(tracks[:, 0, ::-1], 0, 0, axis=1).astype(np.float32)
    return Scene(frames, queries, tracks, *hidden)


def _cut(random: np.random.Generator, size: int) -> np.ndarray:
    """A piece of a texture of its own."""
    y, x = random.integers(0, TEXTURE_SIZE - size + 1, 2)
    return make_texture(random)[y : y + size, x : x + size]
