"""The pickle layout of TAP-Vid, for its evaluation tools: written plainly, read without trust.

A file holds a dict from the names of clips (DAVIS, RoboTAP), or a list of them (RGB-Stacking, and a
shard of Kinetics), to dicts of ``video`` uint8 (frames, height, width, 3), or the frames as JPEG
files (Kinetics), ``points`` float (points, frames, 2) as (x, y) in 0..1 of the video's width and
height, and ``occluded`` bool (points, frames). Written are float32 positions and plain frames.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.hardware import read_memory
from locoexport.machine.limits import CLIP_BYTES, IMAGE_PIXELS, ROWS
from locoexport.machine.reading.image_sizes import ImageHeader, read_image_header
from locoexport.machine.reading.pickles.pickle_reading import shown
from locoexport.machine.reading.pickles.plain_pickle import load_plain
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.tracks.tracks import Tracks

__all__ = [
    "TapVidClip",
    "iterate_tapvid",
    "read_tapvid",
    "tapvid_clip",
    "write_tapvid",
]

_FIELDS = ("video", "points", "occluded")
_NAME_LENGTH = 4096  # of a key in a pickle
_FARTHEST = 1e6  # widths of a video, from its corner
_USUAL_SCANS = 10
# Nothing is compressed more than 600 times by JPEG: a block of 64 samples takes two bits at least.
_MOST_EXPANSION = 600
_FREE_BYTES = 512 << 20


@dataclass(frozen=True, eq=False)
class TapVidClip:
    """One clip and its tracks, as TAP-Vid keeps them.

    Attributes:
        video: uint8 (frames, height, width, 3), RGB.
        points: float32 or float64 (points, frames, 2) as (x, y); 0..1 is the width and height.
        occluded: bool (points, frames).
    """

    video: NDArray[np.uint8]
    points: NDArray[Any]
    occluded: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Raises InputError where types or shapes do not fit together."""
        frames = self.video.shape[0] if self.video.ndim == 4 else -1
        points = self.points.shape[0] if self.points.ndim == 3 else -1
        right = (
            self.video.dtype == np.uint8
            and self.video.ndim == 4
            and self.video.shape[3] == 3
            and self.points.dtype in (np.float32, np.float64)
            and self.points.shape == (points, frames, 2)
            and self.occluded.dtype == np.bool_
            and self.occluded.shape == (points, frames)
        )
        if not right:
            found = ", ".join(
                f"{name} {getattr(self, name).dtype} {getattr(self, name).shape}"
                for name in _FIELDS
            )
            raise InputError(
                f"A TAP-Vid clip is video uint8 (frames, height, width, 3), points float "
                f"(points, frames, 2) and occluded bool (points, frames); not {found}."
            )


def tapvid_clip(frames_rgb: NDArray[np.uint8], tracks: Tracks) -> TapVidClip:
    """Tracks of a video, uint8 (frames, height, width, 3), as TAP-Vid keeps them.

    Raises:
        InputError: there are more or fewer frames than the tracks have.
    """
    height, width = frames_rgb.shape[1:3]
    size = np.array([width, height], np.float32)
    return TapVidClip(frames_rgb, tracks.xy / size, ~tracks.visible)


def write_tapvid(path: str | Path, clips: Mapping[str, TapVidClip]) -> None:
    """Write clips by name; an existing file is replaced.

    Raises:
        OutputError: the file cannot be written.
    """
    document = {
        name: {
            # Views of larger arrays would drag them along.
            field: np.ascontiguousarray(getattr(clip, field))
            for field in _FIELDS
        }
        for name, clip in clips.items()
    }
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        pickle.dump(document, file, protocol=4)


def read_tapvid(path: str | Path) -> dict[str, TapVidClip]:
    """Read clips, of a dict by name or of a list (named by their index).

    The stream may make dicts, lists, strings, bytes, numbers and numpy arrays. One that names
    anything else is refused before it could be called, so reading never runs a file's code.

    Raises:
        InputError: the file is missing or malformed, or wants to make something else.
    """
    return {name: load() for name, load in iterate_tapvid(path)}


def iterate_tapvid(path: str | Path) -> Iterator[tuple[str, Callable[[], TapVidClip]]]:
    """The clips of a file by name, each checked and its JPEG frames decoded only when called for.

    The pickle itself is read as a whole, and before the first clip. See ``read_tapvid``.

    Raises:
        InputError: the file is missing or malformed, or wants to make something else; a clip's
            own faults are raised by its function.
    """
    document = load_plain(path)
    if not isinstance(document, dict | list | tuple):
        raise InputError(
            f"{path} does not hold TAP-Vid clips: it is neither a dict nor a list, but a "
            f"{type(document).__name__}."
        )
    items = document.items() if isinstance(document, dict) else enumerate(document)
    return (
        (_clip_name(path, name), partial(_load_clip, path, _clip_name(path, name), item))
        for name, item in items
    )


def _clip_name(path: str | Path, name: Any) -> str:
    """A name as it can be shown and kept: text, or a number; escapes are written out."""
    if not isinstance(name, str | int):
        raise InputError(f"{path} names a clip by a {type(name).__name__}; expected text.")
    return shown(str(name), longest=_NAME_LENGTH)


def _load_clip(path: str | Path, name: str, item: Any) -> TapVidClip:
    try:
        return _as_clip(item)
    except InputError as error:
        raise InputError(f"{path}: clip {name}: {error}") from error


def _as_clip(item: Any) -> TapVidClip:
    if not isinstance(item, dict) or not set(_FIELDS) <= set(item):
        raise InputError(f"a clip is a dict of {', '.join(_FIELDS)}.")
    video, points, occluded = (item[field] for field in _FIELDS)
    if _is_encoded(video):
        video = _decode(video)
    for name, array in zip(_FIELDS, (video, points, occluded), strict=True):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise InputError(f"{name} is not an array of numbers.")
        if not array.shape or not array.size:
            raise InputError(f"{name} is empty.")
    ROWS.check(len(points), "points")
    precise = points.dtype == np.float64
    with np.errstate(over="ignore"):  # what is too large for float32 is refused below
        clip = TapVidClip(
            video, points if precise else points.astype(np.float32), _as_flags(occluded)
        )
    # Where a point is hidden nobody reads its position.
    if not (np.abs(clip.points[~clip.occluded]) <= _FARTHEST).all():
        raise InputError(
            "points that are not occluded are far outside the video or hold NaN; expected "
            "(x, y) in 0..1 of its width and height."
        )
    return clip


def _as_flags(occluded: NDArray[Any]) -> NDArray[np.bool_]:
    """Bools that are 0 or 1; a file may hold other bytes, which numpy would count as they are."""
    numbers = occluded.view(np.uint8) if occluded.dtype == np.bool_ else occluded
    return np.asarray(numbers != 0)


def _is_encoded(video: Any) -> bool:
    """Whether frames are kept as bytes: in a list, or in an array of strings or of objects."""
    if isinstance(video, np.ndarray) and (video.ndim != 1 or video.dtype.kind not in "SO"):
        return False
    return (
        isinstance(video, np.ndarray | list | tuple)
        and len(video) > 0
        and all(isinstance(frame, bytes) for frame in video)
    )


def _decode(images: Any) -> NDArray[np.uint8]:
    """JPEG files → uint8 (frames, height, width, 3), RGB.

    What they say of their sizes is checked before the first is decoded: a file may name one image
    thousands of times, and a few bytes may stand for an image of any size.
    """
    headers = _read_headers(images)
    height, width = headers[0].height, headers[0].width
    if any((header.height, header.width) != (height, width) for header in headers):
        raise InputError("the frames of a video are of several sizes.")
    _check_decoded(headers, _bytes_held(images))
    how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    video = np.empty((len(images), height, width, 3), np.uint8)
    # An array of strings drops the zeros at the end of each; JPEG files end with other bytes.
    for index, file in enumerate(images):
        try:
            frame = cv2.imdecode(np.frombuffer(file, np.uint8), how)
        except cv2.error as error:
            raise InputError(_not_an_image(index)) from error
        if frame is None or frame.shape != video.shape[1:]:
            raise InputError(_not_an_image(index))
        video[index] = frame[:, :, ::-1]
    return video


def _read_headers(images: Any) -> list[ImageHeader]:
    """Of each frame, in order; of an image that a list names many times, only once."""
    headers: list[ImageHeader] = []
    known: dict[int, ImageHeader] = {}
    for index, file in enumerate(images):
        header = known.get(id(file)) or read_image_header(file)
        if header is None or header.kind not in ("jpeg", "png"):
            raise InputError(_not_an_image(index))
        IMAGE_PIXELS.check(header.height * header.width, f"frame {index} of a video")
        headers.append(header)
        if not _holds_strings(images):
            known[id(file)] = header
    return headers


def _holds_strings(images: Any) -> bool:
    """Whether it is an array that holds its images itself, and makes bytes of each anew."""
    return isinstance(images, np.ndarray) and images.dtype.kind == "S"


def _bytes_held(images: Any) -> int:
    """Bytes of all images; one that is named many times is held once."""
    if _holds_strings(images):
        return int(images.nbytes)
    return sum({id(file): len(file) for file in images}.values())


def _not_an_image(index: int) -> str:
    return f"frame {index} of a video is not an image that can be decoded: expected JPEG or PNG."


def _check_decoded(headers: list[ImageHeader], held: int) -> None:
    """Refuse a clip whose frames, decoded from ``held`` bytes, take too much memory or time."""
    size = sum(3 * header.height * header.width for header in headers)
    # A progressive JPEG file may ask for any number of passes over its image; usual are ten.
    work = sum(
        3 * header.height * header.width * max(1, header.scans // _USUAL_SCANS)
        for header in headers
    )
    CLIP_BYTES.check(work, "a video")
    if size > max(_FREE_BYTES, _MOST_EXPANSION * held):
        raise InputError(
            f"the frames of a video take {size:,} bytes when they are decoded, and its images of "
            f"{held:,} bytes hold far less: it is not a video."
        )
    free = read_memory().available
    if size > free:
        raise InputError(
            f"the frames of a video take {size:,} bytes when they are decoded, and {free:,} bytes "
            "of memory are free."
        )
