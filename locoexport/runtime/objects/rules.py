"""The rules of following objects, each a small pure function over arrays.

A frame in which the detector lost an object belongs to a *gap*. A gap is tracked from the side on
which the object was detected better, with some frames of context on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError, did_you_mean

__all__ = [
    "PRESETS",
    "Displacement",
    "Gap",
    "GapBox",
    "GapPlan",
    "ObjectPreset",
    "ObjectRules",
    "find_gaps",
    "find_preset",
    "hull_of",
    "lost_frames",
    "mark_outliers",
    "move_box",
    "plan_gap",
    "tight_box",
]


Displacement = Literal["origin", "step"]
GapBox = Literal["moved", "points"]


@dataclass(frozen=True)
class ObjectRules:
    """The numbers in the rules.

    Attributes:
        outlier_deviations: a point is hidden in a frame in which its displacement is further from
            usual than the mean by this many standard deviations. See ``mark_outliers``.
        displacement: ``origin``, from where the point began, or ``step``, from the frame before.
        least_visible: an object is lost in a frame in which fewer than this share of its points
            are visible. See ``lost_frames``.
        context_frames: on each side of a gap. See ``plan_gap``.
        grid_hw: rows and columns of the grid of points in a box.
        least_overlap: intersection over union from which two boxes may show one object.
        least_detections: an object that was detected in fewer frames is taken for a false alarm.
            It does not count for boxes that a person gave.
        gap_box: where the detector lost an object, its box is ``moved``, the last one carried along
            by its points (``move_box``), or that of the ``points`` alone (``tight_box``).
        mask_every: the segmenter is asked again, and points begin anew, every so many frames; None
            asks it once an object and once a gap.
    """

    outlier_deviations: float = 2.0
    displacement: Displacement = "origin"
    least_visible: float = 1 / 3
    context_frames: int = 10
    grid_hw: tuple[int, int] = (8, 8)
    least_overlap: float = 0.3
    least_detections: int = 3
    gap_box: GapBox = "moved"
    mask_every: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where a number is out of its range."""
        in_range = {
            "outlier_deviations (0 or more)": self.outlier_deviations >= 0,
            "displacement (origin or step)": self.displacement in get_args(Displacement),
            "least_visible (0 to 1)": 0 <= self.least_visible <= 1,
            "context_frames (1 or more)": self.context_frames >= 1,
            "grid_hw (1 to 1000 rows and columns)": all(1 <= n <= 1000 for n in self.grid_hw),
            "least_overlap (above 0, up to 1)": 0 < self.least_overlap <= 1,
            "least_detections (1 or more)": self.least_detections >= 1,
            "gap_box (moved or points)": self.gap_box in get_args(GapBox),
            "mask_every (1 or more frames)": self.mask_every is None or self.mask_every >= 1,
        }
        for name, right in in_range.items():
            if not right:
                value = getattr(self, name.partition(" ")[0])
                raise UsageError(f"The object rules need {name}; {value} was given.")


@dataclass(frozen=True)
class ObjectPreset:
    """Rules that belong together, under a name.

    Attributes:
        name: as it is asked for.
        rules: all of them. What is not said to differ is the default.
    """

    name: str
    rules: ObjectRules


PRESETS = (
    # What combined_tracker_faceparsing_multi.py of zyp-up/locotrack-pytorch-efficientnet calls its
    # own functions with. Where it has no such number (its face tracker names the faces) ours stays.
    ObjectPreset(
        "face-parsing",
        ObjectRules(
            outlier_deviations=1.0,
            displacement="step",
            least_visible=0.4,
            context_frames=10,
            grid_hw=(8, 8),
            gap_box="points",
        ),
    ),
)


def find_preset(name: str) -> ObjectPreset:
    """The preset of that name.

    Raises:
        UsageError: there is none; the message names those there are.
    """
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = [preset.name for preset in PRESETS]
    raise UsageError(
        f"There is no preset {name!r}; there is {', '.join(names)}.{did_you_mean(name, names)}"
    )


@dataclass(frozen=True)
class Gap:
    """Frames ``start`` to ``stop - 1``, in none of which an object was detected."""

    start: int
    stop: int


@dataclass(frozen=True)
class GapPlan:
    """How a gap is tracked: the frames that the tracker sees, and where its points begin.

    ``window_start`` to ``window_stop - 1`` are the gap and its context; ``anchor`` is the frame,
    within the window and outside the gap, whose detection gives the points.
    """

    gap: Gap
    window_start: int
    window_stop: int
    anchor: int


def mark_outliers(
    tracks_xy: NDArray[np.float32],
    visible: NDArray[np.bool_],
    deviations: float = 2.0,
    displacement: Displacement = "origin",
) -> NDArray[np.bool_]:
    """Hide each point in the frames in which it is far from where it usually is.

    Of each point by itself, over all frames: d = |displacement - its median|, a Euclidean length,
    with the median of x and y apart. A frame where d > mean(d) + deviations·std(d) becomes
    invisible. No d of fewer than 6 frames exceeds 2 standard deviations, and none of a steady
    motion does.

    Args:
        tracks_xy: float32 (points, frames, 2).
        visible: bool (points, frames).
        deviations: how many standard deviations; infinity hides nothing.
        displacement: ``origin`` is from where the point began (which cancels: d is the distance
            from the median position), so that all of a short excursion is hidden; ``step`` is from
            the frame before, so that only the jumps there and back are, and the first frame never.

    Returns:
        A new bool (points, frames).
    """
    values = tracks_xy.astype(np.float64)
    if displacement == "step":
        values = np.diff(values, axis=1)
    if values.shape[1] == 0 or np.isinf(deviations):
        return visible.copy()
    d = np.linalg.norm(values - np.median(values, axis=1, keepdims=True), axis=2)
    limit = d.mean(axis=1, keepdims=True) + deviations * d.std(axis=1, keepdims=True)
    kept = visible.copy()
    kept[:, kept.shape[1] - d.shape[1] :] &= ~(d > limit)
    return kept


def lost_frames(visible: NDArray[np.bool_], least_visible: float = 1 / 3) -> NDArray[np.bool_]:
    """Where fewer than ``least_visible`` of the points are visible, bool (frames,).

    Args:
        visible: bool (points, frames). Of no points every frame is lost.
        least_visible: a share, 0..1; exactly that share is enough.
    """
    points, frames = visible.shape
    if points == 0:
        return np.ones(frames, np.bool_)
    # 1/3 of 3 points is one point, whatever the rounding of 1/3.
    lost: NDArray[np.bool_] = visible.sum(axis=0) < points * least_visible - 1e-9
    return lost


def find_gaps(detected: NDArray[np.bool_]) -> list[Gap]:
    """The longest runs of frames without a detection, in order; bool (frames,) goes in.

    Gaps at the beginning and at the end count. Where nothing was ever detected there is no gap,
    since nothing can fill it.
    """
    if not detected.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([True], detected, [True])).astype(np.int8)))
    return [Gap(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def plan_gap(gap: Gap, confidence: NDArray[np.float32], context_frames: int = 10) -> GapPlan:
    """Choose the better side of a gap.

    A side is the ``context_frames`` frames next to the gap, fewer at the clip's ends. How well the
    object was detected there is the mean confidence, a frame without a detection counting 0. The
    better side wins, the earlier one where both are equal; its most confident detection is the
    anchor, the one nearest to the gap where several are.

    Args:
        gap: one of ``find_gaps``.
        confidence: float32 (frames,) of the detections; 0 where there is none.
        context_frames: on each side.
    """
    start = max(0, gap.start - context_frames)
    stop = min(len(confidence), gap.stop + context_frames)
    before, after = confidence[start : gap.start], confidence[gap.stop : stop]
    before_mean = float(before.mean()) if len(before) else -1.0
    after_mean = float(after.mean()) if len(after) else -1.0
    if before_mean >= after_mean:
        # argmax finds the first: turned round, that is the one nearest to the gap.
        anchor = gap.start - 1 - int(np.argmax(before[::-1]))
    else:
        anchor = gap.stop + int(np.argmax(after))
    return GapPlan(gap, start, stop, anchor)


def move_box(
    box_xyxy: NDArray[np.float32], then_xy: NDArray[np.float32], now_xy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Carry a box along with its points, float32 (4,).

    It moves by the median displacement, and grows about the points' median position by the ratio
    of the median distances from it (by 1 where fewer than 3 points are left, or they lie within a
    pixel). Medians, so that a few points on the background do not matter.

    Args:
        box_xyxy: float32 (4,).
        then_xy: float32 (points, 2), at least one, where the points were in the box's frame.
        now_xy: float32 (points, 2), where the same points are now.
    """
    then, now = then_xy.astype(np.float64), now_xy.astype(np.float64)
    middle = np.median(then, axis=0)
    shift = np.median(now - then, axis=0)
    spread_then = np.median(np.linalg.norm(then - middle, axis=1))
    spread_now = np.median(np.linalg.norm(now - np.median(now, axis=0), axis=1))
    scale = spread_now / spread_then if len(then) >= 3 and min(spread_then, spread_now) > 1 else 1.0
    corners = box_xyxy.astype(np.float64).reshape(2, 2)
    return ((corners - middle) * scale + middle + shift).reshape(4).astype(np.float32)


def tight_box(points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """The smallest box around points, float32 (4,); at least one point goes in."""
    return np.concatenate([points_xy.min(axis=0), points_xy.max(axis=0)]).astype(np.float32)


def hull_of(points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """The convex hull, float32 (corners, 2); no corners where fewer than 3 points go in."""
    if len(points_xy) < 3:
        return np.zeros((0, 2), np.float32)
    hull = cv2.convexHull(points_xy.astype(np.float32))
    return np.asarray(hull.reshape(-1, 2), np.float32)
