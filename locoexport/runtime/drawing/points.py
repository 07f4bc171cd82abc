"""Tracks drawn over their video.

Everything of one frame is first drawn on a premultiplied RGBA canvas, oldest first, and blended
once: anti-aliased edges and fading trails then mix correctly, and the cost of blending does not
grow with the number of points.
"""

from __future__ import annotations

import colorsys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import VideoError
from locoexport.runtime.drawing.style import TRAIL_FRAMES, DrawingStyle
from locoexport.runtime.tracks.tracks import Tracks
from locoexport.runtime.video.frames import check_frames

__all__ = [
    "SHIFT",
    "TRAIL_FRAMES",
    "Colour",
    "Ink",
    "Painter",
    "Pen",
    "Point",
    "blend",
    "confidence_colours",
    "draw_mark",
    "draw_tracks",
    "fixed_point",
    "make_ink",
    "query_colours",
]

SHIFT = 4
"""cv2's fixed point: positions and radii in sixteenths of a pixel."""
_OUTLINE = (0, 0, 0)
_OUTLINE_ALPHA = 0.6
_TRAIL_ALPHA = 0.9

Colour = tuple[int, int, int]
Point = tuple[int, int]
Ink = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pen:
    """Sizes in pixels, chosen for a frame size. A ring must stay open on the smallest video."""

    dot: float
    ring_outer: float
    ring_inner: float
    outline: float
    trail: int

    @classmethod
    def for_frame(cls, height: int, width: int) -> Pen:
        """For frames of that size in pixels."""
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

    def in_style(self, style: DrawingStyle) -> Pen:
        """With the sizes that the style names; a ring keeps its share of a dot."""
        pen = self
        if style.point_size is not None:
            dot = style.point_size / 2
            ring = max(dot + 0.5, 1.15 * dot)
            pen = replace(
                pen,
                dot=dot,
                ring_outer=ring,
                ring_inner=max(0.0, ring - max(1.2, 0.35 * dot)),
                outline=max(0.75, dot / 6),
            )
        return pen if style.line_width is None else replace(pen, trail=style.line_width)


def draw_tracks(
    frames_rgb: NDArray[np.uint8],
    tracks: Tracks,
    *,
    trail_frames: int = TRAIL_FRAMES,
    style: DrawingStyle | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Draw tracks over a video, frame by frame; see ``Painter``.

    Args:
        frames_rgb: uint8 (frames, height, width, 3); left as it is.
        tracks: of that video, in its pixels.
        trail_frames: how long trails are; 0 draws none.
        style: how everything is drawn, in place of ``trail_frames``.

    Returns:
        An iterator over new uint8 (height, width, 3) frames; larger where the style's scale says.

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
    height, width = frames_rgb.shape[1:3]
    painter = Painter((height, width), tracks.query_points, trail_frames=trail_frames, style=style)
    return (
        painter.paint(
            frame, tracks.xy[:, index], tracks.visible[:, index], tracks.confidence[:, index]
        )
        for index, frame in enumerate(frames_rgb)
    )


class Painter:
    """Draws tracks over frames that come one by one.

    A visible point is a filled dot, an occluded one a hollow ring; behind it fades a trail over
    the last frames, with gaps where it was occluded. A point's colour comes from where it was
    asked for, so neighbours look alike.
    """

    def __init__(
        self,
        frame_hw: tuple[int, int],
        query_points_tyx: NDArray[np.float32],
        *,
        trail_frames: int = TRAIL_FRAMES,
        style: DrawingStyle | None = None,
        colours: Sequence[Colour] | None = None,
    ) -> None:
        """For frames of that (height, width) and the points of one video.

        Args:
            frame_hw: of the frames that will come.
            query_points_tyx: float32 (points, 3) in their pixels.
            trail_frames: how long trails are, where no ``style`` is given.
            style: how everything is drawn.
            colours: of the points, where not their queries decide.

        Raises:
            UsageError: ``trail_frames`` is negative.
        """
        self._style = style or DrawingStyle(trail_frames=trail_frames)
        self.scale = self._style.scale_for(*frame_hw)
        self._drawn_hw = frame_hw[0] * self.scale, frame_hw[1] * self.scale
        self._pen = Pen.for_frame(*self._drawn_hw).in_style(self._style)
        self._colours = list(colours or query_colours(query_points_tyx, *frame_hw))
        trail_frames = self._style.trail_frames
        # The frames of the trail, newest last.
        self._past: deque[_Painted] = deque(maxlen=trail_frames + 1)

    def paint(
        self,
        frame_rgb: NDArray[np.uint8],
        xy: NDArray[np.float32],
        visible: NDArray[np.bool_],
        confidence: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """The next frame, drawn on: a new uint8 (height, width, 3), ``scale`` times as large.

        Args:
            frame_rgb: uint8 (height, width, 3); left as it is.
            xy: float32 (points, 2) in its pixels; what is not finite is not drawn.
            visible: bool (points,).
            confidence: float32 (points,), 0 to 1; colours need it where it decides them.
        """
        height, width = self._drawn_hw
        if self.scale > 1:
            larger = cv2.resize(frame_rgb, (width, height), interpolation=cv2.INTER_LINEAR)
            frame_rgb, xy = np.asarray(larger, np.uint8), xy * np.float32(self.scale)
        colours = self._colours
        if self._style.colour == "confidence" and confidence is not None:
            colours = confidence_colours(confidence)
        drawable = np.isfinite(xy).all(axis=1)
        painted = _Painted(fixed_point(xy, height, width), visible & drawable, colours)
        self._past.append(painted)
        canvas = np.zeros((height, width, 4), np.uint8)
        trail_frames = self._style.trail_frames
        for age in range(min(len(self._past) - 1, trail_frames) - 1, -1, -1):
            alpha = _TRAIL_ALPHA * (1 - age / trail_frames)
            _draw_segments(canvas, self._past[-2 - age], self._past[-1 - age], alpha, self._pen)
        marked = painted.shown if self._style.hide_occluded else drawable
        for point in np.flatnonzero(marked).tolist():
            centre, seen = painted.positions[point], bool(visible[point])
            draw_mark(canvas, centre, colours[point], self._pen, seen)
        return blend(frame_rgb, canvas)


@dataclass(frozen=True, eq=False)
class _Painted:
    """Points of one frame: where they are, bool (points,) which are visible, their colours."""

    positions: list[Point]
    shown: NDArray[np.bool_]
    colours: list[Colour]


def query_colours(query_points_tyx: NDArray[np.float32], height: int, width: int) -> list[Colour]:
    """Hue runs with x from red to violet and a little with y; lower rows are paler."""
    colours: list[Colour] = []
    for _, y, x in query_points_tyx.astype(float):
        across, down = x / width, y / height
        red, green, blue = colorsys.hsv_to_rgb(0.65 * across + 0.2 * down, 1 - 0.45 * down, 1.0)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def confidence_colours(confidence: NDArray[np.float32]) -> list[Colour]:
    """Red for 0, yellow for a half, green for 1; what is not finite counts as 0."""
    colours: list[Colour] = []
    for sure in np.clip(np.nan_to_num(confidence.astype(float)), 0, 1).tolist():
        red, green, blue = colorsys.hsv_to_rgb(sure / 3, 0.9, 1.0)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def fixed_point(xy: NDArray[np.float32], height: int, width: int) -> list[Point]:
    """Positions as cv2 wants them: pixel centres at 0, in sixteenths.

    Far outside the frame they are clipped, since cv2's integers would overflow.
    """
    size = np.array([width, height])
    centred = np.nan_to_num(xy.astype(np.float64)) - 0.5
    clipped = np.clip(centred, -4 * size, 5 * size)
    sixteenths = np.rint(clipped * (1 << SHIFT)).astype(int)
    return [(x, y) for x, y in sixteenths.tolist()]


def _draw_segments(
    canvas: NDArray[np.uint8], before: _Painted, after: _Painted, alpha: float, pen: Pen
) -> None:
    """The piece of every trail from one frame to the next, where it is visible in both."""
    for point in np.flatnonzero(before.shown & after.shown).tolist():
        start, end = before.positions[point], after.positions[point]
        ink = make_ink(after.colours[point], alpha)
        cv2.line(canvas, start, end, ink, pen.trail, cv2.LINE_AA, SHIFT)


def draw_mark(
    canvas: NDArray[np.uint8], centre: Point, colour: Colour, pen: Pen, visible: bool
) -> None:
    """A dot, or a ring that the video shows through, in a dark outline."""
    outer = pen.dot if visible else pen.ring_outer
    _draw_disk(canvas, centre, outer + pen.outline, make_ink(_OUTLINE, _OUTLINE_ALPHA))
    _draw_disk(canvas, centre, outer, make_ink(colour, 1.0))
    if not visible:
        _draw_disk(canvas, centre, pen.ring_inner, make_ink(colour, 0.0))


def _draw_disk(
    canvas: NDArray[np.uint8],
    centre: Point,
    radius: float,
    ink: Ink,
) -> None:
    fixed_radius = round(radius * (1 << SHIFT))
    cv2.circle(canvas, centre, fixed_radius, ink, cv2.FILLED, cv2.LINE_AA, SHIFT)


def make_ink(colour: Colour, alpha: float) -> Ink:
    """Premultiplied RGBA, 0 to 255; ``alpha`` is 0 to 1."""
    # Written out: a frame of 64 points has some thousand inks.
    red, green, blue = colour
    return red * alpha, green * alpha, blue * alpha, 255 * alpha


def blend(frame: NDArray[np.uint8], canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The canvas over the frame; only what is drawn on is computed, a small part of most frames."""
    # numpy finds what is true in a tenth of the time that it needs for numbers, and takes rows by
    # ``take`` in a tenth of what an index needs.
    drawn = np.flatnonzero(cv2.extractChannel(canvas, 3) != 0)
    blended = frame.copy(order="C")
    if len(drawn):
        ink = canvas.reshape(-1, 4).take(drawn, axis=0)
        pixels = blended.reshape(-1, 3)
        keep = np.repeat(255 - ink[:, 3:], 3, axis=1)
        kept = cv2.multiply(pixels.take(drawn, axis=0), keep, scale=1 / 255)
        pixels[drawn] = cv2.add(ink[:, :3], kept)
    return blended
