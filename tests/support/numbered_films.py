"""Films whose frames show their own number, so that a wrong one cannot pass for another."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

_HW = (48, 128)
_BITS = 8


def numbered_frame(number: int) -> NDArray[np.uint8]:
    """uint8 (48, 128, 3): the number's bits as black and white bars over a pattern that moves."""
    y, x = np.mgrid[: _HW[0], : _HW[1]]
    frame = np.stack([(x * 2 + number * 3) % 256, (y * 4) % 256, (x + y) % 256], -1)
    for bit in range(_BITS):
        frame[:24, 16 * bit : 16 * bit + 16] = 255 if number >> bit & 1 else 0
    return frame.astype(np.uint8)


def number_of(frame: NDArray[np.uint8]) -> int:
    """The number that a frame shows."""
    bars = frame[4:20].reshape(16, _BITS, 16, 3).mean(axis=(0, 2, 3))
    return sum(int(level > 127) << bit for bit, level in enumerate(bars))


def write_numbered(
    path: Path,
    count: int,
    codec: str = "libx264",
    *,
    fps: int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    first: int = 0,
    **options: str,
) -> Path:
    """A film of frames ``first`` to ``first + count - 1``; ``pts`` in ``time_base``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width = _HW
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.thread_count = 1
        tick = time_base or Fraction(1, fps)
        stream.codec_context.time_base = tick
        for index in range(count):
            frame = VideoFrame.from_ndarray(numbered_frame(first + index), format="rgb24")
            frame.time_base = tick
            frame.pts = index if pts is None else pts[index]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
