"""A segmenter for ``locoexport track``: a face-parsing network of your own, as an .onnx file.

For BiSeNet and its kin: one input, float32 NCHW, RGB in 0..1 less ImageNet's mean and over its
standard deviation; of the outputs the first counts, logits (1, classes, height, width). Sizes are
the file's own. docs/objects.md, "A face parser", has the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError

__all__ = ["FACE_CLASSES", "FaceParsingSegmenter", "open_segmenter"]

FACE_CLASSES = (1, 2, 3, 4, 5, 10, 11, 12, 13)
"""Skin, brows, eyes, nose, mouth and lips of the 19 classes of CelebAMask-HQ, as the networks of
zllrunning/face-parsing.PyTorch number them. Not hair (17), ears (7, 8) and neck (14)."""
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_DYNAMIC_SIDE = 512
_MOST_SIDE = 4096


class FaceParsingSegmenter:
    """Says which pixels of a box are face."""

    def __init__(
        self,
        model_file: str | Path,
        classes: Sequence[int] = FACE_CLASSES,
        *,
        margin: float = 0.4,
        erosion_px: int = 2,
    ) -> None:
        """Open the file.

        Args:
            model_file: the .onnx file.
            classes: which of its classes are face.
            margin: how much of the box's longer side the network sees on each side of the box:
                such networks know heads with hair and neck.
            erosion_px: how far points stay away from the mask's edge, in pixels of the clip.

        Raises:
            InputError: the file cannot be opened, or is no such network.
            UsageError: there is no class, or a number is negative.
        """
        if not classes or min(classes) < 0 or margin < 0 or erosion_px < 0:
            raise UsageError("A face parser needs classes, and no negative class, margin, erosion.")
        self._file = Path(model_file)
        self._classes = sorted({int(one) for one in classes})
        self._margin = margin
        self._erosion_px = erosion_px
        try:
            self._session = onnxruntime.InferenceSession(
                str(self._file), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common error of its own
            reason = str(error).splitlines()[0]
            raise InputError(f"{self._file} cannot be opened as an .onnx file: {reason}") from error
        self._input, self._size_hw = self._read_input()

    def segment(
        self, frame_rgb: NDArray[np.uint8], box_xyxy: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Which pixels are face, bool (height, width); none outside of the box.

        Args:
            frame_rgb: uint8 (height, width, 3).
            box_xyxy: float32 (4,), in the frame's pixels.

        Raises:
            InputError: the network's answer is no logits of as many classes.
        """
        x0, y0, side = self._square(box_xyxy)
        labels = self._labels(_cut(frame_rgb, x0, y0, side))
        small = np.isin(labels, self._classes).astype(np.float32)
        face = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR) > 0.5
        height, width = frame_rgb.shape[:2]
        mask = np.zeros((height, width), np.bool_)
        left, top = max(0, x0), max(0, y0)
        right, bottom = min(width, x0 + side), min(height, y0 + side)
        mask[top:bottom, left:right] = face[top - y0 : bottom - y0, left - x0 : right - x0]
        return _eroded(mask, self._erosion_px) & _in_box(mask.shape, box_xyxy)

    def _read_input(self) -> tuple[str, tuple[int, int]]:
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        batch, channels, *sides = shape if len(shape) == 4 else (None, None)
        fits = (
            len(sides) == 2
            and inputs[0].type == "tensor(float)"
            and channels == 3
            and (batch == 1 or not isinstance(batch, int))
        )
        if not fits:
            found = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
            raise InputError(
                f"{self._file} takes {found or 'nothing'}; a face parser takes one float32 image, "
                "(1, 3, height, width)."
            )
        height, width = (side if isinstance(side, int) else _DYNAMIC_SIDE for side in sides)
        if not (1 <= height <= _MOST_SIDE and 1 <= width <= _MOST_SIDE):
            raise InputError(f"{self._file} takes images of {height}x{width} pixels.")
        return inputs[0].name, (height, width)

    def _square(self, box_xyxy: NDArray[np.float32]) -> tuple[int, int, int]:
        """The part of the frame that the network sees, as x, y and side; it may reach outside."""
        x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
        side = max(1, round(max(x1 - x0, y1 - y0) * (1 + 2 * self._margin)))
        return round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2), side

    def _labels(self, image_rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The class of each pixel of the network's answer, int64 (its height, its width)."""
        height, width = self._size_hw
        shrinks = image_rgb.shape[0] > height
        resized = cv2.resize(
            image_rgb,
            (width, height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        normal = (resized.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        try:
            (logits, *_) = self._session.run(None, {self._input: normal.transpose(2, 0, 1)[None]})
        except Exception as error:  # ONNX Runtime has no common error of its own
            raise InputError(f"{self._file} fails: {str(error).splitlines()[0]}") from error
        answer: Any = logits
        if not isinstance(answer, np.ndarray) or answer.ndim != 4 or answer.shape[0] != 1:
            raise InputError(
                f"{self._file} answers {getattr(answer, 'shape', type(answer).__name__)}; a face "
                "parser's first output is logits, (1, classes, height, width)."
            )
        if self._classes[-1] >= answer.shape[1]:
            raise InputError(
                f"{self._file} has {answer.shape[1]} classes; class {self._classes[-1]} was asked "
                "for. Name the classes that are face in that file."
            )
        labels: NDArray[np.int64] = answer[0].argmax(axis=0)
        return labels


def open_segmenter(model_file: Path | None = None) -> FaceParsingSegmenter:
    """What the entry point names; it is given ``--segmenter-model``.

    Raises:
        UsageError: there is no file.
    """
    if model_file is None:
        raise UsageError("The face parser needs its .onnx file: --segmenter-model FILE.")
    return FaceParsingSegmenter(model_file)


def _cut(frame_rgb: NDArray[np.uint8], x0: int, y0: int, side: int) -> NDArray[np.uint8]:
    """A square of the frame; the border's pixels go on where it reaches outside."""
    height, width = frame_rgb.shape[:2]
    rows = np.clip(np.arange(y0, y0 + side), 0, height - 1)
    columns = np.clip(np.arange(x0, x0 + side), 0, width - 1)
    return np.ascontiguousarray(frame_rgb[rows[:, None], columns])


def _eroded(mask: NDArray[np.bool_], erosion_px: int) -> NDArray[np.bool_]:
    """The mask less its edge; where nothing would be left, the mask itself."""
    side = 2 * erosion_px + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    eroded = cv2.erode(mask.astype(np.uint8), kernel) > 0
    return eroded if eroded.any() else mask


def _in_box(shape_hw: tuple[int, ...], box_xyxy: NDArray[np.float32]) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = box_xyxy
    y, x = np.arange(shape_hw[0]) + 0.5, np.arange(shape_hw[1]) + 0.5
    inside: NDArray[np.bool_] = ((y >= y0) & (y <= y1))[:, None] & ((x >= x0) & (x <= x1))
    return inside
