"""Footage of a camera, which never ends and comes once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.video.background import StalledError, taken_in_thread
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frame_source import Footage, Frame

__all__ = ["camera_footage", "check_camera"]

_MOST_CAMERAS = 100
"""OpenCV takes a larger index for the number of a driver, and a negative one ends the process."""
_STALL_S = 10.0
_AHEAD_BYTES = 256 << 20
"""Frames that wait for the tracker: a driver drops what nobody takes."""
_LEAST_AHEAD = 8


def check_camera(index: object) -> int:
    """The index of a camera, 0 to 99.

    Raises:
        UsageError: it is none.
    """
    is_index = isinstance(index, int | np.integer) and not isinstance(index, bool)
    if not is_index or not 0 <= index < _MOST_CAMERAS:  # type: ignore[operator]
        raise UsageError(f"A camera is a number from 0 to {_MOST_CAMERAS - 1}, not {index!r}.")
    return int(index)  # type: ignore[call-overload, no-any-return]


def camera_footage(index: int, stop: threading.Event | None = None) -> Footage:
    """What the camera of that index sees, opened now and given back when reading ends.

    Frames are taken as they come, also while others are tracked, up to 256 MiB of them; their times
    are those of this machine's clock. A camera that gives none for 10 s has failed. Setting
    ``stop`` ends it.

    Raises:
        UsageError: no camera has such an index.
        VideoError: there is none, or it is in use.
    """
    index = check_camera(index)
    with _quiet_opencv():
        camera = cv2.VideoCapture(index)
    if not camera.isOpened():
        raise VideoError(f"There is no camera {index}, or it is in use.")
    stop = stop or threading.Event()
    said = float(camera.get(cv2.CAP_PROP_FPS))
    fps = said if math.isfinite(said) and 0 < said < 1000 else DEFAULT_FPS
    warnings: list[str] = []
    if fps != said:
        warnings.append(f"Camera {index} reports no frame rate; {fps:g} a second is assumed.")
    height, width = (
        max(1, int(camera.get(side)))
        for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    )
    ahead = max(_LEAST_AHEAD, _AHEAD_BYTES // (height * width * 3))

    def grab() -> Iterator[tuple[float, Frame]]:
        begun = time.monotonic()
        try:
            while True:
                there, image = camera.read()
                if not there:
                    raise VideoError(f"Camera {index} gives no more frames.")
                # The colours of a copy: a driver may fill the same array again.
                rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)
                yield time.monotonic() - begun, rgb
        finally:
            camera.release()

    def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        grabbed = grab()
        taken = taken_in_thread(grabbed, stop, stall_s=_STALL_S, ahead=ahead)
        last_s, longest_s = None, 0.0
        try:
            for time_s, frame in taken:
                longest_s = max(longest_s, time_s - (time_s if last_s is None else last_s))
                last_s = time_s
                yield time_s, frame
        except StalledError as error:
            raise VideoError(f"Camera {index}: {error}.") from error
        finally:
            taken.close()
            if longest_s > 2.5 / fps:
                warnings.append(
                    f"Camera {index} left gaps of up to {longest_s:.2f} s between frames, at "
                    f"{fps:g} frames a second: frames are missing there."
                )

    return Footage(once, fps, None, rereadable=False, warnings=warnings, stop=stop.set)


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """A block in which OpenCV does not write to stderr what each of its drivers thought."""
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)
