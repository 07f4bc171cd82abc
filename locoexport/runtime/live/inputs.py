"""What a live tracker is given, checked once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.interface import LARGEST_WINDOW
from locoexport.errors import QueryError, UsageError, VideoError
from locoexport.runtime.live.session import LiveSession
from locoexport.runtime.video.frames import check_frames

__all__ = ["DEFAULT_LIVE_WINDOW", "check_inside", "checked_points", "checked_window", "frame_size"]

DEFAULT_LIVE_WINDOW = 8
"""Frames that are looked at. docs/live.md: more changes little, fewer loses accuracy."""


def checked_window(window: int | None, session: LiveSession) -> int:
    """The frames that are looked at; None is what the file is fixed to, or the default.

    Raises:
        UsageError: it is no such number, or not the file's.
    """
    fixed = session.window
    if window is None:
        return fixed or DEFAULT_LIVE_WINDOW
    if not isinstance(window, int) or not 1 <= window <= LARGEST_WINDOW:
        raise UsageError(
            f"window is {window}; it is a number of frames from 1 to {LARGEST_WINDOW}."
        )
    if fixed not in (None, window):
        raise UsageError(
            f"{session.path} looks at {fixed} frames, not {window}; export it with --live open."
        )
    return window


def checked_points(
    points_yx: Sequence[Sequence[float]] | NDArray[np.float32],
) -> NDArray[np.float32]:
    """Points as float32 (points, 2); raises QueryError for anything that is none."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            points = np.asarray(points_yx, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise QueryError("Points are numbers: y and x of each.") from error
    if points.size == 0 and points.ndim <= 2:
        return np.zeros((0, 2), np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise QueryError(
            f"Points are finite (y, x), an array of shape (points, 2), not of {points.shape}."
        )
    return points


def check_inside(points_yx: NDArray[np.float32], size_hw: tuple[int, int]) -> None:
    """Raises QueryError for a point outside a frame of that size."""
    outside = np.flatnonzero(((points_yx < 0) | (points_yx > np.array(size_hw))).any(1))
    if len(outside):
        y, x = points_yx[outside[0]]
        raise QueryError(
            f"Point {outside[0]} is y {y:g}, x {x:g}, outside the frame: y goes from 0 to "
            f"{size_hw[0]}, x from 0 to {size_hw[1]}."
        )


def frame_size(frame: NDArray[np.uint8]) -> tuple[int, int]:
    """(height, width) of a frame; raises VideoError where it is none."""
    if not isinstance(frame, np.ndarray):
        raise VideoError(
            f"A frame is a numpy array, uint8 (height, width, 3), not {type(frame).__name__}."
        )
    check_frames(frame[None])
    return frame.shape[0], frame.shape[1]
