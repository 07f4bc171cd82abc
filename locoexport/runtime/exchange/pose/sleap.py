"""SLEAP: predictions as .slp, or its analysis .h5, both written by sleap-io.

Source: sleap-io's documentation and code. Frames count from 0; the centre of the first pixel is
(0, 0) since format 1.1, y is down.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from locoexport.machine.installation import require_packages
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import point_name, seen
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_sleap"]

_FIRST_FRAME = 0
_HALF_PIXEL = 0.5


def write_sleap(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write .slp, or the analysis where the name ends in .h5: one track whose nodes are the points.

    Hidden points keep their places in the .slp, marked as not visible; the analysis has NaN for
    them. The confidence is the score.

    Raises:
        PackageMissingError: sleap-io is not installed.
    """
    require_packages("sleap_io", extra="exchange")
    import sleap_io

    first = facts.first_frame_or(_FIRST_FRAME)
    skeleton = sleap_io.Skeleton([point_name(point) for point in range(tracks.points)])
    video = sleap_io.Video(facts.file_name or "clip.mp4", open_backend=False)
    track, shown = sleap_io.Track("points"), seen(tracks)
    frames = []
    for frame in range(tracks.frames):
        instance = sleap_io.PredictedInstance.from_numpy(
            tracks.xy[:, frame].astype(np.float64) - _HALF_PIXEL,
            skeleton,
            point_scores=tracks.confidence[:, frame].astype(np.float64),
            score=float(tracks.confidence[:, frame].mean()) if tracks.points else 0.0,
            track=track,
        )
        instance.points["visible"] = shown[:, frame]
        frames.append(
            sleap_io.LabeledFrame(video=video, frame_idx=first + frame, instances=[instance])
        )
    labels = sleap_io.Labels(frames, videos=[video], skeletons=[skeleton], tracks=[track])
    if path.suffix.lower() == ".h5":
        sleap_io.save_analysis_h5(labels, str(path))
    else:
        sleap_io.save_slp(labels, str(path), verbose=False)
