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
_ROUNDED_MS = 0.1
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
    that the whole lasts as long as the clip; the last one for as long as the others on average. A
    GIF has at most 50 frames a second: frames that come sooner after the last one are not kept.
    Beyond ``MOST_PIXELS`` frames are left out, and ``left_out`` counts them.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """``fps`` is frames a second, on average where times are told.

        Raises:
            UsageError: it is not a positive number.
            PackageMissingError: Pillow is not installed.
        """
        require_packages("PIL", extra="eval")
        if not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"fps is {fps}; it must be a positive number.")
        self._path, self._fps = path, fps
        self._is_gif = path.suffix.lower() == ".gif"
        # GIF counts hundredths of a second; Pillow takes thousandths for both.
        self._unit_ms = 10 if self._is_gif else 1
        self._stack = ExitStack()
        self._shape: tuple[int, ...] = ()
        self._times: list[float] = []
        self._origin_s: float | None = None
        self._last_s = 0.0
        self._end_s: float | None = None
        self._seen = self.left_out = 0

    def write(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Add a frame, uint8 (height, width, 3), shown at that time, or one step after the last.

        Raises:
            VideoError: it is of another size than the first.
        """
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            raise VideoError(f"A frame has shape {image.shape} where the first had {self._shape}.")
        at_s = self._last_s = self._after_the_first(time_s)
        self._seen += 1
        if (len(self._times) + 1) * image.shape[0] * image.shape[1] > MOST_PIXELS:
            self._end_s = at_s if self._end_s is None else self._end_s
            self.left_out += 1
        elif self._is_due(at_s):
            self._spool.write(image)
            self._times.append(at_s)

    def _after_the_first(self, time_s: float | None) -> float:
        if not self._seen:
            self._origin_s = time_s
            return 0.0
        if time_s is None or self._origin_s is None:
            return self._last_s + 1 / self._fps
        return time_s - self._origin_s

    def _is_due(self, at_s: float) -> bool:
        """Whether the frame before was shown for as long as it takes to be shown at all."""
        if not self._times or not self._is_gif:
            return True
        before_s, least_ms = self._times[-1], 1000 / _MOST_GIF_FPS
        rounded_ms = self._rounded_ms(at_s) - self._rounded_ms(before_s)
        return 1000 * (at_s - before_s) > least_ms - _ROUNDED_MS and rounded_ms >= least_ms

    def _rounded_ms(self, at_s: float) -> int:
        return round(1000 * at_s / self._unit_ms) * self._unit_ms

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
            if not self._times:
                raise VideoError("There are no frames to write.")
            self._save()

    def _save(self) -> None:
        images = self._images()
        first = next(images)
        end_s = self._end_s
        if end_s is None:
            step_s = self._last_s / (self._seen - 1) if self._seen > 1 else 1 / self._fps
            end_s = self._last_s + step_s
        edges_ms = [self._rounded_ms(at_s) for at_s in (*self._times, end_s)]
        shown_ms = [max(self._unit_ms, after - before) for before, after in pairwise(edges_ms)]
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
        for index in range(len(self._times)):
            image = Image.fromarray(self._spool.read(index, index + 1)[0])
            yield image.quantize(256, Image.Quantize.FASTOCTREE) if self._is_gif else image
