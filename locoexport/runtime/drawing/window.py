"""A window of OpenCV's on this machine's display: what it shows, and what is clicked in it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import MachineError
from locoexport.runtime.drawing import window_process
from locoexport.runtime.drawing.window_process import PICTURE_HEAD, READY

__all__ = ["WINDOW_HELP", "ShownWindow", "WindowEvents", "check_display"]

WINDOW_HELP = "click: add  right click: remove  c: clear  space: pause  q: quit"
_LARGEST_WH = (1600, 900)
_ESCAPE = 27
_OPEN_S = 20.0
_END_S = 2.0
_GONE = "gone"
_INSTEAD = "Leave --show out, and take -o FILM.mp4 or --jsonl -."


@dataclass(frozen=True)
class WindowEvents:
    """What happened in a window since it was asked last.

    ``added_yx`` and ``removed_yx`` are places in pixels of the frame, pixel centres at .5.
    """

    added_yx: tuple[tuple[float, float], ...] = ()
    removed_yx: tuple[tuple[float, float], ...] = ()
    clear: bool = False
    pause: bool = False
    quit: bool = False


def check_display() -> None:
    """Check that OpenCV can open a window here.

    Raises:
        MachineError: it cannot.
    """
    has_display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_display:
        raise MachineError(
            f"There is no display to show a window on (DISPLAY is not set). {_INSTEAD}"
        )
    with ShownWindow():
        pass


class ShownWindow:
    """A window, in a process of its own; to be used in a ``with`` block."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._drawn_scale = 1.0
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def show(self, image_rgb: NDArray[np.uint8], scale: int, caption: str) -> None:
        """Show a picture, with the keys and a caption drawn small at its foot.

        Args:
            image_rgb: uint8 (height, width, 3).
            scale: how many times it is larger than the frame that clicks are told in.
            caption: a short text.
        """
        height, width = image_rgb.shape[:2]
        fit = min(1.0, _LARGEST_WH[0] / width, _LARGEST_WH[1] / height)
        if fit < 1:
            size_wh = (max(1, round(width * fit)), max(1, round(height * fit)))
            image_rgb = np.asarray(
                cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8
            )
        image = np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), np.uint8)
        _write_foot(image, f"{caption}   {WINDOW_HELP}")
        self._drawn_scale = scale * fit
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None:
            with suppress(OSError):  # it was closed, which ``events`` tells
                pipe.write(PICTURE_HEAD.pack(*image.shape[:2]) + image.tobytes())
                pipe.flush()

    def events(self, wait_s: float = 0.0) -> WindowEvents:
        """What happened since the last call; waits that long for something."""
        lines: list[str] = []
        with suppress(queue.Empty):
            while True:
                first = not lines and wait_s > 0
                lines.append(self._told.get(block=first, timeout=wait_s if first else None))
        keys = {int(line.split()[1]) for line in lines if line.startswith("key")}
        return WindowEvents(
            self._places(lines, "left"),
            self._places(lines, "right"),
            clear=bool(keys & {ord("c"), ord("C")}),
            pause=ord(" ") in keys,
            quit=_GONE in lines or bool(keys & {ord("q"), ord("Q"), _ESCAPE}),
        )

    def _places(self, lines: list[str], button: str) -> tuple[tuple[float, float], ...]:
        clicked = (line.split() for line in lines if line.startswith(button))
        return tuple(
            ((int(y) + 0.5) / self._drawn_scale, (int(x) + 0.5) / self._drawn_scale)
            for _, x, y in clicked
        )

    def __enter__(self) -> ShownWindow:
        """Open it.

        Raises:
            MachineError: it cannot be opened here.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", window_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what Qt thinks of its fonts
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        try:
            first = self._told.get(timeout=_OPEN_S)
        except queue.Empty:
            first = _GONE
        if first != READY:
            self._end()
            raise MachineError(
                "OpenCV cannot open a window here: the display does not answer, or this OpenCV was "
                f"built without windows (opencv-python-headless). {_INSTEAD}"
            )
        return self

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._told.put(line.decode("ascii", "replace").strip())
        self._told.put(_GONE)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listener.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self._end()


def _write_foot(image: NDArray[np.uint8], text: str) -> None:
    """Light letters with a dark edge, as wide as the picture allows."""
    height, width = image.shape[:2]
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, _), _ = cv2.getTextSize(text, font, 1.0, 1)
    size = max(0.3, min(0.5, (width - 12) / text_width))
    at = (6, height - 8)
    cv2.putText(image, text, at, font, size, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, at, font, size, (255, 255, 255), 1, cv2.LINE_AA)
