"""Detectors: what looks at one frame and says where things are.

Anything with a ``detect`` method is one; another package offers its own by name through an entry
point of the group ``locoexport.detectors``, which names a ``DetectorFactory``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, MachineError
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.objects.boxes import (
    NO_OBJECT,
    Boxes,
    Detections,
    clip_boxes,
    gather_detections,
)
from locoexport.runtime.objects.plugins import find_plugin, plugin_names, running_plugin

__all__ = [
    "DETECTOR_GROUP",
    "CascadeFaceDetector",
    "Detector",
    "DetectorFactory",
    "YuNetFaceDetector",
    "detect_frames",
    "detector_names",
    "open_detector",
]

DETECTOR_GROUP = "locoexport.detectors"
_WORKING_SIDE = 480
"""The shorter side, in pixels, of the picture in which faces are looked for."""
_LEAST_WEIGHT = 1.5
"""Of the cascade: wheels and legs that both cascades take for faces stay below it."""


class Detector(Protocol):
    """What finds things in a frame."""

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Boxes:
        """Find things in one frame, uint8 (height, width, 3); boxes in its pixels."""
        ...


DetectorFactory = Callable[[Path | None], Detector]
"""Makes a detector; it is given ``--detector-model``, or None."""


def detector_names() -> list[str]:
    """The names that ``open_detector`` knows on this machine."""
    return plugin_names(DETECTOR_GROUP, _BUILT_IN)


def open_detector(name: str, model_file: str | Path | None = None) -> Detector:
    """A detector by name.

    Args:
        name: ``face``, or one that another package offers.
        model_file: for ``face`` a YuNet .onnx file; without it the cascades that OpenCV ships.

    Raises:
        UsageError: there is no such name, or its package cannot be imported.
        InputError: what the name stands for makes no detector, or refuses the model file.
        MachineError: OpenCV's cascades are not installed.
    """
    factory = find_plugin(DETECTOR_GROUP, name, _BUILT_IN)
    if not callable(factory):
        raise InputError(f"The detector {name!r} is {factory!r}, which cannot be called.")
    with running_plugin(factory):
        detector: Detector = factory(None if model_file is None else Path(model_file))
    if not callable(getattr(detector, "detect", None)):
        raise InputError(f"The detector {name!r} made {detector!r}, which has no detect method.")
    return detector


def detect_frames(
    detector: Detector,
    frames_rgb: Iterable[NDArray[np.uint8]],
    progress: Callable[[int], None] | None = None,
) -> Detections:
    """Run a detector over all frames of a video, one by one.

    Args:
        detector: whichever.
        frames_rgb: uint8 (height, width, 3) each.
        progress: called with how many frames are done, first with 0.

    Returns:
        Its boxes, cut to the frame, in the order of the frames and without object ids.

    Raises:
        InputError: the detector answers anything but ``Boxes``.
    """
    found: list[Detections] = []
    for index, frame in enumerate(frames_rgb):
        if progress is not None:
            progress(index)
        with running_plugin(detector):
            boxes = detector.detect(frame)
        if not isinstance(boxes, Boxes):
            raise InputError(
                f"{type(detector).__name__}.detect answered {type(boxes).__name__} in frame "
                f"{index}; a detector answers locoexport.runtime.objects.boxes.Boxes."
            )
        boxes = clip_boxes(boxes, *frame.shape[:2])
        frames = np.full(len(boxes), index, np.int64)
        found.append(Detections(frames, boxes, np.full(len(boxes), NO_OBJECT, np.int64)))
    if progress is not None:
        progress(len(found))
    return gather_detections(found)


class CascadeFaceDetector:
    """Frontal faces by the two Haar cascades that OpenCV ships; needs no file and little time.

    ``haarcascade_frontalface_default`` proposes and ``haarcascade_frontalface_alt`` must agree:
    alone, the first takes wheels for faces. The frame is scaled until its shorter side has 480
    pixels; faces smaller than 24 pixels of the video, or a twelfth of its shorter side, are not
    looked for. The confidence is w / (w + 4) of the
    cascade's weight w (at least 1.5): an order, no probability.
    """

    def __init__(self) -> None:
        """Raises MachineError where this OpenCV came without its cascades."""
        self._propose = _read_cascade("haarcascade_frontalface_default.xml")
        self._agree = _read_cascade("haarcascade_frontalface_alt.xml")

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Boxes:
        """Find faces in one frame; see ``Detector``."""
        grey = cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2GRAY)
        scaled, scale = _scale(grey, _working_scale(*grey.shape[:2]))
        image = np.asarray(cv2.equalizeHist(scaled), np.uint8)
        least = round(max(24.0, min(grey.shape) / 12) * scale)
        corners, _, weights = self._propose.detectMultiScale3(
            image, scaleFactor=1.1, minNeighbors=5, minSize=(least, least), outputRejectLevels=True
        )
        boxes, confidence = [], []
        for (x, y, width, height), weight in zip(corners, np.ravel(weights), strict=True):
            if weight >= _LEAST_WEIGHT and self._confirm(image, int(x), int(y), int(width)):
                boxes.append([x / scale, y / scale, (x + width) / scale, (y + height) / scale])
                confidence.append(float(weight / (weight + 4)))
        return Boxes.of(boxes, confidence)

    def _confirm(self, image: NDArray[np.uint8], x: int, y: int, side: int) -> bool:
        """True where the second cascade finds a face of about that size around there."""
        margin = side // 3
        crop = image[max(0, y - margin) : y + side + margin, max(0, x - margin) : x + side + margin]
        least = round(0.6 * side)
        found = self._agree.detectMultiScale(
            crop, scaleFactor=1.05, minNeighbors=2, minSize=(least, least)
        )
        return len(found) > 0


class YuNetFaceDetector:
    """Faces by YuNet, with a model file for OpenCV's ``FaceDetectorYN``.

    The file is OpenCV's ``face_detection_yunet_2023mar.onnx`` or one like it; none is shipped.
    The confidence is YuNet's score.
    """

    def __init__(self, model_file: str | Path, least_score: float = 0.6) -> None:
        """Open the model.

        Args:
            model_file: the .onnx file.
            least_score: faces with a lower score are left out.

        Raises:
            InputError: the file is missing, or OpenCV cannot read it.
        """
        self._path = Path(model_file)
        if not is_file(self._path):
            raise InputError(f"There is no detector model {self._path}.")
        self._least_score = least_score
        self._open((320, 320))

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Boxes:
        """Find faces in one frame; see ``Detector``."""
        enlarged, scale = _scale(frame_rgb, max(1.0, _working_scale(*frame_rgb.shape[:2])))
        height, width = enlarged.shape[:2]
        try:
            self._network.setInputSize((width, height))
            _, faces = self._network.detect(cv2.cvtColor(enlarged, cv2.COLOR_RGB2BGR))
        except cv2.error as error:
            raise self._refusal(error) from error
        if faces is None:
            return Boxes.of([])
        corners = np.concatenate([faces[:, :2], faces[:, :2] + faces[:, 2:4]], axis=1) / scale
        kept = (corners[:, :2] < corners[:, 2:]).all(axis=1)
        return Boxes.of(corners[kept], np.clip(faces[kept, -1], 0, 1))

    def _open(self, size_wh: tuple[int, int]) -> None:
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(self._path), "", size_wh, self._least_score, 0.3, 5000
            )
        except cv2.error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: cv2.error) -> InputError:
        return InputError(
            f"OpenCV cannot use {self._path} as a YuNet face detector: "
            f"{' '.join(str(error).split())} Take face_detection_yunet_2023mar.onnx from OpenCV's "
            "model zoo."
        )


def _open_face_detector(model_file: Path | None) -> Detector:
    return CascadeFaceDetector() if model_file is None else YuNetFaceDetector(model_file)


_BUILT_IN: Mapping[str, DetectorFactory] = {"face": _open_face_detector}


def _read_cascade(name: str) -> cv2.CascadeClassifier:
    path = next((folder / name for folder in _cascade_folders() if is_file(folder / name)), None)
    cascade = cv2.CascadeClassifier() if path is None else cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise MachineError(
            f"This OpenCV came without {name}. Install opencv-python from PyPI, or name a YuNet "
            "model file (--detector-model)."
        )
    return cascade


def _cascade_folders() -> Iterator[Path]:
    # Distributions leave cv2.data out.
    folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
    if folder:
        yield Path(folder)


def _working_scale(height: int, width: int) -> float:
    # A strip one pixel high must not become half a million pixels wide.
    return min(_WORKING_SIDE / min(height, width), max(1.0, 4096 / max(height, width)))


def _scale(image: NDArray[Any], scale: float) -> tuple[NDArray[np.uint8], float]:
    """An image made larger or smaller, and by what."""
    height, width = image.shape[:2]
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size_wh, interpolation=method), np.uint8), scale
