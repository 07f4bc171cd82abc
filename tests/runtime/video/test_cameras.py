"""A camera of our own in the place of OpenCV's."""

import threading
import time

import cv2
import numpy as np
import pytest

from locoexport.errors import VideoError
from locoexport.runtime.sources.named import Camera
from locoexport.runtime.sources.opening import open_video
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.selection import Selection


class FakeCamera:
    """Gives one array, filled anew with its number, ``count`` times; then fails, or hangs."""

    def __init__(self, count: int, fps: float = 30.0, hangs: bool = False) -> None:
        self._image = np.zeros((48, 40, 3), np.uint8)
        self._given, self._count, self._fps, self._hangs = 0, count, fps, hangs
        self.released = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, what: int) -> float:
        sizes = {cv2.CAP_PROP_FRAME_HEIGHT: 48.0, cv2.CAP_PROP_FRAME_WIDTH: 40.0}
        return sizes.get(what, self._fps)

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self._given == self._count:
            time.sleep(3 if self._hangs else 0)
            return False, None
        self._image[..., 0] = self._given  # blue
        self._given += 1
        return True, self._image

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def plug_in(monkeypatch):
    def plug(camera: FakeCamera) -> FakeCamera:
        monkeypatch.setattr(cv2, "VideoCapture", lambda index: camera)
        return camera

    return plug


def test_frames_are_copied_and_the_camera_is_given_back(plug_in) -> None:
    camera = plug_in(FakeCamera(500))
    source = open_video(Camera(0), Selection(max_frames=20))
    assert [int(frame[0, 0, 2]) for frame in source.frames()] == list(range(20))
    assert (source.fps, source.warnings) == (30, [])
    del source
    assert camera.released.wait(5)


def test_a_camera_that_fails_keeps_what_it_gave(plug_in, make_model) -> None:
    plug_in(FakeCamera(12, fps=0.0))
    with (
        PointTracker(make_model(eyes=True), window=8) as tracker,
        pytest.warns(RuntimeWarning) as warned,
    ):
        tracks = tracker.track(Camera(3), [[0, 10, 10]])
    assert tracks.frames == 12
    assert (np.diff(tracks.time_s) > 0).all()  # of the clock: this camera is faster than it says
    assert [str(warning.message) for warning in warned] == [
        "Camera 3 reports no frame rate; 25 a second is assumed.",
        "The stream failed after 12 frames, which were tracked: Camera 3 gives no more frames.",
    ]


def test_a_camera_that_hangs_can_be_stopped(plug_in) -> None:
    plug_in(FakeCamera(5, hangs=True))
    camera = Camera(0)
    source = open_video(camera)
    threading.Timer(0.3, camera.stop.set).start()
    begun = time.monotonic()
    assert len(list(source.frames())) == 5
    assert time.monotonic() - begun < 2


def test_a_camera_that_is_not_there_is_one_error(capfd) -> None:
    before = cv2.utils.logging.getLogLevel()
    with pytest.raises(VideoError, match="no camera 97"):
        open_video(Camera(97))
    assert capfd.readouterr().err == ""
    assert cv2.utils.logging.getLogLevel() == before
