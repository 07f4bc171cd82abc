"""Footage of numbered images: a folder of them, a ``%05d.png`` pattern, or a glob."""

from __future__ import annotations

import glob
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from locoexport.errors import VideoError
from locoexport.machine.limits import FRAME_PIXELS
from locoexport.machine.reading.image_sizes import image_is_whole, image_kind, image_pixels
from locoexport.machine.writing.output_files import is_file
from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.sources.stacks import warn_of_stacks
from locoexport.runtime.video.clips import DEFAULT_FPS
from locoexport.runtime.video.frame_source import Footage, Frame
from locoexport.runtime.video.selection import check_fps

__all__ = ["IMAGE_SUFFIXES", "find_images", "image_footage", "is_pattern", "stands_for_images"]

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"),
    *(".pnm", ".jp2", ".ras"),
)
_NUMBER = re.compile(r"[0-9]+")
_PRINTF = re.compile(r"%(?:%|(0?)([0-9]{0,2})d)")
_MOST_GAPS = 3


def is_pattern(path: Path) -> bool:
    """Whether a name that is no file's stands for several: ``%05d``, or ``*``, ``?``, ``[``."""
    return glob.has_magic(str(path)) or any(
        match[0] != "%%" for match in _PRINTF.finditer(path.name)
    )


def stands_for_images(path: Path) -> bool:
    """Whether it is a folder or a pattern, which images are read from, and no file."""
    return not is_file(path) and (path.is_dir() or is_pattern(path))


def find_images(where: Path) -> tuple[list[Path], list[str]]:
    """The images that a folder or pattern stands for, in the order of their numbers, and warnings.

    Raises:
        VideoError: there is none, they are of more than one sequence, or what was named is no
            image.
    """
    paths = _named(where)
    if not paths:
        raise VideoError(
            f"{where} holds no image ({', '.join(IMAGE_SUFFIXES)})."
            if where.is_dir()
            else f"There is no file {where}, and none matches it as a pattern."
        )
    others = [path for path in paths if path.suffix.lower() not in IMAGE_SUFFIXES]
    if others:
        raise VideoError(
            f"{where} stands for {others[0].name}, which is not an image "
            f"({', '.join(IMAGE_SUFFIXES)})."
        )
    _check_one_sequence(where, paths)
    ordered = sorted(paths, key=_natural)
    return ordered, [*_gaps(ordered), *warn_of_stacks(ordered)]


def image_footage(where: Path, fps: float | None = None, on_damage: OnDamage = "stop") -> Footage:
    """The images that a folder or pattern stands for, as a video that is read again at will.

    They become 8-bit RGB as OpenCV does it: deep ones are scaled, transparency is dropped, and a
    photograph is turned as its EXIF says. All have the size of the first one.

    Args:
        where: a folder, ``%05d.png`` or a glob.
        fps: frames a second; None is 25, which a warning says.
        on_damage: whether the video ends before an image that cannot be read or has another size,
            or the last good one stands in its place.

    Raises:
        VideoError: see ``find_images``. That the first image cannot be read is said when it comes.
        UsageError: ``fps`` is no number above 0.
    """
    paths, warnings = find_images(where)
    if fps is None:
        warnings.append(f"Images have no frame rate: {DEFAULT_FPS:g} a second is assumed (--fps).")
    rate = DEFAULT_FPS if fps is None else check_fps(fps)
    repeated_s: set[float] = set()

    def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        first = _read_image(paths[0])
        begin = 0 if seek_s is None else max(0, int(seek_s * rate) - 1)
        while begin / rate in repeated_s:  # what stands in its place was read before it
            begin -= 1
        image = first
        for index, path in enumerate(paths[begin:], begin):
            try:
                image = first if index == 0 else _read_like(path, first, paths[0])
            except VideoError as error:
                _tell_damage(index, error, on_damage, warnings)
                if on_damage == "stop":
                    return
                repeated_s.add(index / rate)
            yield index / rate, image

    return Footage(
        timed, rate, len(paths), rereadable=True, warnings=warnings, repeated_s=repeated_s
    )


def _read_like(path: Path, first: Frame, first_path: Path) -> Frame:
    image = _read_image(path)
    if image.shape != first.shape:
        (height, width), (y, x) = first.shape[:2], image.shape[:2]
        raise VideoError(
            f"{path} is {x}x{y} pixels where {first_path.name} has {width}x{height}; all images "
            "must be of one size. Name one sequence by a pattern."
        )
    return image


def _tell_damage(index: int, error: VideoError, on_damage: OnDamage, warnings: list[str]) -> None:
    text = (
        f"The {index} images before it were tracked; --on-damage continue reads on after it."
        if on_damage == "stop"
        else f"The last good image replaces it, as frame {index}."
    )
    if f"{error} {text}" not in warnings:
        warnings.append(f"{error} {text}")


def _named(where: Path) -> list[Path]:
    try:
        if where.is_dir():
            return [
                path
                for path in where.iterdir()
                if path.suffix.lower() in IMAGE_SUFFIXES
                and not path.name.startswith(".")
                and path.is_file()
            ]
        if glob.has_magic(str(where)):
            return [path for path in map(Path, glob.glob(str(where))) if path.is_file()]
        return _printed(where)
    except OSError as error:
        raise VideoError(f"Cannot read {where}: {error.strerror or error}.") from error


def _printed(where: Path) -> list[Path]:
    """The files whose names are the pattern with a number printed into it."""
    holes = [match for match in _PRINTF.finditer(where.name) if match[0] != "%%"]
    if len(holes) != 1:
        raise VideoError(f"{where}: a pattern has one number, like %05d, in the file's name.")
    (hole,) = holes
    before, after = where.name[: hole.start()], where.name[hole.end() :]
    number = re.compile(
        re.escape(before.replace("%%", "%")) + "([0-9]{1,18})" + re.escape(after.replace("%%", "%"))
    )
    found = []
    for path in where.parent.iterdir() if where.parent.is_dir() else ():
        match = number.fullmatch(path.name)
        if match and hole[0] % int(match[1]) == match[1] and path.is_file():
            found.append(path)
    return found


def _check_one_sequence(where: Path, paths: Sequence[Path]) -> None:
    """Raises VideoError where names differ in more than their numbers, or folders differ."""
    shapes: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in paths:
        shapes[path.parent, _NUMBER.sub("#", path.name)].append(path)
    numbered = [shape for shape in shapes if "#" in shape[1]]
    parents = {path.parent for path in paths}
    if len(parents) > 1 or (numbered and len(shapes) > 1):
        (_, some), (_, more) = sorted(shapes.items(), key=lambda item: -len(item[1]))[:2]
        raise VideoError(
            f"{where} holds more than one sequence: {_example(some)} and {_example(more)}. Name "
            "one by a pattern, like 'folder/left_*.png' or folder/left_%05d.png."
        )


def _example(paths: Sequence[Path]) -> str:
    rest = f" and {len(paths) - 1} like it" if len(paths) > 1 else ""
    return f"{min(paths, key=_natural)}{rest}"


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """2 before 10; equal numbers by how they are written."""
    parts = re.split(r"([0-9]+)", path.name)
    return [
        (int(part), "") if _NUMBER.fullmatch(part) else (-1, part) for part in parts if part
    ], path.name


def _gaps(paths: Sequence[Path]) -> list[str]:
    """What is missing in the numbering, where exactly one number of the names changes."""
    rows = [[int(number) for number in _NUMBER.findall(path.name)] for path in paths]
    columns = [numbers for numbers in zip(*rows, strict=False) if len(set(numbers)) > 1]
    if len(columns) != 1:
        return []
    (numbers,) = columns
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    holes = [index for index, step in enumerate(steps) if step > 1]
    if not holes:
        return []
    shown = ", ".join(f"{paths[at].name} to {paths[at + 1].name}" for at in holes[:_MOST_GAPS])
    missing = sum(steps[at] - 1 for at in holes)
    more = "" if len(holes) <= _MOST_GAPS else f" and {len(holes) - _MOST_GAPS} more"
    return [
        f"{missing} numbers are missing between images ({shown}{more}). Frames are counted "
        f"without the gaps: frame {holes[0] + 1} is {paths[holes[0] + 1].name}."
    ]


def _read_image(path: Path) -> Frame:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VideoError(f"Cannot read {path}: {error.strerror or error}.") from error
    pixels = image_pixels(data)
    if image_kind(data) is None or pixels is None:
        raise VideoError(f"{path} is not an image whose header says its size.")
    FRAME_PIXELS.check(pixels, path, VideoError)
    image = _decoded(data) if image_is_whole(data) else None
    if image is None:
        raise VideoError(f"{path} cannot be read as an image: it is damaged, or cut short.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _decoded(data: bytes) -> Frame | None:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else image.astype(np.uint8, copy=False)
