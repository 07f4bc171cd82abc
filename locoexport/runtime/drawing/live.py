"""Points drawn over frames of a stream, in which they come and go."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.drawing.points import (
    SHIFT,
    Colour,
    Pen,
    Point,
    blend,
    confidence_colours,
    draw_mark,
    fixed_point,
    make_ink,
    query_colours,
)
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.live.tracker import LiveTracks

__all__ = ["LivePainter"]

_TRAIL_ALPHA = 0.9


@dataclass(frozen=True, eq=False)
class _Shown:
    """The visible points of one frame, by id: where they are."""

    positions: dict[int, Point]


class LivePainter:
    """Draws as ``Painter`` does, but points are known by their ids, and may be new or gone.

    A point's colour comes from where it was first. Nothing is kept that is older than a trail.
    """

    def __init__(self, frame_hw: tuple[int, int], style: DrawingStyle = OVERLAY_STYLE) -> None:
        """For frames of that (height, width)."""
        self._style = style
        self.scale = style.scale_for(*frame_hw)
        self._frame_hw = frame_hw
        self._drawn_hw = frame_hw[0] * self.scale, frame_hw[1] * self.scale
        self._pen = Pen.for_frame(*self._drawn_hw).in_style(style)
        self._colours: dict[int, Colour] = {}
        self._past: deque[_Shown] = deque(maxlen=style.trail_frames + 1)

    def paint(self, frame_rgb: NDArray[np.uint8], tracks: LiveTracks) -> NDArray[np.uint8]:
        """A new uint8 (height, width, 3), ``scale`` times as large as the frame."""
        height, width = self._drawn_hw
        xy = tracks.xy * np.float32(self.scale)
        if self.scale > 1:
            larger = cv2.resize(frame_rgb, (width, height), interpolation=cv2.INTER_LINEAR)
            frame_rgb = np.asarray(larger, np.uint8)
        ids = tracks.ids.tolist()
        self._choose_colours(ids, tracks.xy)
        positions = fixed_point(xy, height, width)
        drawable = np.isfinite(xy).all(axis=1)
        shown = tracks.visible & drawable
        self._past.append(_Shown({ids[i]: positions[i] for i in np.flatnonzero(shown)}))
        canvas = np.zeros((height, width, 4), np.uint8)
        colours = dict(self._colours)
        if self._style.colour == "confidence":
            colours = dict(zip(ids, confidence_colours(tracks.confidence), strict=True))
        self._draw_trails(canvas, colours)
        for i in np.flatnonzero(shown if self._style.hide_occluded else drawable).tolist():
            draw_mark(canvas, positions[i], colours[ids[i]], self._pen, bool(shown[i]))
        return blend(frame_rgb, canvas)

    def _choose_colours(self, ids: list[int], xy: NDArray[np.float32]) -> None:
        new = [i for i, name in enumerate(ids) if name not in self._colours]
        places_tyx = np.zeros((len(new), 3), np.float32)
        places_tyx[:, 1:] = np.clip(np.nan_to_num(xy[new][:, ::-1]), 0, self._frame_hw)
        chosen = query_colours(places_tyx, *self._frame_hw)
        self._colours.update(zip([ids[i] for i in new], chosen, strict=True))
        self._colours = {name: self._colours[name] for name in ids}

    def _draw_trails(self, canvas: NDArray[np.uint8], colours: dict[int, Colour]) -> None:
        """The piece of every trail from one frame to the next, the oldest and faintest first."""
        frames = self._style.trail_frames
        steps = min(len(self._past) - 1, frames)
        for age in range(steps - 1, -1, -1):
            before, after = self._past[-2 - age].positions, self._past[-1 - age].positions
            alpha = _TRAIL_ALPHA * (1 - age / frames)
            for name in before.keys() & after.keys() & colours.keys():
                ink = make_ink(colours[name], alpha)
                ends = before[name], after[name]
                cv2.line(canvas, *ends, ink, self._pen.trail, cv2.LINE_AA, SHIFT)
