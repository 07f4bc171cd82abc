"""Generated sequences: textured layers under smooth affine motion that hide one another.

Everything is analytic. A layer is the inside of a smooth closed curve, moved by an affine map a
frame; a point lies on a layer, so its track is that layer's motion, exactly, and it is hidden where
a layer above covers it or where it leaves the frame. The same seed and index give the same
sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.evaluation.datasets.textures import TEXTURE_SIZE, make_texture
from locoexport.runtime.tracks.tapvid import TapVidClip

__all__ = ["SyntheticSettings", "make_sequence"]

Floats = NDArray[np.float64]

_LAYERS = (2, 6)
_HARMONICS = 4
_EDGE_PX = 2.0
"""How far inside its layer a point is chosen at least: on the very edge nothing can be tracked."""
_ROOM = 4
"""Candidates for each point that is wanted."""


@dataclass(frozen=True)
class SyntheticSettings:
    """What is generated: sequences of ``frames`` square frames of ``side`` pixels."""

    frames: int = 24
    points: int = 64
    side: int = 256
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Layer:
    """One textured shape and its motion.

    ``to_frame`` (frames, 2, 3) maps (x, y) on the layer to (x, y) in the frame, in pixels.
    ``radii`` are the coefficients of the outline's radius over the angle; empty for a background
    without an end. ``anchor_xy`` is where on its texture the layer's origin lies.
    """

    texture: NDArray[np.float32]
    to_frame: Floats
    radii: NDArray[np.complex128]
    anchor_xy: Floats

    def inside(self, xy: Floats) -> Floats:
        """How far inside the outline (..., 2) points of the layer are, along the radius."""
        if not len(self.radii):
            return np.full(xy.shape[:-1], np.inf)
        z = xy[..., 0] + 1j * xy[..., 1]
        distance = np.abs(z)
        turn = np.divide(z, distance, out=np.ones_like(z), where=distance > 0)
        # Horner, from the highest harmonic down.
        radius = np.zeros_like(z)
        for coefficient in self.radii[::-1]:
            radius = radius * turn + coefficient
        return np.asarray(radius.real - distance)

    def place(self, xy: Floats, frame: int) -> Floats:
        """Points (..., 2) of the layer in a frame."""
        return np.asarray(xy @ self.to_frame[frame, :, :2].T + self.to_frame[frame, :, 2])

    def locate(self, xy: Floats, frame: int) -> Floats:
        """Points (..., 2) of a frame on the layer."""
        inverse = np.linalg.inv(self.to_frame[frame, :, :2])
        return np.asarray((xy - self.to_frame[frame, :, 2]) @ inverse.T)


def make_sequence(index: int, settings: SyntheticSettings | None = None) -> TapVidClip:
    """The sequence of that index, with exact tracks and occlusion (positions float64 in 0..1)."""
    settings = settings or SyntheticSettings()
    random = np.random.default_rng([7, settings.seed, index])
    layers = [_make_background(random, settings)]
    layers += [_make_shape(random, settings) for _ in range(int(random.integers(*_LAYERS)))]
    video = _render(layers, random, settings)
    tracks_xy, occluded = _choose_points(layers, random, settings)
    return TapVidClip(video, tracks_xy / settings.side, occluded)


def _make_background(random: np.random.Generator, settings: SyntheticSettings) -> _Layer:
    motion = _make_motion(
        random, settings, travel=0.12 * settings.side, centre=np.full(2, settings.side / 2)
    )
    return _Layer(make_texture(random), motion, np.zeros(0, np.complex128), _anchor(random))


def _make_shape(random: np.random.Generator, settings: SyntheticSettings) -> _Layer:
    side = settings.side
    centre = random.uniform(0.15 * side, 0.85 * side, 2)
    motion = _make_motion(random, settings, travel=0.35 * side, centre=centre)
    radius = random.uniform(0.1, 0.26) * side
    order = np.arange(1, _HARMONICS + 1)
    amplitude = 0.3 * random.random(_HARMONICS) / order
    phase = np.exp(2j * np.pi * random.random(_HARMONICS))
    radii = np.asarray(radius * np.concatenate(([1.0 + 0j], amplitude * phase)), np.complex128)
    return _Layer(make_texture(random), motion, radii, _anchor(random))


def _anchor(random: np.random.Generator) -> Floats:
    return random.uniform(0, TEXTURE_SIZE, 2)


def _make_motion(
    random: np.random.Generator, settings: SyntheticSettings, *, travel: float, centre: Floats
) -> Floats:
    """Affine maps (frames, 2, 3): translation, rotation, scale and shear along smooth curves."""

    def curve(size: float) -> Floats:
        return size * _smooth_curve(random, settings.frames)

    angle, grow, stretch, shear = curve(0.35), curve(0.15), curve(0.06), curve(0.08)
    cos, sin, scale = np.cos(angle), np.sin(angle), np.exp(grow)
    turn = np.stack((np.stack((cos, -sin), -1), np.stack((sin, cos), -1)), -2)
    skew = np.zeros((settings.frames, 2, 2))
    skew[:, 0, 0], skew[:, 1, 1], skew[:, 0, 1] = np.exp(stretch), np.exp(-stretch), shear
    place = centre + np.stack((curve(travel), curve(travel)), -1)
    return np.concatenate((scale[:, None, None] * (turn @ skew), place[:, :, None]), axis=2)


def _smooth_curve(random: np.random.Generator, frames: int) -> Floats:
    """(frames,) about within -1..1: three slow sines, equally fast in short clips and long."""
    seconds = np.arange(frames) / 24.0
    rate, phase = random.uniform(0.1, 0.7, 3), random.uniform(0, 2 * np.pi, 3)
    weight = random.standard_normal(3) / 3.0
    return np.asarray(np.sin(2 * np.pi * seconds[:, None] * rate + phase) @ weight)


def _render(
    layers: list[_Layer], random: np.random.Generator, settings: SyntheticSettings
) -> NDArray[np.uint8]:
    """Frames back to front; then light that drifts a little, and noise of a camera."""
    side = settings.side
    centres = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), -1)
    light = 1 + 0.06 * _smooth_curve(random, settings.frames)
    video = np.empty((settings.frames, side, side, 3), np.uint8)
    for frame in range(settings.frames):
        picture = np.zeros((side, side, 3), np.float32)
        for layer in layers:
            on_layer = layer.locate(centres, frame)
            scale = np.sqrt(np.linalg.det(layer.to_frame[frame, :, :2]))
            # Half covered on the outline, wholly half a pixel inside it.
            cover = np.clip(layer.inside(on_layer) * scale + 0.5, 0, 1).astype(np.float32)
            picture += cover[..., None] * (_look_up(layer, on_layer) - picture)
        noise = random.standard_normal(picture.shape, np.float32) * np.float32(1.5)
        video[frame] = np.clip(np.rint(picture * light[frame] + noise), 0, 255)
    return video


def _look_up(layer: _Layer, on_layer: Floats) -> NDArray[np.float32]:
    """The layer's colours at points (side, side, 2) of it."""
    index = (on_layer + layer.anchor_xy - 0.5).astype(np.float32)
    colours = cv2.remap(
        layer.texture, index[..., 0], index[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    return np.asarray(colours, np.float32)


def _choose_points(
    layers: list[_Layer], random: np.random.Generator, settings: SyntheticSettings
) -> tuple[Floats, NDArray[np.bool_]]:
    """Tracks (points, frames, 2) in pixels and occlusion (points, frames).

    Each point is seen in some frame, well inside the layer that is on top there.
    """
    wanted = settings.points * _ROOM
    at = random.integers(0, settings.frames, wanted)
    xy = random.uniform(1, settings.side - 1, (wanted, 2))
    owner = np.empty(wanted, np.int64)
    deep = np.empty(wanted, np.bool_)
    home = np.empty((wanted, 2))
    for point in range(wanted):
        depths = [layer.inside(layer.locate(xy[point], at[point])) for layer in layers]
        owner[point] = max(i for i, depth in enumerate(depths) if depth > 0)
        deep[point] = all(abs(depth) > _EDGE_PX for depth in depths[owner[point] :])
        home[point] = layers[owner[point]].locate(xy[point], at[point])
    kept = np.flatnonzero(deep)[: settings.points]
    owner, home = owner[kept], home[kept]
    tracks = np.empty((len(kept), settings.frames, 2))
    occluded = np.empty((len(kept), settings.frames), np.bool_)
    for frame in range(settings.frames):
        for index, layer in enumerate(layers):
            mine = owner == index
            tracks[mine, frame] = layer.place(home[mine], frame)
        outside = ((tracks[:, frame] < 0) | (tracks[:, frame] >= settings.side)).any(axis=1)
        covered = np.zeros(len(kept), np.bool_)
        for index, layer in enumerate(layers):
            above = index > owner
            covered |= above & (layer.inside(layer.locate(tracks[:, frame], frame)) > 0)
        occluded[:, frame] = outside | covered
    return tracks, occluded
