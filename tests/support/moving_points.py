"""Known points that move, for tests of files that hold tracks: what each reader must give back."""

from __future__ import annotations

import numpy as np

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.tracks.tracks import Tracks

FACTS = ClipFacts(width=640, height=360, fps=25.0, frame_count=6, file_name="clip.mp4")


def moving_points() -> Tracks:
    """Two points in six frames: one moves right and down, and is hidden in frames 2 and 3; one
    moves left, is seen in every frame, and leaves no decimal at rest."""
    t = np.arange(6, dtype=np.float32)
    first = np.stack([10.125 + 3.3 * t, 20.75 + 1.7 * t], axis=-1)
    second = np.stack([600.0 - 0.011 * t, 300.5 + 0.0007 * t], axis=-1)
    visible = np.ones((2, 6), np.bool_)
    visible[0, 2:4] = False
    return Tracks(
        xy=np.stack([first, second]).astype(np.float32),
        visible=visible,
        confidence=np.where(visible, 0.9, 0.2).astype(np.float32),
        query_points=np.array([[0, 20.75, 10.125], [0, 300.5, 600.0]], np.float32),
        fps=25.0,
    )
