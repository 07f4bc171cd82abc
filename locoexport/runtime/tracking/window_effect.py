"""What windows over time do to tracks: the same points with windows and in one piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from locoexport.errors import InputError
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["WindowingEffect", "compare_tracks"]


@dataclass(frozen=True)
class WindowingEffect:
    """How far tracks over windows are from those in one window.

    Distances are in pixels of the video, over all points and frames that both call visible (0
    where there are none); ``flips`` is the share of all points and frames whose visibility differs,
    ``visible`` and ``visible_in_one_window`` the shares that each calls visible.
    """

    p50_px: float
    p95_px: float
    max_px: float
    flips: float
    compared: int
    visible: float
    visible_in_one_window: float


def compare_tracks(windowed: Tracks, whole: Tracks) -> WindowingEffect:
    """Compare tracks of the same points in the same frames.

    Raises:
        InputError: there are other points or frames in one than in the other.
    """
    if windowed.visible.shape != whole.visible.shape:
        raise InputError(
            f"Tracks of {windowed.points} points in {windowed.frames} frames cannot be compared to "
            f"{whole.points} points in {whole.frames} frames."
        )
    both = windowed.visible & whole.visible
    distance = np.linalg.norm(windowed.xy - whole.xy, axis=-1)[both]
    p50, p95, worst = np.percentile(distance, (50, 95, 100)) if len(distance) else (0.0, 0.0, 0.0)
    flips = float((windowed.visible != whole.visible).mean())
    return WindowingEffect(
        float(p50),
        float(p95),
        float(worst),
        flips,
        len(distance),
        float(windowed.visible.mean()),
        float(whole.visible.mean()),
    )
