"""Masks: images that say where something is, and points inside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import QueryError
from locoexport.machine.limits import MASK_BYTES, MASK_PIXELS
from locoexport.machine.reading.documents import read_at_most
from locoexport.machine.reading.image_sizes import image_is_whole, image_kind, image_pixels
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.queries.palette_masks import split_by_index

__all__ = [
    "MaskSource",
    "erode_mask",
    "grid_in_mask",
    "parse_mask",
    "read_mask",
    "read_mask_objects",
]

_LOSSY = (".jpg", ".jpeg", ".jpe", ".webp")
_LOSSY_KINDS = ("jpeg", "webp")
_MAX_GRID = 1000


@dataclass(frozen=True)
class MaskSource:
    """A mask file, the frame it is of, and the grid (rows, columns) of points asked for."""

    path: Path
    frame: int = 0
    grid_hw: tuple[int, int] = (8, 8)


def parse_mask(text: str) -> MaskSource:
    """Read ``FILE[@frame][:grid]``; the grid is N or NxM (rows, columns), 8x8 by default.

    A text that is the name of an existing file is that file, whatever is in it.

    Raises:
        QueryError: there is no file name, or the grid is out of range.
    """
    if is_file(Path(text)):
        return MaskSource(Path(text))
    match = re.fullmatch(
        r"(.+?)(?:@([0-9]{1,9}))?(?::(?:grid:)?([0-9]{1,9})(?:x([0-9]{1,9}))?)?", text
    )
    if match is None:
        raise QueryError(f"A mask is FILE[@frame][:grid], like face.png@12:8x8; not {text!r}.")
    rows = int(match[3] or 8)
    columns = int(match[4] or rows)
    if not (1 <= rows <= _MAX_GRID and 1 <= columns <= _MAX_GRID):
        raise QueryError(f"A grid has 1 to {_MAX_GRID} points a side, not {rows}x{columns}.")
    return MaskSource(Path(match[1]), int(match[2] or 0), (rows, columns))


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Read a mask from an image file, bool (height, width).

    A pixel is inside where any of its colours is above 0 and, where the image has transparency,
    it is not wholly transparent. So 0/1 label images, 0/255 masks and palettes all work. Lossy
    files are refused: their blacks are not black.

    Raises:
        QueryError: the file is missing, lossy, too large (``MASK_PIXELS``) or no image; or nothing
            in it is inside.
    """
    return _read(Path(path))[0]


def read_mask_objects(path: str | Path) -> tuple[tuple[int | None, NDArray[np.bool_]], ...]:
    """The objects of a mask, each (its palette index, bool (height, width)); at least one.

    A PNG with a palette has an object an index (``palette_masks``). All that is inside of any
    other is one object, whose index is None.

    Raises:
        QueryError: as ``read_mask``.
    """
    mask, data = _read(Path(path))
    return split_by_index(data, mask) or ((None, mask),)


def erode_mask(mask: NDArray[np.bool_], erosion_px: float) -> NDArray[np.bool_]:
    """The pixels whose centre is further than ``erosion_px`` from that of every pixel outside.

    The frame's border does not count as outside. Where nothing would be left, the mask itself.

    Args:
        mask: bool (height, width).
        erosion_px: 0 or more pixels.

    Raises:
        QueryError: ``erosion_px`` is negative or not a number.
    """
    if not erosion_px >= 0:
        raise QueryError(f"Masks are eroded by 0 pixels or more, not by {erosion_px}.")
    if erosion_px == 0 or mask.all():
        return mask
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The distance of whole pixels is exact; its float32 square root is not quite.
    eroded: NDArray[np.bool_] = distance > erosion_px + 1e-4
    return eroded if eroded.any() else mask


def grid_in_mask(
    mask: NDArray[np.bool_], grid_hw: tuple[int, int], box_xyxy: Any = None
) -> NDArray[np.float32]:
    """Points of a grid where a mask says so, float32 (points, 2) as (y, x).

    The grid's points are the centres of rows × columns equal cells of the box; one is kept where
    the pixel that holds it is in the mask. Where the grid misses the mask, the centres of all
    pixels of the mask (within the box, where they are in any).

    Args:
        mask: bool (height, width), not empty.
        grid_hw: rows and columns.
        box_xyxy: four numbers; the smallest box around the mask where None.
    """
    y, x = np.nonzero(mask)
    if box_xyxy is None:
        box_xyxy = (x.min(), y.min(), x.max() + 1, y.max() + 1)
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    rows = y0 + (np.arange(grid_hw[0]) + 0.5) / grid_hw[0] * (y1 - y0)
    columns = x0 + (np.arange(grid_hw[1]) + 0.5) / grid_hw[1] * (x1 - x0)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    height, width = mask.shape
    grid = grid[((grid >= 0) & (grid < (height, width))).all(axis=1)]
    pixels = np.floor(grid).astype(int)
    kept = grid[mask[pixels[:, 0], pixels[:, 1]]]
    if not len(kept):
        kept = np.stack([y, x], axis=1) + 0.5
        boxed = (kept >= (y0, x0)).all(axis=1) & (kept <= (y1, x1)).all(axis=1)
        kept = kept[boxed] if boxed.any() else kept
    return np.asarray(kept, np.float32)


def _read(path: Path) -> tuple[NDArray[np.bool_], bytes]:
    """A mask, and the file that it is of."""
    if path.suffix.lower() in _LOSSY:
        raise QueryError(f"{path} is a lossy image, whose black is not quite 0; save it as .png.")
    try:
        data = read_at_most(path, MASK_BYTES, path, QueryError)
    except (OSError, ValueError) as error:
        raise QueryError(f"Cannot read {path}: {getattr(error, 'strerror', error)}.") from error
    if image_kind(data) in _LOSSY_KINDS:
        raise QueryError(f"{path} is a lossy image, whatever its name says; save it as .png.")
    pixels = image_pixels(data)
    if pixels is None:
        raise QueryError(f"{path} is not an image whose header says its size; save it as .png.")
    MASK_PIXELS.check(pixels, path, QueryError)
    if not image_is_whole(data):
        raise QueryError(f"{path} is not an image that OpenCV can read: it is cut short.")
    mask = _decode(np.frombuffer(data, np.uint8))
    if mask is None:
        raise QueryError(f"{path} is not an image that OpenCV can read.")
    if not mask.any():
        raise QueryError(f"The mask {path} is empty: every pixel is black or transparent.")
    return mask, data


def _decode(data: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    if not len(data):
        return None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if image is None:
        return None
    if image.ndim == 2:
        return np.asarray(image > 0)
    inside = (image[..., :3] > 0).any(axis=2)
    if image.shape[2] == 4:
        inside &= image[..., 3] > 0
    return np.asarray(inside)
