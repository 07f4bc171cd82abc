"""Boxes and hulls of objects, drawn over frames."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import VideoError
from locoexport.runtime.objects.tracked import BoxSource, TrackedObject

__all__ = ["NO_OBJECT_COLOUR", "draw_objects", "object_colour"]

_SHIFT = 4
"""cv2's fixed point: positions in sixteenths of a pixel."""
_DASH = 4
"""How long dashes and the gaps between them are about, in widths of the outlined line."""
_OUTLINE = (0, 0, 0)

_Colour = tuple[int, int, int]

NO_OBJECT_COLOUR: _Colour = (225, 225, 225)
"""Of points that belong to no object, where objects decide colours."""


def draw_objects(
    frames_rgb: Iterable[NDArray[np.uint8]],
    objects: Sequence[TrackedObject],
    *,
    hulls: bool = True,
    scale: int = 1,
    line_width: int | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Draw objects over frames, one by one: also over those that ``draw_tracks`` gives.

    A detected box has whole lines and a tracked one dashed lines; its id stands at the upper left
    corner. The hull of its visible points is a thin line. Each object has a colour of its own.

    Args:
        frames_rgb: uint8 (height, width, 3) each; left as they are.
        objects: of that video, in its pixels.
        hulls: whether to draw the hulls.
        scale: how many times as large as the video the frames are.
        line_width: of boxes, in pixels of the frames; None is chosen by their diagonal.

    Returns:
        An iterator over new uint8 (height, width, 3) frames.

    Raises:
        VideoError: there are more frames than the objects have; when that frame is asked for.
    """
    colours = [object_colour(item.object_id) for item in objects]
    for index, frame in enumerate(frames_rgb):
        canvas = np.ascontiguousarray(frame).copy()
        for item, colour in zip(objects, colours, strict=True):
            if index >= len(item.source):
                raise VideoError(
                    f"Object {item.object_id} has {len(item.source)} frames, and the video more."
                )
            if item.source[index] == BoxSource.LOST:
                continue
            if hulls and len(item.hulls_xy[index]):
                _draw_hull(canvas, item.hulls_xy[index] * np.float32(scale), colour)
            dashed = bool(item.source[index] == BoxSource.TRACKED)
            box = item.boxes_xyxy[index] * np.float32(scale)
            _draw_box(canvas, box, colour, dashed, line_width or _line_width(canvas))
            _draw_id(canvas, box, str(item.object_id), colour)
        yield canvas


def object_colour(object_id: int) -> _Colour:
    """The colour of an object's box, RGB from 0 to 255.

    Hues are a golden section of the circle apart, so that following ids look different.
    """
    red, green, blue = colorsys.hsv_to_rgb((0.33 + 0.618034 * object_id) % 1, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _line_width(canvas: NDArray[np.uint8]) -> int:
    height, width = canvas.shape[:2]
    return max(1, round(float(np.hypot(height, width)) / 450))


def _fixed_point(points_xy: NDArray[np.floating], canvas: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Positions as cv2 wants them: pixel centres at 0, in sixteenths.

    Far outside the frame they are clipped, since cv2's integers would overflow.
    """
    size = np.array([canvas.shape[1], canvas.shape[0]])
    clipped = np.clip(points_xy.astype(np.float64) - 0.5, -4 * size, 5 * size)
    return np.rint(clipped * (1 << _SHIFT)).astype(np.int32)


def _draw_hull(canvas: NDArray[np.uint8], hull_xy: NDArray[np.float32], colour: _Colour) -> None:
    corners = _fixed_point(hull_xy, canvas).reshape(-1, 1, 2)
    cv2.polylines(canvas, [corners], True, colour, 1, cv2.LINE_AA, _SHIFT)


def _draw_box(
    canvas: NDArray[np.uint8],
    box_xyxy: NDArray[np.float32],
    colour: _Colour,
    dashed: bool,
    width: int,
) -> None:
    x0, y0, x1, y1 = box_xyxy.tolist()
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    for start, stop in pairwise(corners):
        pieces = float(np.abs(stop - start).max()) / (_DASH * (width + 2)) if dashed else 1.0
        # An odd number: dashes meet at the corners.
        count = 2 * max(0, round((pieces - 1) / 2)) + 1
        for piece in range(0, count, 2):
            ends = [start + (stop - start) * at / count for at in (piece, piece + 1)]
            (ax, ay), (bx, by) = _fixed_point(np.array(ends), canvas).tolist()
            for ink, thick in ((_OUTLINE, width + 2), (colour, width)):
                cv2.line(canvas, (ax, ay), (bx, by), ink, thick, cv2.LINE_AA, _SHIFT)


def _draw_id(
    canvas: NDArray[np.uint8], box_xyxy: NDArray[np.float32], text: str, colour: _Colour
) -> None:
    scale = max(0.35, float(np.hypot(*canvas.shape[:2])) / 1600)
    font = cv2.FONT_HERSHEY_SIMPLEX
    thick = max(1, round(scale * 1.5))
    (width, height), _ = cv2.getTextSize(text, font, scale, thick)
    x, y = round(float(box_xyxy[0])), round(float(box_xyxy[1]))
    # Above the box, or inside it where there is no room.
    top = y - height - 6 if y - height - 6 >= 0 else y + 2
    cv2.rectangle(canvas, (x, top), (x + width + 4, top + height + 4), _OUTLINE, cv2.FILLED)
    at = (x + 2, top + height + 2)
    cv2.putText(canvas, text, at, font, scale, colour, thick, cv2.LINE_AA)
