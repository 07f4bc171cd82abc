"""Films without a codec: animated GIF and WebP, written by Pillow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.machine.installation import require_packages
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.video.spool import Spool

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ANIMATION_SUFFIXES", "MOST_PIXELS", "AnimationWriter", "check_animation_fits"]

ANIMATION_SUFFIXES = (".gif", ".webp")
MOST_PIXELS = 200_000_000
"""Pixels of all frames together: Pillow holds a GIF's in memory, a byte each or more, and nobody
can send the file. 26 s of 640x480 at 25 frames a second."""
_MOST_GIF_FPS = 50
"""Browsers show frames of less than 2/100 s as if they had 10/100."""
_WEBP = {"quality": 80, "method": 2}


def check_animation_fits(path: Path, frames: int | None, frame_hw: tuple[int, int]) -> None:
    """Refuse, before any work, an animation that would be too large.

    Args:
        path: of the animation; of any other film nothing is checked.
        frames: about how many there will be; None where nobody knows.
        frame_hw: as they are drawn.

    Raises:
        OutputError: it would be.
    """
    pixels = (frames or 0) * frame_hw[0] * frame_hw[1]
    if path.suffix.lower() in ANIMATION_SUFFIXES and pixels > MOST_PIXELS:
        raise OutputError(
            f"{path} would have {frames} frames of {frame_hw[0]}x{frame_hw[1]}, {pixels:,} pixels;"
            f" a {path.suffix.lower()} is written up to {MOST_PIXELS:,}. Choose less of the clip "
            "(--end, --stride, --resize, --scale 1), or name it .mp4."
        )


class AnimationWriter:
    """A GIF or WebP that plays over and over, by the path's suffix; it appears when the block ends.

    Frames wait in a temporary file. Each is shown from its own time to the next one's, rounded so
    that the whole lasts as long as the clip. A GIF has at most 50 frames a second: of faster clips
    every n-th is kept. Beyond ``MOST_PIXELS`` frames are left out, and ``left_out`` counts them.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """``fps`` is frames a second.

        Raises:
            UsageError: it is not a positive number.
            PackageMissingError: Pillow is not installed.
        """
        require_packages("PIL", extra="eval")
        if not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"fps is {fps}; it must be a positive number.")
        self._path, self._fps = path, fps
        self._is_gif = path.suffix.lower() == ".gif"
        self._step = max(1, math.ceil(fps / _MOST_GIF_FPS)) if self._is_gif else 1
        self._stack = ExitStack()
        self._shape: tuple[int, ...] = ()
        self._seen = self._kept = self.left_out = 0

    def write(self, image: NDArray[np.uint8]) -> None:
        """Add a frame, uint8 (height, width, 3).

        Raises:
            VideoError: it is of another size than the first.
        """
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            raise VideoError(f"A frame has shape {image.shape} where the first had {self._shape}.")
        if (self._kept + 1) * image.shape[0] * image.shape[1] > MOST_PIXELS:
            self.left_out += 1
            return
        if self._seen % self._step == 0:
            self._spool.write(image)
            self._kept += 1
        self._seen += 1

    def __enter__(self) -> AnimationWriter:
        """Open the temporary files."""
        self._draft = self._stack.enter_context(whole_file(self._path))
        self._spool = self._stack.enter_context(closing(Spool()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the animation and put it in its place, or remove what was written.

        Raises:
            VideoError: there were no frames.
            OutputError: the file cannot be written.
        """
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if not self._kept:
                raise VideoError("There are no frames to write.")
            self._save()

    def _save(self) -> None:
        images = self._images()
        first = next(images)
        # GIF counts hundredths of a second; Pillow takes thousandths for both.
        unit_ms = 10 if self._is_gif else 1
        ends = [min(index * self._step, self._seen) for index in range(self._kept)] + [self._seen]
        times = [round(1000 * end / self._fps / unit_ms) * unit_ms for end in ends]
        shown_ms = [max(unit_ms, after - before) for before, after in pairwise(times)]
        options: dict[str, Any] = {} if self._is_gif else _WEBP
        try:
            first.save(
                self._draft,
                format="GIF" if self._is_gif else "WEBP",
                save_all=True,
                append_images=images,
                duration=shown_ms,
                loop=0,
                **options,
            )
        except (OSError, ValueError) as error:
            raise OutputError(f"Cannot write {self._path}: {error}.") from error

    def _images(self) -> Iterator[Image.Image]:
        from PIL import Image

        # An octree keeps the colours of dots, which are too few for a median cut: on a drawn test
        # picture the worst channel is 53 off, not 154, in a tenth of the time.
        for index in range(self._kept):
            image = Image.fromarray(self._spool.read(index, index + 1)[0])
            yield image.quantize(256, Image.Quantize.FASTOCTREE) if self._is_gif else image
