"""Tracks that grow with the video: in memory, or in a temporary file where memory is bounded."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import OutputError

__all__ = ["BYTES_PER_POINT_FRAME", "TrackStore"]

BYTES_PER_POINT_FRAME = 12
"""x, y and confidence, float32 each."""

_FIRST_FRAMES = 256
_BLOCK = bytes(1 << 20)
_CANNOT_RESERVE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


class TrackStore:
    """Positions and confidences by frame and point; frames may be written in any order.

    ``values`` is float32 (frames, points, 3): x, y, confidence. Where nothing was written x and y
    are NaN and the confidence is 0.
    """

    def __init__(self, points: int, *, on_disk: bool) -> None:
        """Room for ``points`` and no frames yet.

        Raises:
            OutputError: there is no temporary folder that can be written to.
        """
        self._points = points
        self._on_disk = on_disk
        # Closed by arrays() or close(); what is mapped lives on until the last array is gone.
        self._file: IO[bytes] | None = None
        if on_disk:
            try:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115
            except OSError as error:
                raise _no_room(points * _FIRST_FRAMES * BYTES_PER_POINT_FRAME, error) from error
        self._values: NDArray[np.float32] = np.empty((0, points, 3), np.float32)
        self.frames = 0

    @property
    def values(self) -> NDArray[np.float32]:
        """What is there now; not to be kept while the store grows."""
        return self._values[: self.frames]

    def grow(self, frames: int) -> None:
        """Make room for at least that many frames.

        Raises:
            OutputError: the temporary folder has none.
        """
        if frames <= self.frames:
            return
        if frames > len(self._values):
            self._reserve(max(frames, _FIRST_FRAMES, len(self._values) * 5 // 4))
        self._values[self.frames : frames] = np.nan, np.nan, 0
        self.frames = frames

    def release(self) -> None:
        """Let the operating system keep written pages on disk alone, where it knows how."""
        mapped = getattr(self._values, "_mmap", None)
        if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Close the temporary file; arrays over it stay good, but it cannot grow."""
        if self._file is not None:
            self._file.close()

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """xy, float32 (points, frames, 2), and confidence, float32 (points, frames).

        Contiguous arrays in memory; views of the temporary file where the store is on disk.
        """
        by_point = self.values.transpose(1, 0, 2)
        if self._on_disk:
            return by_point[..., :2], by_point[..., 2]
        return np.ascontiguousarray(by_point[..., :2]), np.ascontiguousarray(by_point[..., 2])

    def _reserve(self, frames: int) -> None:
        shape = (frames, self._points, 3)
        grown: NDArray[Any]
        if self._file is None:
            grown = np.empty(shape, np.float32)
            grown[: self.frames] = self.values
        else:
            needed = frames * self._points * BYTES_PER_POINT_FRAME
            try:
                _lengthen(self._file.fileno(), needed)
            except OSError as error:
                raise _no_room(needed, error) from error
            # What was written stays where it is.
            grown = np.memmap(self._file, np.float32, "r+", shape=shape)
        self._values = grown


def _lengthen(file: int, size: int) -> None:
    """Make a file that long, with room on the disk for all of it: where a mapped page has none, the
    system ends the process (SIGBUS) in place of an error."""
    there = os.fstat(file).st_size
    if there >= size:
        return
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, there, size - there)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
        else:
            return
    os.lseek(file, there, os.SEEK_SET)
    while there < size:
        there += os.write(file, _BLOCK[: size - there])


def _no_room(needed: int, error: OSError) -> OutputError:
    folder = tempfile.tempdir or "the temporary folder"
    return OutputError(
        f"The tracks need {needed / 1e6:,.1f} MB in a temporary file, and there is no room for "
        f"them in {folder}: {error.strerror or error}. Set TMPDIR to a folder with room, or leave "
        "--memory out."
    )
