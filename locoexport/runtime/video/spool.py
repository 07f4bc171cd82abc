"""Frames of a source that can be read once, kept in a temporary file."""

from __future__ import annotations

import tempfile
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import OutputError

__all__ = ["Spool"]


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


def _no_room(error: OSError) -> OutputError:
    return OutputError(
        f"Cannot keep the frames in {tempfile.tempdir or 'the temporary folder'}: "
        f"{error.strerror or error}. Points that begin late are tracked backwards, for which a "
        "stream has to be kept; set TMPDIR to a folder with room, or give points on the first "
        "frames only."
    )
