"""The process that has the window: pictures come on stdin, and what happens is told on stdout.

A process of its own, which must not import PyAV: where its libraries are loaded first, OpenCV's
window never opens (both bring their own libxcb). Nor does Qt, which ends a process that has no
display, then end the one that tracks.
"""

from __future__ import annotations

import signal
import struct
import sys
import threading
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["PICTURE_HEAD", "READY", "TITLE", "show_pictures"]

TITLE = "locoexport live"
READY = "ready"
PICTURE_HEAD = struct.Struct("<II")
"""Height and width; the BGR bytes follow."""
_WAIT_MS = 10


class _Newest:
    """The picture that came last, read in a thread; older ones are never shown."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._picture: NDArray[np.uint8] | None = None
        self.ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> NDArray[np.uint8] | None:
        picture, self._picture = self._picture, None
        return picture

    def _read(self) -> None:
        while len(head := self._stream.read(PICTURE_HEAD.size)) == PICTURE_HEAD.size:
            height, width = PICTURE_HEAD.unpack(head)
            data = self._stream.read(height * width * 3)
            if len(data) < height * width * 3:
                break
            self._picture = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        self.ended = True


def show_pictures() -> None:
    """Until stdin ends or the window is closed. Lines: ``left X Y``, ``right X Y``, ``key N``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this

    def tell(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(event: int, x: int, y: int, _flags: int, _parameter: object) -> None:
        if event == cv2.EVENT_LBUTTONDOWN:
            tell(f"left {x} {y}")
        elif event == cv2.EVENT_RBUTTONDOWN:
            tell(f"right {x} {y}")

    # Without Qt's tools, one of which opens a menu on a right click.
    cv2.namedWindow(TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    tell(READY)
    listens = False
    newest = _Newest(sys.stdin.buffer)
    while not newest.ended:
        picture = newest.take()
        if picture is not None:
            cv2.imshow(TITLE, picture)
        key = cv2.waitKey(_WAIT_MS)
        if picture is not None and not listens:
            # The empty window is laid out otherwise: a click in it is at no place of a picture.
            cv2.setMouseCallback(TITLE, note)
            listens = True
        if key >= 0:
            tell(f"key {key & 0xFF}")
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return


if __name__ == "__main__":
    show_pictures()
