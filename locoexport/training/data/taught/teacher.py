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

__all__ = ["BACK_WITHIN_PX", "Lesson", "teach"]

BACK_WITHIN_PX = 1.5
"""How near a track that is followed back has to come to where it began, in pixels of 256×256."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the teacher says of one window of a clip.

    frames_rgb: uint8 (T, H, W, 3).
    tracks_xy: float32 (N, T, 2) in pixels of 256×256.
    visible: bool (N, T).
    judged: bool (N, T), where the track was confirmed: between the frame that was asked and the
        farthest one from which the teacher found back.
    """

    frames_rgb: NDArray[np.uint8]
    tracks_xy: Floats
    visible: NDArray[np.bool_]
    judged: NDArray[np.bool_]

    @property
    def kept_share(self) -> float:
        """How much of it is judged."""
        return float(self.judged.mean())


def teach(
    teacher: Side, frames_rgb: NDArray[np.uint8], points: int, random: np.random.Generator
) -> Lesson:
    """Ask the teacher for ``points`` random points, there and back.

    Three calls: from where the points are asked, back from the last frame in which each is seen,
    and back from the first.
    """
    frames = len(frames_rgb)
    height, width = SCORED_HW
    at = random.integers(0, frames, points)
    asked_xy = random.uniform(1, (width - 1, height - 1), (points, 2)).astype(np.float32)
    tracks, visible = _track(teacher, frames_rgb, at, asked_xy)
    rows = np.arange(points)
    tracks[rows, at], visible[rows, at] = asked_xy, True
    inside = ((tracks >= 0) & (tracks < (width, height))).all(-1)
    seen = visible & inside
    judged = np.zeros_like(seen)
    judged[rows, at] = True
    index = np.arange(frames)
    for far in (frames - 1 - np.argmax(seen[:, ::-1], axis=1), np.argmax(seen, axis=1)):
        back, back_visible = _track(teacher, frames_rgb, far, tracks[rows, far])
        error_px = np.linalg.norm(back[rows, at] - asked_xy, axis=-1)
        found = (error_px <= BACK_WITHIN_PX) & back_visible[rows, at]
        low, high = np.minimum(at, far), np.maximum(at, far)
        judged |= found[:, None] & (index >= low[:, None]) & (index <= high[:, None])
    return Lesson(frames_rgb, tracks, seen, judged)


def _track(
    teacher: Side, frames_rgb: NDArray[np.uint8], at: NDArray[np.int64], xy: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    queries = np.stack((at.astype(np.float32), xy[:, 1], xy[:, 0]), -1)[None]
    raw = teacher.track(frames_rgb, queries)
    visible, _ = visible_from_logits(raw.occlusion, raw.expected_dist)
    return raw.tracks_xy[0].copy(), visible[0].copy()
