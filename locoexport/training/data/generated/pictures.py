"""Pictures that generated sequences are made of: a folder's, and procedural ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.evaluation.datasets.textures import make_texture
from locoexport.machine.limits import IMAGE_PIXELS

__all__ = ["Pictures", "read_pictures"]

Picture = NDArray[np.uint8]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_SIDE = 512
_MOST_KEPT_SIDE = 1024
_GENERATED = 64
"""Procedural textures of a run: making one takes 50 ms, so each is used again, cut otherwise."""


class Pictures:
    """Square cut-outs of 512 pixels a side, at random."""

    def __init__(
        self, pictures: tuple[Picture, ...], seed: int, *, real_share: float = 0.67
    ) -> None:
        """``real_share`` of the cut-outs are from ``pictures``, where there are any."""
        self._pictures, self._seed = pictures, seed
        self._real_share = real_share if pictures else 0.0
        self._generated: dict[int, Picture] = {}

    def cut(self, random: np.random.Generator) -> Picture:
        """uint8 (512, 512, 3) RGB: a part of a picture, enlarged or shrunk, turned and mirrored."""
        real = random.random() < self._real_share
        picture = (
            self._pictures[int(random.integers(len(self._pictures)))]
            if real
            else self._procedural(int(random.integers(_GENERATED)))
        )
        height, width = picture.shape[:2]
        part = int(min(height, width) * random.uniform(0.35, 1.0))
        top, left = random.integers(0, height - part + 1), random.integers(0, width - part + 1)
        cut = picture[top : top + part, left : left + part]
        shrinks = part > _SIDE
        cut = cv2.resize(
            cut, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        )
        cut = np.rot90(cut, int(random.integers(4)))
        return np.ascontiguousarray(cut[:, ::-1] if random.random() < 0.5 else cut)

    def _procedural(self, number: int) -> Picture:
        if number not in self._generated:
            random = np.random.default_rng([19, self._seed, number])
            self._generated[number] = np.rint(make_texture(random)).astype(np.uint8)
        return self._generated[number]


def read_pictures(folder: Path) -> tuple[Picture, ...]:
    """Every picture in a folder and below it, RGB, at most 1024 pixels at the shorter side.

    Raises:
        InputError: there is no such folder, or no picture in it can be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: synthetic:DIR names one of pictures.")
    pictures = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is not None and min(picture.shape[:2]) >= 64:
                IMAGE_PIXELS.check(picture.shape[0] * picture.shape[1], path)
                pictures.append(_at_most(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
    if not pictures:
        raise InputError(
            f"{folder} holds no picture of 64x64 pixels or more; expected {', '.join(_SUFFIXES)}."
        )
    return tuple(pictures)


def _at_most(picture: Picture) -> Picture:
    factor = _MOST_KEPT_SIDE / min(picture.shape[:2])
    if factor >= 1:
        return picture
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
