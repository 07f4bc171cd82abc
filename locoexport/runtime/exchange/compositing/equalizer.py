"""3DEqualizer (Science-D-Visions): 2D tracks as ASCII text, for File > Import > 2D Tracks.

Source: the scripts ``import_tracks`` and ``export_tracks`` that 3DE4 installs. A count of points;
then of each a name, a colour, a count of frames, and a line ``frame x y`` a frame. The lower left
corner of the picture is (0, 0) and the upper right one (width, height): y is up, pixel centres are
at .5. Frames count from 1. PFTrack, SynthEyes and mmSolver read such files too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import decimal, point_name, seen
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_equalizer"]

_FIRST_FRAME = 1
_RED = 0


def write_equalizer(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write a curve a point; frames in which it is hidden are gaps, as 3DE has them."""
    assert facts.height is not None
    first = facts.first_frame_or(_FIRST_FRAME)
    shown = seen(tracks)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(f"{tracks.points}\n")
        for point in range(tracks.points):
            frames = np.flatnonzero(shown[point])
            file.write(f"{point_name(point)}\n{_RED}\n{len(frames)}\n")
            for frame, (x, y) in zip(frames, tracks.xy[point, frames].tolist(), strict=True):
                file.write(f"{first + int(frame)} {decimal(x)} {decimal(facts.height - y)}\n")
