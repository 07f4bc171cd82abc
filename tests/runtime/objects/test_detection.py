"""Detectors and segmenters: the built-in ones, and other packages' by entry points."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import cv2
import numpy as np
import pytest
from yunet_file import yunet_bytes

from locoexport.errors import InputError, MachineError, UsageError
from locoexport.runtime.objects.boxes import Boxes
from locoexport.runtime.objects.detection import (
    CascadeFaceDetector,
    YuNetFaceDetector,
    detect_frames,
    detector_names,
    open_detector,
)
from locoexport.runtime.objects.segmentation import (
    EllipseSegmenter,
    WholeBoxSegmenter,
    open_segmenter,
    segment_box,
    segmenter_names,
)

BLACK = np.zeros((48, 64, 3), np.uint8)


class Corner:
    """Sees something in the upper left corner, reaching out of the frame."""

    def __init__(self, model_file: Path | None = None) -> None:
        self.model_file = model_file

    def detect(self, frame_rgb: np.ndarray) -> Boxes:
        return Boxes.of([[-4, -4, 8, 6], [-9, -9, -1, -1]], [0.5, 0.9])


class Everywhere:
    def segment(self, frame_rgb: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
        return np.ones(frame_rgb.shape[:2], np.bool_)


class Wrong:
    def detect(self, frame_rgb: np.ndarray) -> list:
        return []

    def segment(self, frame_rgb: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
        return np.ones((3, 3))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch) -> Path:
    """A package with entry points, as pip would install it."""
    site = tmp_path / "site"
    (site / "corners-1.0.dist-info").mkdir(parents=True)
    (site / "corners-1.0.dist-info" / "METADATA").write_text("Name: corners\nVersion: 1.0\n")
    (site / "corners-1.0.dist-info" / "entry_points.txt").write_text(
        "[locoexport.detectors]\ncorner = corner_plugin:Corner\nface = corner_plugin:Corner\n"
        "broken = corner_plugin:Nothing\nnumber = corner_plugin:NUMBER\n"
        "plain = corner_plugin:plain\n"
        "[locoexport.segmenters]\neverywhere = corner_plugin:Everywhere\n"
        "number = corner_plugin:NUMBER\n"
    )
    (site / "corner_plugin.py").write_text(
        "from test_detection import Corner, Everywhere\nNUMBER = 3\n"
        "def plain(model): return model\n"
    )
    monkeypatch.syspath_prepend(site)
    yield site
    sys.modules.pop("corner_plugin", None)


def test_no_face_in_flat_or_tiny_frames() -> None:
    detector = open_detector("face")
    assert isinstance(detector, CascadeFaceDetector)
    for shape in ((48, 64, 3), (1, 300, 3), (300, 1, 3), (1, 1, 3), (1000, 30, 3)):
        assert len(detector.detect(np.full(shape, 90, np.uint8))) == 0


def test_a_video_frame_by_frame() -> None:
    seen = []
    found = detect_frames(Corner(), iter([BLACK] * 3), seen.append)
    assert found.frames.tolist() == [0, 1, 2]
    assert found.boxes.xyxy.tolist() == [[0, 0, 8, 6]] * 3  # cut; the one outside is left out
    assert seen == [0, 1, 2, 3]


def test_a_detector_that_answers_something_else() -> None:
    with pytest.raises(InputError, match=r"Wrong\.detect answered list in frame 0"):
        detect_frames(Wrong(), BLACK[None])


def test_yunet_finds_where_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(yunet_bytes(480))
    detector = open_detector("face", tmp_path / "yunet.onnx")
    assert isinstance(detector, YuNetFaceDetector)
    frame = np.zeros((480, 480, 3), np.uint8)
    frame[64:96, 128:160] = 250
    boxes = detector.detect(frame)
    # One 32 pixel cell, whose box is centred on its corner: that is how YuNet decodes.
    np.testing.assert_allclose(boxes.xyxy, [[112, 48, 144, 80]], atol=0.5)
    np.testing.assert_allclose(boxes.confidence, [250 / 255], atol=1e-3)
    assert len(detector.detect(np.zeros_like(frame))) == 0
    # Half the size is enlarged first; the answer is in its pixels.
    np.testing.assert_allclose(
        detector.detect(np.ascontiguousarray(frame[::2, ::2])).xyxy, [[56, 24, 72, 40]], atol=0.5
    )


def test_yunet_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no detector model"):
        open_detector("face", tmp_path / "no.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(InputError, match=r"OpenCV cannot use .* as a YuNet"):
        open_detector("face", tmp_path / "text.onnx")


def test_an_opencv_without_its_cascades(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(MachineError, match="came without haarcascade_frontalface_default"):
        open_detector("face")


def test_a_detector_of_another_package(installed: Path) -> None:
    assert "corner" in detector_names()
    detector = open_detector("corner", "some.bin")
    assert type(detector).__name__ == "Corner"
    assert detector.model_file == Path("some.bin")
    assert isinstance(open_detector("face"), CascadeFaceDetector)  # never replaced


def test_plugins_that_do_not_work(installed: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no 'faces' among broken, corner, face"):
        open_detector("faces")
    with pytest.raises(UsageError, match=r"'broken' \(corner_plugin:Nothing\) cannot be loaded"):
        open_detector("broken")
    with pytest.raises(InputError, match="which cannot be called"):
        open_detector("number")
    with pytest.raises(InputError, match="has no detect method"):
        open_detector("plain")
    with pytest.raises(InputError, match="makes nothing with a segment method"):
        open_segmenter("number")


def test_two_packages_with_one_name(monkeypatch) -> None:
    twice = [EntryPoint("a", f"{module}:A", "locoexport.detectors") for module in ("one", "two")]
    monkeypatch.setattr("locoexport.runtime.objects.plugins.entry_points", lambda **_: twice)
    with pytest.raises(UsageError, match="Several packages offer 'a' "):
        open_detector("a")


def test_segmenters(installed: Path) -> None:
    assert {"ellipse", "box", "everywhere"} <= set(segmenter_names())
    box = np.array([10, 10, 30, 20], np.float32)
    assert segment_box(open_segmenter("everywhere"), BLACK, box).all()
    with pytest.raises(InputError, match=r"Wrong\.segment answered float64 of shape \(3, 3\)"):
        segment_box(Wrong(), BLACK, box)
    whole = WholeBoxSegmenter().segment(BLACK, box)
    assert np.argwhere(whole).min(axis=0).tolist() == [10, 10]
    assert np.argwhere(whole).max(axis=0).tolist() == [19, 29]


def test_the_ellipse_is_eroded() -> None:
    box = np.array([10, 10, 30, 20], np.float32)
    # Half axes 10 and 5; of 0.8 of them 8 and 4: pixel centres from 12.5 to 27.5, 11.5 to 18.5.
    mask = EllipseSegmenter().segment(BLACK, box)
    assert np.argwhere(mask).min(axis=0).tolist() == [11, 12]
    assert np.argwhere(mask).max(axis=0).tolist() == [18, 27]
    assert mask.sum() == pytest.approx(np.pi * 8 * 4, rel=0.05)
    assert EllipseSegmenter(0).segment(BLACK, box).sum() == pytest.approx(np.pi * 50, rel=0.05)
    with pytest.raises(UsageError, match="erosion is 1"):
        EllipseSegmenter(1)


class Raising:
    """A plug-in of another package that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def detect(self, frame_rgb):
        raise self.error


def test_what_a_plugin_raises_names_its_file() -> None:
    error = RuntimeError("no weights")
    with pytest.raises(InputError, match=r"Raising failed: RuntimeError: no weights \(.*, line"):
        detect_frames(Raising(error), [np.zeros((8, 8, 3), np.uint8)])
    with pytest.raises(InputError) as caught:
        detect_frames(Raising(error), [np.zeros((8, 8, 3), np.uint8)])
    assert __file__ in str(caught.value)
    assert caught.value.__cause__ is error


def test_an_error_of_ours_passes_through_a_plugin() -> None:
    with pytest.raises(UsageError, match="ours"):
        detect_frames(Raising(UsageError("ours")), [np.zeros((8, 8, 3), np.uint8)])
