"""The Middlebury motorcycle: two real pictures and where every pixel of the left one went.

The pair (Middlebury 2014, quarter size) lies in scikit-image's wheel as ``motorcycle_left.png``,
``motorcycle_right.png`` and ``motorcycle_disp.npz``; scikit-image itself is not imported.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, PackageMissingError
from locoexport.runtime.tracks.tapvid import TapVidClip

__all__ = ["find_motorcycle", "read_motorcycle"]

_FILES = ("motorcycle_left.png", "motorcycle_right.png", "motorcycle_disp.npz")
_GRID = (20, 30)
_HIDDEN_BY_PX = 1.0
"""A pixel is hidden where one that lands within half a pixel of it is nearer by more than that."""


def find_motorcycle() -> tuple[Path, Path, Path]:
    """The three files: left picture, right picture, disparity.

    Raises:
        PackageMissingError: scikit-image is not installed, or has them no more.
    """
    found = importlib.util.find_spec("skimage")
    for folder in (found.submodule_search_locations or ()) if found else ():
        left, right, disparity = (Path(folder) / "data" / name for name in _FILES)
        if left.is_file() and right.is_file() and disparity.is_file():
            return left, right, disparity
    raise PackageMissingError(
        "The motorcycle pair is part of scikit-image, which is not installed: "
        "pip install scikit-image."
    )


def read_motorcycle() -> TapVidClip:
    """Two frames, left then right, and a grid of 20×30 points of the left one.

    Points without a measured disparity are left out. A point is hidden in the second frame where it
    leaves the picture, or where a nearer pixel of the first frame lands on it.

    Raises:
        PackageMissingError: see ``find_motorcycle``.
        InputError: the files do not hold what they should.
    """
    left_path, right_path, disparity_path = find_motorcycle()
    left, right = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in (left_path, right_path))
    with np.load(disparity_path) as archive:
        disparity = np.asarray(next(iter(archive.values())), np.float64)
    if (
        left is None
        or right is None
        or left.shape != right.shape
        or left.shape != (*disparity.shape, 3)
    ):
        raise InputError(f"{left_path.parent} does not hold the motorcycle pair.")
    video = np.asarray(np.stack((left, right))[..., ::-1], np.uint8)  # OpenCV reads BGR
    height, width = disparity.shape
    measured = np.isfinite(disparity)
    rows, columns = (
        ((np.arange(count) + 0.5) * size / count).astype(int)
        for count, size in zip(_GRID, (height, width), strict=True)
    )
    y, x = (axis.reshape(-1) for axis in np.meshgrid(rows, columns, indexing="ij"))
    y, x = y[measured[y, x]], x[measured[y, x]]
    landed = x + 0.5 - disparity[y, x]
    points = np.empty((len(x), 2, 2))
    points[..., 1] = (y + 0.5)[:, None]
    points[:, 0, 0], points[:, 1, 0] = x + 0.5, landed
    occluded = np.zeros((len(x), 2), np.bool_)
    occluded[:, 1] = (landed < 0) | (landed >= width) | _covered(disparity, y, x)
    return TapVidClip(video, points / (width, height), occluded)


def _covered(
    disparity: NDArray[np.float64], y: NDArray[np.int64], x: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether a nearer pixel (of larger disparity) of the same row lands on the point's place."""
    columns = np.arange(disparity.shape[1])
    mine = disparity[y, x]
    lands = columns - disparity[y]
    near = np.abs(lands - (x - mine)[:, None]) < 0.5
    nearer = disparity[y] > mine[:, None] + _HIDDEN_BY_PX
    return np.asarray((near & nearer & np.isfinite(disparity[y])).any(axis=1))
