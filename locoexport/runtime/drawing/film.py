"""The overlay video, drawn and encoded in two threads while the next frames are tracked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.machine.stopwatch import Stopwatch
from locoexport.runtime.drawing.points import Painter
from locoexport.runtime.tracking.delivery import FrameBatch, Sink
from locoexport.runtime.video.background import Behind
from locoexport.runtime.video.mp4 import SQUARE, Mp4Writer

__all__ = ["drawn_film"]


@contextmanager
def drawn_film(
    path: Path | None,
    fps: float,
    watch: Stopwatch,
    *,
    pixel_aspect: Fraction = SQUARE,
) -> Iterator[Sink | None]:
    """A sink that draws in one thread and encodes in another; the film appears at the end.

    Both are done beside the model. After the last window nothing else runs, and it is the two
    threads that keep this end short.
    """
    if path is None:
        yield None
        return
    painter: Painter | None = None
    with Mp4Writer(path, fps, pixel_aspect=pixel_aspect) as film:

        def encode(drawn: tuple[NDArray[np.uint8], float]) -> None:
            with watch.timed("encoding"):
                film.write(*drawn)

        def draw(batch: FrameBatch) -> None:
            nonlocal painter
            if painter is None:
                painter = Painter(batch.frames[0].shape[:2], batch.query_points)
            for index, frame in enumerate(batch.frames):
                with watch.timed("drawing"):
                    drawn = painter.paint(frame, batch.xy[:, index], batch.visible[:, index])
                encoding.put((drawn, float(batch.time_s[index])))

        with Behind(encode, depth=2) as encoding, Behind(draw, depth=1) as drawing:
            yield drawing.put
            with watch.timed("waiting for drawing"):
                drawing.finish()
                encoding.finish()
