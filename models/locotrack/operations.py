"""The seam for rewrites: the functions that a LocoTrack calls, as a frozen set.

A rewrite is another function with the same meaning. ``dataclasses.replace(REFERENCE, ...)`` gives
another set, and ``LocoTrack.with_operations`` a new model over the same weights. The reference set
is plain PyTorch and is the oracle that every export is judged by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from locoexport.models.locotrack.correlation import (
    embed_correlation,
    resize_planes,
    soft_argmax,
)
from locoexport.models.locotrack.frames import resize_frames
from locoexport.models.locotrack.refinement import attend
from locoexport.models.locotrack.sampling import keep_grid, sample_neighbourhoods, sample_supports

__all__ = ["REFERENCE", "Operations", "Size"]

Size = tuple[int, int]
"""(height, width) of a grid in cells, or of images in pixels, as Python integers."""


@dataclass(frozen=True)
class Operations:
    """What may be re-expressed; shapes are those of the functions named as defaults.

    ``prepare_grid`` runs once a grid; what it returns is what ``sample_neighbourhoods`` gets in
    each of the four refinements.
    """

    resize_frames: Callable[[Tensor, Size], Tensor] = resize_frames
    sample_supports: Callable[[Tensor, Tensor, Size], Tensor] = sample_supports
    prepare_grid: Callable[[Tensor], Tensor] = keep_grid
    sample_neighbourhoods: Callable[[Tensor, Tensor, Size], Tensor] = sample_neighbourhoods
    embed_correlation: Callable[[Any, Tensor, Tensor], Tensor] = embed_correlation
    resize_planes: Callable[[Tensor, Size], Tensor] = resize_planes
    soft_argmax: Callable[[Tensor, Size], Tensor] = soft_argmax
    attend: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = attend


REFERENCE = Operations()
"""Plain PyTorch, 5D ``grid_sample`` included."""
