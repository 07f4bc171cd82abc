"""Pictures that generated sequences are made of: a folder's, and procedural ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.evaluation.datasets.textures import make_texture
from locoexport.machine.limits import IMAGE_PIXELS
from locoexport.machine.reading.image_sizes import image_is_whole, read_image_header
from locoexport.notices import counted

__all__ = ["PictureFolder", "Pictures", "read_pictures"]

Picture = NDArray[np.uint8]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_SIDE = 512
_LEAST_SIDE, _MOST_KEPT_SIDE = 64, 1024
_MOST_KEPT_BYTES = 1 << 30
"""Of all pictures together; each worker holds them too."""
_HEAD_BYTES, _MOST_FILE_BYTES = 1 << 20, 512 << 20
_NAMED = 5
"""Files that a remark names."""
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
        square = picture[top : top + part, left : left + part]
        how = cv2.INTER_AREA if part > _SIDE else cv2.INTER_CUBIC
        sized = np.asarray(cv2.resize(square, (_SIDE, _SIDE), interpolation=how), np.uint8)
        turned = np.rot90(sized, int(random.integers(4)))
        return np.ascontiguousarray(turned[:, ::-1] if random.random() < 0.5 else turned)

    def _procedural(self, number: int) -> Picture:
        if number not in self._generated:
            random = np.random.default_rng([19, self._seed, number])
            self._generated[number] = np.rint(make_texture(random)).astype(np.uint8)
        return self._generated[number]


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """The pictures of a folder, each uint8 (H, W, 3) RGB; ``remarks`` say what was left out."""

    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...]


def read_pictures(folder: Path, *, most_bytes: int = _MOST_KEPT_BYTES) -> PictureFolder:
    """The pictures in a folder and below it, at most 1024 pixels at the shorter side.

    Grey ones, ones with alpha and ones of 16 bits become RGB of 8 bits. A file that cannot be read,
    has less than 64 pixels a side, or more pixels than ``IMAGE_PIXELS`` is left out. Where all
    together would take more than ``most_bytes``, every second or third … is taken.

    Raises:
        InputError: there is no such folder, or no picture in it can be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: synthetic:DIR names one of pictures.")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    costs = {path: cost for path in files if (cost := _kept_bytes(path)) is not None}
    each = max(1, math.ceil(sum(costs.values()) / most_bytes))
    read = {path: _read(path) for path in list(costs)[::each]}
    pictures = tuple(picture for picture in read.values() if picture is not None)
    unread = [path for path in files if path not in costs or read.get(path, path) is None]
    remarks = [] if not unread else [_describe_unread(unread)]
    if not pictures:
        raise InputError(
            f"{folder} holds no picture of {_LEAST_SIDE}x{_LEAST_SIDE} pixels or more; expected "
            f"{', '.join(_SUFFIXES)}." + "".join(f" {remark}" for remark in remarks)
        )
    if each > 1:
        remarks.append(
            f"Of {counted(len(costs), 'picture')} in {folder} {len(read)} are used: all would take "
            f"{sum(costs.values()):,} bytes of memory, and at most {most_bytes:,} are kept."
        )
    return PictureFolder(pictures, tuple(remarks))


def _describe_unread(files: Sequence[Path]) -> str:
    named = ", ".join(str(path) for path in files[:_NAMED])
    more = "" if len(files) <= _NAMED else f" and {len(files) - _NAMED} more"
    return (
        f"Left out {counted(len(files), 'file')} that cannot be read as a picture of "
        f"{_LEAST_SIDE}x{_LEAST_SIDE} to {IMAGE_PIXELS.value:,} pixels: {named}{more}."
    )


def _kept_bytes(path: Path) -> int | None:
    """What a picture takes in memory, by its header; None for one that is not taken."""
    try:
        if path.stat().st_size > _MOST_FILE_BYTES:
            return None
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
            # A TIFF may have what is wanted at its end.
            header = read_image_header(head) or read_image_header(head + file.read())
    except OSError:
        return None
    if header is None or min(header.height, header.width) < _LEAST_SIDE:
        return None
    pixels = header.height * header.width
    if pixels > IMAGE_PIXELS.value:
        return None
    return math.ceil(3 * pixels * min(1.0, _MOST_KEPT_SIDE / min(header.height, header.width)) ** 2)


def _read(path: Path) -> Picture | None:
    """RGB; None where it cannot be decoded."""
    try:
        data = path.read_bytes()
        if not image_is_whole(data):
            return None
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    if picture is None or min(picture.shape[:2]) < _LEAST_SIDE:
        return None
    return _at_most(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8))


def _at_most(picture: Picture) -> Picture:
    factor = _MOST_KEPT_SIDE / min(picture.shape[:2])
    if factor >= 1:
        return picture
    shrunk = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)
