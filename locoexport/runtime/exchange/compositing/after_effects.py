"""Adobe After Effects: keyframe data as text, to paste onto a layer (a null, best).

Source: the text that After Effects itself puts on the clipboard ("Adobe After Effects 8.0 Keyframe
Data") when keyframes of an effect are copied; Adobe has published no grammar of it. Each point
becomes a Point Control. A composition begins at its upper left corner, y is down, the centre of
the first pixel is at (0.5, 0.5); keyframes count from 0 at "Units Per Second".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import decimal, seen
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_after_effects"]

_FIRST_FRAME = 0


def write_after_effects(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write a Point Control a point; there is no keyframe where it is hidden.

    After Effects draws a straight line between the keyframes around such a gap.
    """
    assert facts.width is not None
    assert facts.height is not None
    assert facts.fps is not None
    first = facts.first_frame_or(_FIRST_FRAME)
    shown = seen(tracks)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write("Adobe After Effects 8.0 Keyframe Data\n\n")
        file.write(f"\tUnits Per Second\t{decimal(facts.fps)}\n")
        file.write(f"\tSource Width\t{facts.width}\n\tSource Height\t{facts.height}\n")
        file.write("\tSource Pixel Aspect Ratio\t1\n\tComp Pixel Aspect Ratio\t1\n\n")
        for point in range(tracks.points):
            # Effects count from 1 on a layer; a Point Control's point is its second property.
            file.write(f"Effects\tPoint Control #{point + 1}\tPoint #2\n")
            file.write("\tFrame\tX pixels\tY pixels\t\n")
            frames = np.flatnonzero(shown[point])
            for frame, (x, y) in zip(frames, tracks.xy[point, frames].tolist(), strict=True):
                file.write(f"\t{first + int(frame)}\t{decimal(x)}\t{decimal(y)}\t\n")
            file.write("\n")
        file.write("\nEnd of Keyframe Data\n")
