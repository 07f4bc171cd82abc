"""Colours changed at random, one change for all frames of a clip.

The recipe of both published codes (spec/training.md, section 1.4), drawn once a clip as in JAX.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ColourChange", "change_colours", "draw_change"]

_JITTERED_SHARE, _GREY_SHARE = 0.8, 0.2
_BRIGHTNESS, _SATURATION, _CONTRAST, _HUE_TURNS = 32 / 255, 0.4, 0.4, 0.2
_GREY = (0.2989, 0.587, 0.114)


@dataclass(frozen=True)
class ColourChange:
    """``brightness`` is added to values in 0..1, ``hue`` in turns; the others are factors."""

    brightness: float = 0.0
    saturation: float = 1.0
    contrast: float = 1.0
    hue: float = 0.0
    grey: bool = False


def draw_change(generator: torch.Generator) -> ColourChange:
    """A change as the recipe draws it."""
    u = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
    grey = u[5] < _GREY_SHARE
    if u[0] >= _JITTERED_SHARE:
        return ColourChange(grey=grey)
    return ColourChange(
        brightness=_BRIGHTNESS * (2 * u[1] - 1),
        saturation=1 + _SATURATION * (2 * u[2] - 1),
        contrast=1 + _CONTRAST * (2 * u[3] - 1),
        hue=_HUE_TURNS * (2 * u[4] - 1),
        grey=grey,
    )


def change_colours(video: Tensor, change: ColourChange) -> Tensor:
    """(..., T, H, W, 3) RGB in [-1, 1] → the same, changed and clipped to [-1, 1]."""
    if change == ColourChange(grey=change.grey):
        changed = video
    else:
        frames = 0.5 * (video + 1) + change.brightness
        frames = _turn_and_saturate(frames, change.hue, change.saturation, change.contrast)
        changed = 2 * frames.clamp(0, 1) - 1
    if not change.grey:
        return changed
    grey = (changed * changed.new_tensor(_GREY)).sum(-1, keepdim=True)
    return grey.expand_as(changed).contiguous()


def _turn_and_saturate(rgb: Tensor, hue: float, saturation: float, contrast: float) -> Tensor:
    """Saturation, then contrast about each frame's and channel's mean, then hue."""
    h, s, v = _to_hsv(rgb)
    rgb = _to_rgb(h, (s * saturation).clamp(0, 1), v)
    mean = rgb.mean((-3, -2), keepdim=True)
    rgb = (rgb - mean) * contrast + mean
    h, s, v = _to_hsv(rgb)
    return _to_rgb((h + hue) % 1, s, v)


def _to_hsv(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in turns, saturation and value, each (..., H, W)."""
    red, green, blue = rgb.unbind(-1)
    value, least = rgb.amax(-1), rgb.amin(-1)
    span = value - least
    divisor = torch.where(span > 0, span, 1)
    sixth = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    hue = torch.where(span > 0, sixth / 6 % 1, 0)
    saturation = torch.where(value > 0, span / torch.where(value > 0, value, 1), 0)
    return hue, saturation, value


def _to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """(..., H, W) each → (..., H, W, 3)."""
    channels = []
    for sixth in (5.0, 3.0, 1.0):
        k = (sixth + 6 * hue) % 6
        ramp = torch.minimum(k, 4 - k).clamp(0, 1)
        channels.append(value - value * saturation * ramp)
    return torch.stack(channels, -1)
