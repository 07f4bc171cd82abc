"""A tracker that teaches another: its tracks on clean frames, kept where they lead back.

As CoTracker3 (arXiv 2410.11831), BootsTAPIR (arXiv 2402.00847) and AnthroTAP do: what the teacher
says of unlabelled clips is the student's truth, on frames made worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.contract.visibility import visible_from_logits
from locoexport.evaluation.sides import Side

__all__ = ["BACK_WITHIN_PX", "Lesson", "Teacher", "teach"]

BACK_WITHIN_PX = 1.5
"""How near a track that is followed back has to stay to the way there, in pixels of 256×256."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Teacher:
    """Who answers for clips.

    side: tracks points through a window.
    identity: text that differs where answers may: a digest of the weights or of the file.
    fixed_frames: the only length of window that it takes; None where it takes any.
    """

    side: Side
    identity: str
    fixed_frames: int | None = None


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is known of one window of a clip.

    frames_rgb: uint8 (T, H, W, 3).
    tracks_xy: float32 (N, T, 2) in pixels of 256×256, finite.
    visible: bool (N, T).
    judged: bool (N, T), where ``visible``, and ``tracks_xy`` of a visible point, are to be trusted.
    """

    frames_rgb: NDArray[np.uint8]
    tracks_xy: Floats
    visible: Flags
    judged: Flags

    @property
    def kept_share(self) -> float:
        """How much of it is judged."""
        return float(self.judged.mean())


@dataclass(frozen=True, eq=False)
class _Answer:
    """Tracks (N, T, 2), where the teacher sees the point, and where it says that it is hidden.

    Between the two the teacher is unsure of the place of a point that it does not call hidden.
    """

    tracks_xy: Floats
    seen: Flags
    hidden: Flags


def teach(
    teacher: Side, frames_rgb: NDArray[np.uint8], points: int, random: np.random.Generator
) -> Lesson:
    """Ask the teacher for ``points`` random points, there and back.

    Three calls: from where the points are asked, back from the last frame in which each is seen,
    and back from the first. What lies between is judged where the way back ends at the point that
    was asked for, frame by frame: a frame counts where both ways see the point at one place, or
    both call it hidden. Beyond the last frame in which a point is seen nothing is judged, because
    there nobody can tell a hidden point from a lost one. A point that was confirmed in no other
    frame than its own teaches nothing, and is not judged at all.
    """
    at = random.integers(0, len(frames_rgb), points)
    height, width = SCORED_HW
    asked_xy = random.uniform(1, (width - 1, height - 1), (points, 2)).astype(np.float32)
    there = _ask(teacher, frames_rgb, at, asked_xy)
    rows, index = np.arange(points), np.arange(len(frames_rgb))
    there.tracks_xy[rows, at] = asked_xy
    there.seen[rows, at], there.hidden[rows, at] = True, False
    last = len(frames_rgb) - 1 - np.argmax(there.seen[:, ::-1], axis=1)
    first = np.argmax(there.seen, axis=1)
    judged = np.zeros_like(there.seen)
    for far in (last, first):
        back = _ask(teacher, frames_rgb, far, there.tracks_xy[rows, far])
        near = np.linalg.norm(back.tracks_xy - there.tracks_xy, axis=-1) <= BACK_WITHIN_PX
        agreed = (near & there.seen & back.seen) | (there.hidden & back.hidden)
        low, high = np.minimum(at, far)[:, None], np.maximum(at, far)[:, None]
        judged |= agreed & agreed[rows, at][:, None] & (index >= low) & (index <= high)
    judged[judged.sum(axis=1) < 2] = False
    return Lesson(frames_rgb, there.tracks_xy, there.seen, judged)


def _ask(
    teacher: Side, frames_rgb: NDArray[np.uint8], at: NDArray[np.int64], xy: Floats
) -> _Answer:
    queries = np.stack((at.astype(np.float32), xy[:, 1], xy[:, 0]), -1)[None]
    raw = teacher.track(frames_rgb, queries)
    visible, _ = visible_from_logits(raw.occlusion, raw.expected_dist)
    tracks, finite = raw.tracks_xy[0].copy(), np.isfinite(raw.tracks_xy[0]).all(-1)
    tracks[~finite] = 0
    inside = ((tracks >= 0) & (tracks < SCORED_HW[::-1])).all(-1)
    return _Answer(tracks, visible[0] & finite & inside, raw.occlusion[0] > 0)
