"""How a frame is to be turned and mirrored: its file's display matrix, as a player applies it.

A matrix is nine numbers (a b u, c d v, x y w) in the machine's byte order, 16.16 fixed point but
for u, v and w: a stored point (x, y) is shown at (a·x + c·y, b·x + d·y), y downwards
(libavutil/display.h; ISO/IEC 14496-12, 8.3.2). Scales are dropped: FFmpeg makes a pixel aspect of
them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

__all__ = ["Orientation", "read_orientation"]

_TOLERANCE_DEGREES = 1.0
"""So far from a quarter turn FFmpeg still takes an angle for one."""
_FIRST_UNNAMED = max(cast(int, kind.value) for kind in Type) + 1
_UNNAMED = range(_FIRST_UNNAMED, _FIRST_UNNAMED + 12)
"""Kinds of side data of a frame that PyAV has no name for, and will not hand out: Exif, views."""


@dataclass(frozen=True)
class Orientation:
    """What is done to a stored frame: first ``transposed``, then mirrored.

    Attributes:
        transposed: rows become columns.
        flipped_x: left and right change places, after that.
        flipped_y: top and bottom change places, after that.
        left_over_degrees: how far, clockwise, the file asks to turn it further; 0 but for odd
            matrices. That is not done.
    """

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False
    left_over_degrees: float = 0.0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A stored frame, uint8 (height, width, 3), as it is shown."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.flipped_x:
            image = image[:, ::-1]
        if self.flipped_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def read_orientation(frame: VideoFrame) -> Orientation:
    """How a decoded frame is to be shown; as it is where the file does not say."""
    try:
        known = _side_data(frame)
    except ValueError:
        known = _side_data(_with_named_data(frame))
    for found in known:
        if found.type == Type.DISPLAYMATRIX and found.buffer_size >= 36:
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(found)[:36])
            return _nearest(a, b, c, d)
    return Orientation()


def _side_data(frame: VideoFrame) -> Iterable[SideData]:
    """What a frame has beside its picture.

    ``frame.side_data`` keeps this in the frame, which it refers to: each picture would then stay in
    memory until Python looks for circles.

    Raises:
        ValueError: some of it has no name in PyAV.
    """
    # It iterates over the data, not over their names as the types say.
    return cast(Iterable[SideData], SideDataContainer(frame))  # type: ignore[call-arg]


def _with_named_data(frame: VideoFrame) -> VideoFrame:
    """The same picture without those side data that PyAV has no name for."""
    graph = Graph()
    graph.threads = 1
    last = source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    for kind in _UNNAMED:
        remover = graph.add("sidedata", f"mode=delete:type={kind}")
        last.link_to(remover)
        last = remover
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    source.push(frame)
    source.push(None)
    return cast(VideoFrame, sink.pull())


def _nearest(a: int, b: int, c: int, d: int) -> Orientation:
    """The turn by quarters, mirrored or not, that is nearest to the matrix."""
    # Where the first stored direction goes, and the second; a scale of each is no turn.
    along, down = math.hypot(a, b), math.hypot(c, d)
    if not along or not down:
        return Orientation()
    turned = math.degrees(math.atan2(b, a))
    quarters = round(turned / 90)
    left_over = turned - 90 * quarters
    mirrored = a * d - b * c < 0
    # What the second direction would be if there were no shear.
    square = abs(a * c + b * d) / (along * down)
    if square > math.sin(math.radians(_TOLERANCE_DEGREES)):
        left_over = left_over or math.degrees(math.asin(min(1.0, square)))
    if abs(left_over) <= _TOLERANCE_DEGREES:
        left_over = 0.0
    first_x, first_y = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    second_x, second_y = (first_y, -first_x) if mirrored else (-first_y, first_x)
    transposed = bool(first_y)
    if transposed:
        return Orientation(True, second_x < 0, first_y < 0, left_over)
    return Orientation(False, first_x < 0, second_y < 0, left_over)
