"""What a rewritten GridSample is tried on: sizes that no axis shares, and grids with every trap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.lowering.volumetric.samplers.node import VolumetricSample

__all__ = ["ProbeSizes", "few_points", "make_grid", "make_volume", "probe_sizes"]

_VOLUMES = ((2, 3, 4, 7, 5), (1, 2, 6, 3, 8))
_GRIDS = ((3, 4, 6), (2, 5, 7))
_FEW_POINTS = (3, 5, 7)
_SLOW_POINTS = 60
_MOST_CELLS = 2**25
_MOST_SAMPLES = 2**23
_EXTREMES = (-1000.0, -100.0, -10.0, -3.0, 3.0, 10.0, 100.0, 1000.0)
_SHARES = (("uniform", 0.35), ("exact", 0.2), ("cells", 0.2), ("ties", 0.15), ("extremes", 0.1))


@dataclass(frozen=True)
class ProbeSizes:
    """A volume (N, C, D, H, W) and a grid (N, D', H', W', 3); ``reduced`` where the node's own
    static sizes would take too much memory to try.
    """

    volume: tuple[int, ...]
    grid: tuple[int, ...]
    reduced: bool


def probe_sizes(sample: VolumetricSample) -> tuple[ProbeSizes, ...]:
    """The sizes to try: the node's own where they are known, asymmetric ones where not."""
    tried = []
    for volume, points in zip(_VOLUMES, _GRIDS, strict=True):
        filled = _filled(sample.volume_shape, volume)
        grid = (filled[0], *_filled(sample.grid_shape[1:4], points), 3)
        tried.append(_affordable(ProbeSizes(filled, grid, reduced=False)))
    return tuple(dict.fromkeys(tried))


def few_points(sizes: ProbeSizes) -> ProbeSizes:
    """Sizes for an evaluator that takes points one by one in Python."""
    if math.prod(sizes.grid[:-1]) <= _SLOW_POINTS:
        return sizes
    batch, channels = min(sizes.volume[0], 2), min(sizes.volume[1], 2)
    return ProbeSizes((batch, channels, *sizes.volume[2:]), (batch, 2, 3, 5, 3), reduced=True)


def make_volume(sizes: ProbeSizes, seed: int) -> NDArray[np.float32]:
    """Standard normal values: no two cells alike."""
    return np.random.default_rng(seed).standard_normal(sizes.volume).astype(np.float32)


def make_grid(
    sizes: ProbeSizes, *, align_corners: bool, seed: int, dtype: np.dtype[np.floating]
) -> NDArray[np.floating]:
    """Coordinates within and well outside [-1, 1], exact -1, 0 and 1, cell centres and ties.

    Every coordinate is drawn by itself, so that a point may be exact along one axis and far outside
    along another.
    """
    random = np.random.default_rng(seed)
    columns = []
    for length in reversed(sizes.volume[2:]):
        shape = sizes.grid[:-1]
        cells = random.integers(-2 * length, 3 * length, shape)
        kinds = {
            "uniform": random.uniform(-3, 3, shape),
            "exact": random.choice((-1.0, 0.0, 1.0), shape),
            "cells": _normalised(cells, length, align_corners),
            "ties": _normalised(cells + 0.5, length, align_corners),
            "extremes": random.choice(_EXTREMES, shape),
        }
        chosen = random.choice(len(_SHARES), shape, p=[share for _, share in _SHARES])
        columns.append(np.choose(chosen, [kinds[name] for name, _ in _SHARES]))
    return np.stack(columns, axis=-1).astype(dtype)


def _normalised(
    index: NDArray[np.floating] | NDArray[np.integer], length: int, align_corners: bool
) -> NDArray[np.float64]:
    if align_corners:
        return 2 * index / max(length - 1, 1) - 1
    return (2 * index + 1) / length - 1


def _filled(shape: tuple[int | None, ...], default: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(
        other if size is None else size for size, other in zip(shape, default, strict=True)
    )


def _affordable(sizes: ProbeSizes) -> ProbeSizes:
    """Fewer points, channels and batches where the node's own would be too many."""
    batch, channels, *lengths = sizes.volume
    points = sizes.grid[1:4]
    cells = math.prod(sizes.volume)
    samples = batch * channels * math.prod(points) * min(lengths)
    if cells <= _MOST_CELLS and samples <= _MOST_SAMPLES:
        return sizes
    batch, channels = min(batch, 2), min(channels, 3)
    points = tuple(min(size, few) for size, few in zip(points, _FEW_POINTS, strict=True))
    if batch * channels * math.prod(lengths) > _MOST_CELLS:
        lengths = [min(size, most) for size, most in zip(lengths, (128, 160, 144), strict=True)]
    return ProbeSizes((batch, channels, *lengths), (batch, *points, 3), reduced=True)
