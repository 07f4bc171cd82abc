"""Outlines and motions of the layers of a generated sequence, at random."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.training.data.generated.layers import TEXTURE_SIDE, Layer

__all__ = ["make_background", "make_shape"]

Floats = NDArray[np.float64]

_KINDS = ("blob", "polygon", "bar", "ring")
_HARMONICS = 5
_CENTRE = TEXTURE_SIDE / 2
_REACH = 0.45 * TEXTURE_SIDE
_MOST_TILT = 0.45
"""How much nearer or farther than its middle the edge of a shape may be, at most."""


def make_background(
    picture: NDArray[np.uint8],
    frames: int,
    side: int,
    difficulty: float,
    pace: float,
    random: np.random.Generator,
) -> Layer:
    """A picture without an end, which a camera pans over."""
    covered = np.full((*picture.shape[:2], 1), 255, np.uint8)
    speed = _speed(random, difficulty, side) * 0.5
    to_frame = _motion(
        frames,
        pace=pace,
        centre_xy=np.full(2, side / 2),
        scale=random.uniform(0.8, 1.4) * side / TEXTURE_SIDE * 1.4,
        reach_px=side * 0.7,
        speed=speed,
        tilt=0.15 * difficulty,
        turn=0.4,
        random=random,
    )
    return Layer(np.concatenate((picture, covered), -1), to_frame, endless=True)


def make_shape(
    picture: NDArray[np.uint8],
    frames: int,
    side: int,
    difficulty: float,
    pace: float,
    random: np.random.Generator,
) -> Layer:
    """A shape cut from a picture, somewhere in or near the frame."""
    mask = _outline(str(random.choice(_KINDS, p=(0.45, 0.3, 0.15, 0.1))), random)
    radius = side * np.exp(random.uniform(np.log(0.08), np.log(0.35)))
    to_frame = _motion(
        frames,
        pace=pace,
        centre_xy=random.uniform(0.05 * side, 0.95 * side, 2),
        scale=radius / _REACH,
        reach_px=radius,
        speed=_speed(random, difficulty, side),
        tilt=_MOST_TILT * min(1.0, difficulty),
        turn=1.2 * difficulty,
        random=random,
    )
    return Layer(np.concatenate((picture, mask[..., None]), -1), to_frame)


def _speed(random: np.random.Generator, difficulty: float, side: int) -> float:
    """Pixels a frame, most of them slow: 0.3 to 8 of a frame of 256 at difficulty 1."""
    of_256 = np.exp(random.uniform(np.log(0.3), np.log(2 + 6 * difficulty)))
    return float(of_256 * side / 256)


def _motion(
    frames: int,
    *,
    pace: float,
    centre_xy: Floats,
    scale: float,
    reach_px: float,
    speed: float,
    tilt: float,
    turn: float,
    random: np.random.Generator,
) -> Floats:
    """(frames, 3, 3): place, turn, size, shear and tilt along smooth curves."""

    def curve(size: float, rate: float = 1.0) -> Floats:
        return size * _smooth_curve(frames, rate * pace, random)

    # A sine of rate r and size a moves at most 2π·a·r/24 a frame.
    rate = random.uniform(0.3, 1.5)
    travel = speed * 24 / (2 * np.pi * rate)
    place = centre_xy + np.stack((curve(travel, rate), curve(travel, rate)), -1)
    angle = random.uniform(-np.pi, np.pi) + curve(turn)
    size = scale * np.exp(curve(0.3))
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    shear = curve(0.12)
    linear = np.stack(
        (np.stack((cos, cos * shear - sin), -1), np.stack((sin, sin * shear + cos), -1)), -2
    )
    tilts = np.stack((curve(tilt), curve(tilt)), -1)
    tilts *= np.minimum(1.0, tilt / np.maximum(np.linalg.norm(tilts, axis=1), 1e-9))[:, None]
    homographies = np.zeros((frames, 3, 3))
    homographies[:, :2, :2] = linear
    homographies[:, 2, :2] = np.einsum("fi,fij->fj", tilts / reach_px, linear)
    homographies[:, 2, 2] = 1
    middle = np.array([[1, 0, -_CENTRE], [0, 1, -_CENTRE], [0, 0, 1]])
    moved = np.repeat(np.eye(3)[None], frames, 0)
    moved[:, :2, 2] = place
    return np.asarray(moved @ homographies @ middle)


def _smooth_curve(frames: int, rate: float, random: np.random.Generator) -> Floats:
    """(frames,) about within -1..1: three sines, equally fast in short clips and long."""
    seconds = np.arange(frames) / 24.0
    rates, phase = rate * random.uniform(0.2, 1.0, 3), random.uniform(0, 2 * np.pi, 3)
    weight = random.dirichlet(np.ones(3))
    return np.asarray(np.sin(2 * np.pi * seconds[:, None] * rates + phase) @ weight)


def _outline(kind: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """How much of each pixel a shape covers, uint8 (512, 512)."""
    mask = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE), np.uint8)
    if kind == "bar":
        half = np.array([_REACH, _REACH * random.uniform(0.08, 0.25)])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    elif kind == "polygon":
        angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(3, 9))))
        reach = _REACH * random.uniform(0.5, 1.0, len(angles))
        corners = reach[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)
    else:
        corners = _blob(random)
    _fill(mask, corners, 255)
    if kind == "ring":
        _fill(mask, corners * random.uniform(0.4, 0.7), 0)
    return mask


def _blob(random: np.random.Generator) -> Floats:
    angles = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    order = np.arange(1, _HARMONICS + 1)
    weights = 0.5 * random.random(_HARMONICS) / order
    phases = random.uniform(0, 2 * np.pi, _HARMONICS)
    radius = 1 + (weights * np.cos(order * angles[:, None] + phases)).sum(1)
    radius *= _REACH / radius.max()
    return np.asarray(radius[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1))


def _fill(mask: NDArray[np.uint8], corners: Floats, value: int) -> None:
    # Four fractional bits; OpenCV counts pixels from their centres.
    fixed = np.rint((corners + _CENTRE - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], value, cv2.LINE_AA, 4)
