"""Which resolutions a video is refined at (spec/model.md, section 1, "Resolutions")."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["check_levels", "default_resolutions"]

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

    def side_of(level: int, axis: int) -> int:
        # The power in this very form, at the last level too: through exp and log, endpoints become
        # 248 or 504, and the product with a ratio may fall short of a multiple of 8 that the
        # video's own size is (initial 320: 2 % of sizes). The published weights were run so.
        size = initial_hw[axis] * ratios[axis] ** (level / (levels - 1))
        return int(size) // _MULTIPLE * _MULTIPLE

    return tuple((side_of(level, 0), side_of(level, 1)) for level in range(levels))


def check_levels(levels: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The levels, (height, width) each, as a tuple.

    Raises:
        ValueError: there is none, or a side is no positive multiple of 8. The reference refuses
            these as well: strided grids do not tile other sizes.
    """
    checked = tuple((int(height), int(width)) for height, width in levels)
    if not checked or any(s < _MULTIPLE or s % _MULTIPLE for level in checked for s in level):
        raise ValueError(
            f"refinement_resolutions is {checked}; expected at least one (height, width), no side "
            f"under {_MULTIPLE} pixels and each a multiple of {_MULTIPLE}: the strides of the "
            "feature grids divide no other size."
        )
    return checked
