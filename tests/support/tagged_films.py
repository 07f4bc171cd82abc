"""Small films as cameras, recorders and phones tag them, written by PyAV without loss."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOURS_RGB", "set_display_matrix", "write_colours", "write_frames"]

COLOURS_RGB = np.array(
    [
        *([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]),
        *([128, 128, 128], [200, 120, 40], [30, 90, 180]),
    ]
)
"""(8, 3) in 0 to 255: columns of 16 pixels of a film by ``write_colours``."""

LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    2: (0.299, 0.114),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Of red and blue, by the number of the matrix in ITU-T H.273, table 4; 2 is no tag."""


def write_colours(
    path: Path, matrix: int, *, full: bool, pix_fmt: str = "yuv444p", tag: int | None = None
) -> None:
    """Write ``COLOURS_RGB`` as YCbCr by the formulas of H.273, 8.3; the file says ``tag``."""
    bits = 10 if "10" in pix_fmt else 8
    planes = _ycbcr(matrix, full=full, bits=bits)
    frame = av.VideoFrame(128, 32, pix_fmt)
    for index, plane in enumerate(frame.planes):
        shrink = 2 if index and "444" not in pix_fmt else 1
        row = np.repeat(planes[index], 16 // shrink)
        rows = np.zeros((32 // shrink, plane.line_size // row.itemsize), row.dtype)
        rows[:, : len(row)] = row
        plane.update(rows.tobytes())
    tags = {"colorspace": matrix if tag is None else tag, "color_range": 2 if full else 1}
    write_frames(path, [frame] * 2, **tags)


def write_frames(path: Path, frames: list[av.VideoFrame], **tags: Any) -> None:
    """Write frames of one size with x264 and no loss; ``tags`` are set on its context."""
    with av.open(str(path), "w") as container:
        options = {"qp": "0", "preset": "ultrafast", **tags.pop("options", {})}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def set_display_matrix(path: Path, *matrix: float) -> None:
    """Put a, b, c and d into the track header of an mp4: 40 bytes after its version."""
    content = bytearray(path.read_bytes())
    at = content.find(b"tkhd") + 4 + 40
    a, b, c, d = (round(value * 65536) for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def _ycbcr(matrix: int, *, full: bool, bits: int) -> NDArray[Any]:
    red, blue = LUMA_WEIGHTS[matrix]
    r, g, b = (COLOURS_RGB / 255).T
    y = red * r + (1 - red - blue) * g + blue * b
    chroma = np.stack([(b - y) / 2 / (1 - blue), (r - y) / 2 / (1 - red)])
    scale, most = 2 ** (bits - 8), 2**bits - 1
    if full:
        levels = np.stack([y * most, *(chroma * most + 128 * scale)])
    else:
        levels = np.stack([16 + 219 * y, *(128 + 224 * chroma)]) * scale
    return np.clip(np.rint(levels), 0, most).astype(np.uint8 if bits == 8 else np.uint16)
