"""The overlay film, drawn and encoded in two threads while the next frames are tracked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import OutputError
from locoexport.machine.installation import require_packages
from locoexport.machine.stopwatch import Stopwatch
from locoexport.machine.writing.output_files import whole_file
from locoexport.notices import Listener, Notice, ignore
from locoexport.runtime.drawing.animation import ANIMATION_SUFFIXES, MOST_PIXELS, AnimationWriter
from locoexport.runtime.drawing.points import Painter
from locoexport.runtime.drawing.sound import ClipSound, add_sound
from locoexport.runtime.drawing.style import OVERLAY_STYLE, DrawingStyle
from locoexport.runtime.tracking.delivery import FrameBatch, Sink
from locoexport.runtime.video.background import Behind
from locoexport.runtime.video.mp4 import SQUARE, Mp4Writer

__all__ = ["check_film_path", "drawn_film", "open_film", "write_film"]


@contextmanager
def drawn_film(
    path: Path | None,
    fps: float,
    watch: Stopwatch,
    *,
    pixel_aspect: Fraction = SQUARE,
    style: DrawingStyle = OVERLAY_STYLE,
    sound: ClipSound | None = None,
    notify: Listener = ignore,
) -> Iterator[Sink | None]:
    """A sink that draws in one thread and encodes in another; the film appears at the end.

    Both are done beside the model. After the last window nothing else runs, and it is the two
    threads that keep this end short.
    """
    if path is None:
        yield None
        return
    painter: Painter | None = None
    with open_film(path, fps, sound, notify, pixel_aspect=pixel_aspect) as film:

        def encode(drawn: tuple[NDArray[np.uint8], float]) -> None:
            with watch.timed("encoding"):
                film.write(*drawn)

        def draw(batch: FrameBatch) -> None:
            nonlocal painter
            if painter is None:
                painter = Painter(batch.frames[0].shape[:2], batch.query_points, style=style)
            for index, frame in enumerate(batch.frames):
                with watch.timed("drawing"):
                    drawn = painter.paint(
                        frame,
                        batch.xy[:, index],
                        batch.visible[:, index],
                        batch.confidence[:, index],
                    )
                encoding.put((drawn, float(batch.time_s[index])))

        # Of each window frames come twice, as it begins and as it ends: two batches may wait.
        with Behind(encode, depth=2) as encoding, Behind(draw, depth=2) as drawing:
            yield drawing.put
            with watch.timed("waiting for drawing"):
                drawing.finish()
                encoding.finish()


def write_film(
    path: Path,
    frames_rgb: Iterable[NDArray[np.uint8]],
    fps: float,
    time_s: NDArray[np.float64] | None = None,
    *,
    pixel_aspect: Fraction = SQUARE,
    sound: ClipSound | None = None,
    notify: Listener = ignore,
) -> None:
    """Write drawn frames, uint8 (height, width, 3), as a film; see ``open_film``.

    ``time_s`` says when each is shown, float64 (frames,), rising; None is ``fps`` a second.
    """
    with open_film(path, fps, sound, notify, pixel_aspect=pixel_aspect) as film:
        for index, image in enumerate(frames_rgb):
            film.write(image, None if time_s is None else float(time_s[index]))


def check_film_path(path: Path) -> Path:
    """The path of a film that can be written here.

    Raises:
        OutputError: its suffix is of no film that is written.
        PackageMissingError: Pillow is missing, for a .gif or .webp.
    """
    if path.suffix.lower() not in (".mp4", *ANIMATION_SUFFIXES):
        raise OutputError(f"{path}: the overlay is written as .mp4, .gif or .webp; name it so.")
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        require_packages("PIL", extra="eval")
    return path


@contextmanager
def open_film(
    path: Path,
    fps: float,
    sound: ClipSound | None = None,
    notify: Listener = ignore,
    *,
    pixel_aspect: Fraction = SQUARE,
) -> Iterator[Mp4Writer | AnimationWriter]:
    """A writer of films by the path's suffix; the file appears, with sound, when the block ends.

    ``pixel_aspect`` is the width of a pixel to its height, which only an .mp4 can say.

    Raises:
        VideoError: there were no frames, or frames of several sizes.
        OutputError: the file cannot be written.
        PackageMissingError: Pillow is missing, for a .gif or .webp.
    """
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        with AnimationWriter(path, fps) as animation:
            yield animation
        if animation.left_out:
            text = (
                f"{path} ends early: its last {animation.left_out} frames were left out, because "
                f"a {path.suffix.lower()} is written only up to {MOST_PIXELS:,} pixels"
            )
            notify(Notice(text, warning=True))
    elif sound is None:
        with Mp4Writer(path, fps, pixel_aspect=pixel_aspect) as film:
            yield film
    else:
        with whole_file(path) as draft:
            silent = draft.with_name("silent.mp4")
            with Mp4Writer(silent, fps, pixel_aspect=pixel_aspect) as film:
                yield film
            reason = add_sound(silent, sound, draft)
            if reason is not None:
                os.replace(silent, draft)
                notify(Notice(f"the overlay has no sound: {reason}", warning=True))
