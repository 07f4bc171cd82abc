"""Decoded frames as 8-bit RGB that is shown upright, and what is to be said about them.

The matrix (BT.601, 709, 2020, SMPTE 240M) and the range are the frame's own; where it names none,
they are BT.601 and limited, as FFmpeg has it. Transfer and primaries stay as they are in the file.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from locoexport.runtime.picture.orientation import Orientation, read_orientation
from locoexport.runtime.picture.streams import ffmpeg_threads

__all__ = ["Pictures"]

_HDR = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
"""Transfers of high dynamic range by their numbers in ITU-T H.273, table 3."""
_UNSPECIFIED = 2
_MATRICES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 9})
"""Those of H.273, table 4, that FFmpeg's scaler converts; 3 is reserved and taken for none."""
_OTHER_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE 2085",
    12: "chromaticity-derived",
    13: "chromaticity-derived constant luminance",
    14: "ICtCp",
}
_MOST_ASPECT = 16
"""A pixel so many times wider than high, or higher than wide, is an error of the file."""


class Pictures:
    """Turns the frames of one file into arrays.

    Attributes:
        warnings: what was odd so far about the pictures, though they are shown.
    """

    def __init__(self, path: Path | str, *, deinterlaced: bool = False) -> None:
        """``path`` is what messages call the film; ``deinterlaced`` says that frames are no longer
        interlaced, whatever they say."""
        self.warnings: list[str] = []
        self._path = path
        self._deinterlaced = deinterlaced
        self._orientation = Orientation()
        self._stored_aspect = Fraction(1)
        self._threads = ffmpeg_threads()

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a shown pixel to its height, once a frame was read; 1 where they are square."""
        turned = self._orientation.transposed
        return 1 / self._stored_aspect if turned else self._stored_aspect

    def look_at(self, stream: VideoStream) -> None:
        """Learn what the stream says of all its frames."""
        self._stored_aspect = _checked_aspect(stream.sample_aspect_ratio)
        self._notice_transfer(int(stream.codec_context.color_trc or 0))

    def to_rgb(
        self, frame: VideoFrame, height: int | None = None, width: int | None = None
    ) -> NDArray[np.uint8]:
        """A frame as uint8 (height, width, 3), turned and mirrored as its file asks.

        Args:
            frame: as it was decoded.
            height, width: of the result; None is the frame's own.
        """
        self._orientation = read_orientation(frame)
        if self._orientation.transposed:
            height, width = width, height
        self._notice(frame)
        image = frame.to_ndarray(format="rgb24", height=height, width=width, threads=self._threads)
        return self._orientation.apply(cast(NDArray[np.uint8], image))

    def _notice(self, frame: VideoFrame) -> None:
        if frame.interlaced_frame and not self._deinterlaced:
            self._warn(
                f"{self._path} is interlaced: the odd lines of a frame show another moment than "
                "the even ones, so moving edges look like combs. --deinterlace makes each frame "
                "show one moment; the number of frames and their times stay the same."
            )
        if self._orientation.left_over_degrees:
            self._warn(
                f"{self._path} asks to be rotated by {self._orientation.left_over_degrees:.0f} "
                "degrees more than a multiple of 90, or to be sheared, which is not supported. "
                "Coordinates refer to the frame without that."
            )
        # A stream may say so in its frames alone.
        self._notice_transfer(int(frame.color_trc))
        matrix = int(frame.colorspace)
        if matrix not in _MATRICES:
            name = _OTHER_MATRICES.get(matrix, f"number {matrix}")
            self._warn(
                f"{self._path} uses a colour matrix that is not supported ({name}). It is read "
                "as BT.601, so colours look wrong. `ffmpeg -i IN OUT.mp4` converts most of these."
            )
            frame.colorspace = _UNSPECIFIED

    def _notice_transfer(self, transfer: int) -> None:
        if transfer in _HDR:
            self._warn(
                f"{self._path} has high dynamic range: {_HDR[transfer]}. Its values are used "
                "without tone mapping, so frames look pale; the positions of points are not "
                "affected. `ffmpeg` with zscale and tonemap makes a film of standard range."
            )

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def _checked_aspect(stored: Fraction | None) -> Fraction:
    if not stored or stored < 0 or max(stored, 1 / stored) > _MOST_ASPECT:
        return Fraction(1)
    return Fraction(stored)
