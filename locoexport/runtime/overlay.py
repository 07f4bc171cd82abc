"""Tracks drawn over their video.

Everything of one frame is first drawn on a premultiplied RGBA canvas, oldest first, and blended
once: anti-aliased edges and fading trails then mix correctly, and the cost of blending does not
grow with the number of points.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.frames import check_frames
from locoexport.runtime.tracks import Tracks

__all__ = ["draw_tracks"]

_SHIFT = 4
"""cv2's fixed point: positions and radii in sixteenths of a pixel."""
_OUTLINE = (0, 0, 0)
_OUTLINE_ALPHA = 0.6
_TRAIL_ALPHA = 0.9

_Colour = tuple[int, int, int]
_Point = tuple[int, int]


@dataclass(frozen=True)
class _Pen:
    """Sizes in pixels, chosen for a frame size. A ring must stay open on the smallest video."""

    dot: float
    ring_outer: float
    ring_inner: float
    outline: float
    trail: int

    @classmethod
    def for_frame(cls, height: int, width: int) -> _Pen:
        diagonal = (height**2 + width**2) ** 0.5
        dot = max(2.0, diagonal / 240)
        ring_outer = max(3.0, 1.15 * dot)
        return cls(
            dot=dot,
            ring_outer=ring_outer,
            ring_inner=ring_outer - max(1.2, 0.35 * dot),
            outline=max(0.75, dot / 6),
            trail=max(1, round(diagonal / 600)),
        )


def draw_tracks(
    frames_rgb: NDArray[np.uint8], tracks: Tracks, *, trail_frames: int = 16
) -> Iterator[NDArray[np.uint8]]:
    """Draw tracks over a video, frame by frame.

    A visible point is a filled dot, an occluded one a hollow ring; behind it fades a trail over
    the last frames, with gaps where it was occluded. A point's colour comes from where it was
    asked for, so neighbours look alike.

    Args:
        frames_rgb: uint8 (frames, height, width, 3); left as it is.
        tracks: of that video, in its pixels.
        trail_frames: how long trails are; 0 draws none.

    Returns:
        An iterator over new uint8 (height, width, 3) frames.

    Raises:
        VideoError: the frames are malformed, or there are more or fewer than the tracks have.
        UsageError: ``trail_frames`` is negative.
    """
    check_frames(frames_rgb)
    if len(frames_rgb) != tracks.frames:
        raise VideoError(
            f"The video has {len(frames_rgb)} frames and the tracks {tracks.frames}; they must "
            "be of the same video."
        )
    if trail_frames < 0:
        raise UsageError(f"trail_frames is {trail_frames}; it must be 0 or more.")
    return _drawn_frames(frames_rgb, tracks, trail_frames)


def _drawn_frames(
    frames_rgb: NDArray[np.uint8], tracks: Tracks, trail_frames: int
) -> Iterator[NDArray[np.uint8]]:
    height, width = frames_rgb.shape[1:3]
    pen = _Pen.for_frame(height, width)
    colours = _query_colours(tracks.query_points_tyx, height, width)
    positions = _fixed_point(tracks.tracks_xy, height, width)
    drawable = np.asarray(np.isfinite(tracks.tracks_xy).all(axis=2))
    shown: NDArray[np.bool_] = tracks.visible & drawable
    for index, frame in enumerate(frames_rgb):
        canvas = np.zeros((height, width, 4), np.uint8)
        for step in range(max(1, index - trail_frames + 1), index + 1):
            alpha = _TRAIL_ALPHA * (1 - (index - step) / trail_frames)
            _draw_segments(canvas, positions, shown, step, colours, alpha, pen)
        for point in np.flatnonzero(drawable[:, index]):
            centre: _Point = positions[point][index]
            _draw_mark(canvas, centre, colours[point], pen, bool(tracks.visible[point, index]))
        yield _blend(frame, canvas)


def _query_colours(query_points_tyx: NDArray[np.float32], height: int, width: int) -> list[_Colour]:
    """Hue runs with x from red to violet and a little with y; lower rows are paler."""
    colours: list[_Colour] = []
    for _, y, x in query_points_tyx.astype(float):
        across, down = x / width, y / height
        red, green, blue = colorsys.hsv_to_rgb(0.65 * across + 0.2 * down, 1 - 0.45 * down, 1.0)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def _fixed_point(tracks_xy: NDArray[np.float32], height: int, width: int) -> list[list[_Point]]:
    """Positions [point][frame] as cv2 wants them: pixel centres at 0, in sixteenths.

    Far outside the frame they are clipped, since cv2's integers would overflow.
    """
    size = np.array([width, height])
    centred = np.nan_to_num(tracks_xy.astype(np.float64)) - 0.5
    clipped = np.clip(centred, -4 * size, 5 * size)
    sixteenths = np.rint(clipped * (1 << _SHIFT)).astype(int)
    return [[(x, y) for x, y in track] for track in sixteenths.tolist()]


def _draw_segments(
    canvas: NDArray[np.uint8],
    positions: list[list[_Point]],
    shown: NDArray[np.bool_],
    step: int,
    colours: list[_Colour],
    alpha: float,
    pen: _Pen,
) -> None:
    """The piece of every trail from frame ``step - 1`` to ``step``, where both are visible."""
    for point in np.flatnonzero(shown[:, step - 1] & shown[:, step]):
        track = positions[point]
        cv2.line(
            canvas,
            track[step - 1],
            track[step],
            _ink(colours[point], alpha),
            pen.trail,
            cv2.LINE_AA,
            _SHIFT,
        )


def _draw_mark(
    canvas: NDArray[np.uint8], centre: _Point, colour: _Colour, pen: _Pen, visible: bool
) -> None:
    """A dot, or a ring that the video shows through, in a dark outline."""
    outer = pen.dot if visible else pen.ring_outer
    _draw_disk(canvas, centre, outer + pen.outline, _ink(_OUTLINE, _OUTLINE_ALPHA))
    _draw_disk(canvas, centre, outer, _ink(colour, 1.0))
    if not visible:
        _draw_disk(canvas, centre, pen.ring_inner, _ink(colour, 0.0))


def _draw_disk(
    canvas: NDArray[np.uint8],
    centre: _Point,
    radius: float,
    ink: tuple[float, float, float, float],
) -> None:
    fixed_radius = round(radius * (1 << _SHIFT))
    cv2.circle(canvas, centre, fixed_radius, ink, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _ink(colour: _Colour, alpha: float) -> tuple[float, float, float, float]:
    red, green, blue = (channel * alpha for channel in colour)
    return red, green, blue, 255 * alpha


def _blend(frame: NDArray[np.uint8], canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    keep = 255 - canvas[..., 3:].astype(np.uint16)
    mixed = canvas[..., :3] + (frame * keep + 127) // 255
    return np.minimum(mixed, 255).astype(np.uint8)
