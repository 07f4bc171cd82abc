"""A window of OpenCV's on this machine's display: what it shows, and what is clicked in it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import MachineError

__all__ = ["WINDOW_HELP", "ShownWindow", "WindowEvents", "check_display"]

WINDOW_HELP = "click: add  right click: remove  c: clear  space: pause  q: quit"
_TITLE = "locoexport live"
_LARGEST_WH = (1600, 900)
_ESCAPE = 27
_TRY_S = 20.0
_TRIAL = (
    "import cv2; cv2.namedWindow('locoexport', cv2.WINDOW_AUTOSIZE); cv2.waitKey(1);"
    "cv2.destroyAllWindows()"
)


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

    A process of its own tries it: where there is none, Qt ends the process that asked.

    Raises:
        MachineError: it cannot.
    """
    has_display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_display:
        raise MachineError(
            "There is no display to show a window on (DISPLAY is not set); leave --show out, and "
            "take -o FILM.mp4 or --jsonl -."
        )
    trial = [sys.executable, "-c", _TRIAL]
    try:
        code = subprocess.run(trial, capture_output=True, timeout=_TRY_S, check=False).returncode
    except subprocess.TimeoutExpired:
        code = -1
    if code:
        raise MachineError(
            "OpenCV cannot open a window here: the display does not answer, or this OpenCV was "
            "built without windows (opencv-python-headless). Leave --show out, and take -o "
            "FILM.mp4 or --jsonl -."
        )


class ShownWindow:
    """A window, from its first picture on. For the main thread; to be used in a ``with`` block."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._is_open = False
        self._drawn_scale = 1.0
        self._added: list[tuple[float, float]] = []
        self._removed: list[tuple[float, float]] = []

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
            image_rgb = np.asarray(cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA))
        image = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
        _write_foot(image, f"{caption}   {WINDOW_HELP}")
        self._drawn_scale = scale * fit
        if not self._is_open:
            # Without Qt's tools, one of which opens a menu on a right click.
            cv2.namedWindow(_TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
            cv2.setMouseCallback(_TITLE, self._note)
            self._is_open = True
        cv2.imshow(_TITLE, image)

    def events(self, wait_ms: int = 1) -> WindowEvents:
        """What happened since the last call, and within that time of at least 1 ms."""
        if not self._is_open:
            return WindowEvents()
        key = cv2.waitKey(max(1, wait_ms)) & 0xFF
        closed = cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1
        added, removed = tuple(self._added), tuple(self._removed)
        self._added.clear()
        self._removed.clear()
        return WindowEvents(
            added,
            removed,
            clear=key in (ord("c"), ord("C")),
            pause=key == ord(" "),
            quit=closed or key in (ord("q"), ord("Q"), _ESCAPE),
        )

    def _note(self, event: int, x: int, y: int, _flags: int, _parameter: object) -> None:
        place_yx = ((y + 0.5) / self._drawn_scale, (x + 0.5) / self._drawn_scale)
        if event == cv2.EVENT_LBUTTONDOWN:
            self._added.append(place_yx)
        elif event == cv2.EVENT_RBUTTONDOWN:
            self._removed.append(place_yx)

    def __enter__(self) -> ShownWindow:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the window."""
        if self._is_open:
            cv2.destroyAllWindows()
            self._is_open = False


def _write_foot(image: NDArray[np.uint8], text: str) -> None:
    """Light letters with a dark edge, as wide as the picture allows."""
    height, width = image.shape[:2]
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, _), _ = cv2.getTextSize(text, font, 1.0, 1)
    size = max(0.3, min(0.5, (width - 12) / text_width))
    at = (6, height - 8)
    cv2.putText(image, text, at, font, size, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, at, font, size, (255, 255, 255), 1, cv2.LINE_AA)
