"""Predicted tracks and true ones over their video, with a legend below: for eyes that judge.

A point has one colour. Its prediction is a dot, hollow where it was said to be hidden; the truth is
a larger ring around where the point is, broken where it is hidden; a line joins the two where they
are apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.drawing.points import (
    SHIFT,
    Ink,
    Pen,
    Point,
    blend,
    draw_mark,
    fixed_point,
    make_ink,
    query_colours,
)

__all__ = ["ComparedTracks", "draw_comparison"]

_LEAST_SIDE = 480
"""Pixels of the shorter side at least: smaller videos are enlarged, or marks would hide them."""
_RING = 2.4  # dots
_DASHES = 8
_LINE_ALPHA, _HIDDEN_ALPHA = 0.9, 0.6
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER, _TEXT = 24, (230, 230, 230)
_SAMPLE = (90, 200, 255)
_KEYS = ("predicted", "said hidden", "truth", "truth hidden")


@dataclass(frozen=True, eq=False)
class ComparedTracks:
    """Tracks of one video in its pixels: (points, frames, 2) and bool (points, frames) each.

    A point is drawn in the frames of ``shown``, bool (points, frames). ``query_points`` (points, 3)
    as (t, y, x) give the colours.
    """

    query_points: NDArray[np.float32]
    truth_xy: NDArray[np.float64]
    truth_visible: NDArray[np.bool_]
    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    shown: NDArray[np.bool_]


def draw_comparison(
    frames_rgb: NDArray[np.uint8], tracks: ComparedTracks, caption: str
) -> Iterator[NDArray[np.uint8]]:
    """Every frame with both tracks over it and the legend below it.

    Args:
        frames_rgb: uint8 (frames, height, width, 3); left as they are.
        tracks: of that video.
        caption: stands in the legend, beside the frame's number.

    Returns:
        An iterator over new uint8 frames, all of one size; those of a small video are enlarged by a
        whole number.
    """
    height, width = frames_rgb.shape[1:3]
    zoom = math.ceil(_LEAST_SIDE / min(height, width))
    height, width = height * zoom, width * zoom
    pen = Pen.for_frame(height, width)
    scaled = tracks.query_points * np.array([1, zoom, zoom], np.float32)
    colours = query_colours(scaled, height, width)
    count = len(frames_rgb)
    for index, frame in enumerate(frames_rgb):
        large = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
        canvas = np.zeros((height, width, 4), np.uint8)
        truth = fixed_point((tracks.truth_xy[:, index] * zoom).astype(np.float32), height, width)
        found = fixed_point(tracks.xy[:, index] * np.float32(zoom), height, width)
        drawn = np.flatnonzero(tracks.shown[:, index]).tolist()
        for point in drawn:
            seen = bool(tracks.truth_visible[point, index])
            ink = make_ink(colours[point], _LINE_ALPHA if seen else _HIDDEN_ALPHA)
            _draw_truth(canvas, truth[point], found[point], ink, pen, seen)
        for point in drawn:
            said = bool(tracks.visible[point, index])
            draw_mark(canvas, found[point], colours[point], pen, said)
        text = f"frame {index + 1} of {count}  {_ascii(caption)}"
        yield np.concatenate(
            (blend(np.asarray(large, np.uint8), canvas), _legend(width, pen, text))
        )


def _draw_truth(
    canvas: NDArray[np.uint8], truth: Point, found: Point, ink: Ink, pen: Pen, seen: bool
) -> None:
    """The ring of the truth, and the line from there to the prediction."""
    radius = _RING * pen.dot
    apart = math.dist(truth, found) / (1 << SHIFT)
    if apart > radius:
        edge = radius / apart
        start = tuple(round(a + (b - a) * edge) for a, b in zip(truth, found, strict=True))
        cv2.line(canvas, start, found, ink, pen.trail, cv2.LINE_AA, SHIFT)
    fixed = (round(radius * (1 << SHIFT)),) * 2
    thick = pen.trail + 1 if seen else pen.trail
    if seen:
        dark = make_ink((0, 0, 0), _HIDDEN_ALPHA)
        cv2.ellipse(canvas, truth, fixed, 0, 0, 360, dark, thick + 2, cv2.LINE_AA, SHIFT)
        cv2.ellipse(canvas, truth, fixed, 0, 0, 360, ink, thick, cv2.LINE_AA, SHIFT)
        return
    step = 360 / _DASHES
    for dash in range(_DASHES):
        start_deg, end_deg = dash * step, (dash + 0.5) * step
        cv2.ellipse(canvas, truth, fixed, 0, start_deg, end_deg, ink, thick, cv2.LINE_AA, SHIFT)


def _legend(width: int, pen: Pen, text: str) -> NDArray[np.uint8]:
    """A strip below the frame: what the marks mean, and a line of text cut to the width."""
    scale = max(0.4, width / 1600)
    (_, letters), _ = cv2.getTextSize("Ag", _FONT, scale, 1)
    reach = round(_RING * pen.dot) + 3
    row = max(letters + 8, 2 * reach)
    strip = np.full((2 * row + (2 * row) % 2, width, 3), _PAPER, np.uint8)
    canvas = np.zeros((*strip.shape[:2], 4), np.uint8)
    thick = max(1, round(1.5 * scale))
    baseline = (row + letters) // 2
    at = reach
    ink = make_ink(_SAMPLE, 1.0)
    for number, key in enumerate(_KEYS):
        centre = (at << SHIFT, (row // 2) << SHIFT)
        if number < 2:
            draw_mark(canvas, centre, _SAMPLE, pen, number == 0)
        else:
            _draw_truth(canvas, centre, centre, ink, pen, number == 2)
        cv2.putText(strip, key, (at + reach, baseline), _FONT, scale, _TEXT, thick, cv2.LINE_AA)
        at += 3 * reach + cv2.getTextSize(key, _FONT, scale, thick)[0][0]
    while text and cv2.getTextSize(text, _FONT, scale, thick)[0][0] > width - 8:
        text = text[:-1]
    cv2.putText(strip, text, (4, row + baseline), _FONT, scale, _TEXT, thick, cv2.LINE_AA)
    return blend(strip, canvas)


def _ascii(text: str) -> str:
    """What cv2's fonts can write."""
    return text.encode("ascii", "replace").decode()
