"""Footage of a camera, which never ends and comes once."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from locoexport.errors import VideoError
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frame_source import Footage, Frame

__all__ = ["camera_footage"]


def camera_footage(index: int) -> Footage:
    """What the camera of that index sees, opened now and given back when reading ends.

    Raises:
        VideoError: there is none, or it is in use.
    """
    camera = cv2.VideoCapture(index)
    if not camera.isOpened():
        raise VideoError(f"There is no camera {index}, or it is in use.")
    fps = float(camera.get(cv2.CAP_PROP_FPS))
    fps = fps if 0 < fps < 1000 else DEFAULT_FPS

    def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        count = 0
        try:
            while True:
                there, image = camera.read()
                if not there:
                    return
                yield count / fps, cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)
                count += 1
        finally:
            camera.release()

    return Footage(once, fps, None, rereadable=False)
