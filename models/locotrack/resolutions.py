"""Which resolutions a video is refined at (spec/model.md, section 1, "Resolutions")."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["default_resolutions"]

_MULTIPLE = 8


def default_resolutions(
    video_hw: tuple[int, int], initial_hw: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    """Levels (height, width), from the initial resolution up to the video's.

    One level where the video is no larger than the initial resolution. Otherwise the sides grow
    geometrically, each floored to a multiple of 8.
    """
    ratios = [size / initial for size, initial in zip(video_hw, initial_hw, strict=True)]
    levels = math.ceil(max(math.log2(ratio) for ratio in ratios)) + 1
    if levels <= 1:
        return (initial_hw,)
    first, last = initial_hw, tuple(size // _MULTIPLE * _MULTIPLE for size in video_hw)
    between = tuple(
        tuple(
            # The power in this very form: through exp and log, endpoints become 248 or 504.
            int(initial * ratio ** (level / (levels - 1))) // _MULTIPLE * _MULTIPLE
            for initial, ratio in zip(initial_hw, ratios, strict=True)
        )
        for level in range(1, levels - 1)
    )
    return tuple((height, width) for height, width in (first, *between, last))


def check_resolutions(resolutions: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The levels as a tuple of int pairs; raises ValueError where one is not a usable size."""
    levels = tuple((int(height), int(width)) for height, width in resolutions)
    if not levels or any(min(level) < _MULTIPLE for level in levels):
        raise ValueError(
            f"refinement_resolutions is {levels}; expected at least one (height, width), "
            f"no side under {_MULTIPLE} pixels."
        )
    return levels
