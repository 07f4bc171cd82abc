"""Frames kept in a temporary file: of a source that can be read once, or only from its beginning.

Of the latter, whoever goes through it backwards, block by block, would read it as often as there
are blocks. So each reading keeps as many frames before the block (or behind it, for whoever goes
forwards) as have room.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import OutputError

__all__ = ["Lookback", "Spool"]

_MOST_BYTES = 1 << 31
Take = Callable[[int, int, Callable[[NDArray[np.uint8]], None]], None]
"""Hands on the frames from the first number to before the second, in order."""


class Spool:
    """Frames of one size, written in order and read back from anywhere."""

    def __init__(self) -> None:
        """Make the temporary file, which goes away when it is closed.

        Raises:
            OutputError: there is no temporary folder that can be written to.
        """
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        except OSError as error:
            raise _no_room(error) from error
        self._shape: tuple[int, ...] = ()

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Keep the next frame, uint8 (height, width, 3).

        Raises:
            OutputError: the temporary folder has no room.
        """
        self._shape = frame.shape
        try:
            self._file.write(np.ascontiguousarray(frame).data)
        except OSError as error:
            raise _no_room(error) from error

    def read(self, first: int, end: int) -> list[NDArray[np.uint8]]:
        """Frames ``first`` to ``end - 1``, once all were written.

        Raises:
            OutputError: the temporary folder has no room for the last of them.
        """
        size = int(np.prod(self._shape))
        try:
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error
        self._file.seek(first * size)
        content = self._file.read((end - first) * size)
        return list(np.frombuffer(content, np.uint8).reshape(-1, *self._shape))

    def close(self) -> None:
        """Give the file back."""
        with suppress(OSError):  # closing would write what there was no room for
            self._file.close()


class Lookback:
    """Blocks of frames, of which neighbours are kept with each reading."""

    def __init__(self, frames: int, take: Take, *, most_bytes: int = _MOST_BYTES) -> None:
        """``frames`` is how many there are, ``take`` reads some from the file's beginning on."""
        self._frames = frames
        self._take = take
        self._most_bytes = most_bytes
        self._spool: Spool | None = None
        self._first = self._end = self._asked = 0

    def read(self, first: int, end: int, frame_bytes: int) -> list[NDArray[np.uint8]]:
        """Frames ``first`` to ``end - 1``, of ``frame_bytes`` each.

        Raises:
            OutputError: the temporary folder has no room.
            VideoError: the file gives other frames than before.
        """
        if self._spool is None or first < self._first or end > self._end:
            self._fill(first, end, frame_bytes)
        self._asked = first
        assert self._spool is not None
        return self._spool.read(first - self._first, end - self._first)

    def close(self) -> None:
        """Give the temporary file back."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def __del__(self) -> None:
        """Nobody has to close what is forgotten."""
        self.close()

    def _fill(self, first: int, end: int, frame_bytes: int) -> None:
        goes_on = self._spool is not None and first >= self._asked
        self.close()
        room = min(self._most_bytes, shutil.disk_usage(tempfile.gettempdir()).free // 2)
        count = max(end - first, room // frame_bytes)
        if goes_on:
            self._first, self._end = first, min(first + count, self._frames)
        else:
            self._first, self._end = max(0, end - count), end
        self._spool = Spool()
        self._take(self._first, self._end, self._spool.write)


def _no_room(error: OSError) -> OutputError:
    return OutputError(
        f"Cannot keep the frames in {tempfile.tempdir or 'the temporary folder'}: "
        f"{error.strerror or error}. Points that begin late are tracked backwards, for which a "
        "stream has to be kept; set TMPDIR to a folder with room, or give points on the first "
        "frames only."
    )
