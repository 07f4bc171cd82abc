"""Segmenters: which pixels in a box belong to the object.

Anything with a ``segment`` method is one; another package offers its own by name through an entry
point of the group ``locoexport.segmenters``, which names a ``SegmenterFactory``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.objects.plugins import find_plugin, plugin_names, running_plugin

__all__ = [
    "SEGMENTER_GROUP",
    "EllipseSegmenter",
    "Segmenter",
    "SegmenterFactory",
    "WholeBoxSegmenter",
    "open_segmenter",
    "segment_box",
    "segmenter_names",
]

SEGMENTER_GROUP = "locoexport.segmenters"


class Segmenter(Protocol):
    """What tells an object from its background."""

    def segment(
        self, frame_rgb: NDArray[np.uint8], box_xyxy: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Say which pixels of a frame belong to the object in a box.

        Args:
            frame_rgb: uint8 (height, width, 3).
            box_xyxy: float32 (4,), in the frame's pixels.

        Returns:
            bool (height, width).
        """
        ...


SegmenterFactory = Callable[[], Segmenter] | Callable[[Path], Segmenter]
"""Makes a segmenter; it is given ``--segmenter-model`` where there is one, or else nothing."""


class EllipseSegmenter:
    """The ellipse in the box, made smaller: heads and bodies rarely fill a box's corners.

    A pixel belongs to it where its centre lies in the ellipse whose half axes are the box's half
    sides times (1 - erosion).
    """

    def __init__(self, erosion: float = 0.2) -> None:
        """Raises UsageError where ``erosion`` is not from 0 up to, and without, 1."""
        if not 0 <= erosion < 1:
            raise UsageError(f"erosion is {erosion}; it must be from 0 up to, and without, 1.")
        self._share = 1 - erosion

    def segment(
        self, frame_rgb: NDArray[np.uint8], box_xyxy: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """The ellipse; see ``Segmenter``."""
        x0, y0, x1, y1 = box_xyxy.astype(np.float64)
        height, width = frame_rgb.shape[:2]
        x = (np.arange(width) + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2 * self._share)
        y = (np.arange(height) + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2 * self._share)
        inside: NDArray[np.bool_] = x[None, :] ** 2 + y[:, None] ** 2 <= 1
        return inside


class WholeBoxSegmenter:
    """Every pixel whose centre is in the box."""

    def segment(
        self, frame_rgb: NDArray[np.uint8], box_xyxy: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """The box; see ``Segmenter``."""
        x0, y0, x1, y1 = box_xyxy.astype(np.float64)
        height, width = frame_rgb.shape[:2]
        x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
        inside: NDArray[np.bool_] = ((x >= x0) & (x <= x1))[None, :] & ((y >= y0) & (y <= y1))[
            :, None
        ]
        return inside


_BUILT_IN: Mapping[str, SegmenterFactory] = {"ellipse": EllipseSegmenter, "box": WholeBoxSegmenter}


def segmenter_names() -> list[str]:
    """The names that ``open_segmenter`` knows on this machine."""
    return plugin_names(SEGMENTER_GROUP, _BUILT_IN)


def open_segmenter(name: str = "ellipse", model_file: str | Path | None = None) -> Segmenter:
    """A segmenter by name: ``ellipse``, ``box``, or one that another package offers.

    Args:
        name: of the segmenter.
        model_file: for those of other packages that take one; its factory is called with its path,
            and without anything where this is None.

    Raises:
        UsageError: there is no such name, its package cannot be imported, or a built-in one was
            given a file.
        InputError: what the name stands for makes no segmenter, there is no such file, or the
            factory fails on it.
    """
    factory = find_plugin(SEGMENTER_GROUP, name, _BUILT_IN)
    given = () if model_file is None else (Path(model_file),)
    if given and name in _BUILT_IN:
        raise UsageError(
            f"The segmenter {name!r} takes no file; name the one that {model_file} is for with "
            "--segment."
        )
    if given and not is_file(given[0]):
        raise InputError(f"There is no segmenter model {model_file}.")
    with running_plugin(factory):
        segmenter: Segmenter | None = factory(*given) if callable(factory) else None
    if segmenter is None or not callable(getattr(segmenter, "segment", None)):
        raise InputError(
            f"The segmenter {name!r} is {factory!r}, which makes nothing with a segment method."
        )
    return segmenter


def segment_box(
    segmenter: Segmenter, frame_rgb: NDArray[np.uint8], box_xyxy: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Run a segmenter and check its answer.

    Raises:
        InputError: it is not a bool array of the frame's height and width.
    """
    with running_plugin(segmenter):
        mask = np.asarray(segmenter.segment(frame_rgb, box_xyxy))
    if mask.dtype != np.bool_ or mask.shape != frame_rgb.shape[:2]:
        raise InputError(
            f"{type(segmenter).__name__}.segment answered {mask.dtype} of shape {mask.shape}; a "
            f"segmenter answers bool of shape {frame_rgb.shape[:2]}."
        )
    return mask
