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
from locoexport.machine.output_files import whole_file
from locoexport.machine.plain_pickle import READ_FAILURES, load_plain
from locoexport.runtime.tracking.tracks import Tracks

__all__ = [
    "TapVidClip",
    "iterate_tapvid",
    "read_tapvid",
    "tapvid_clip",
    "write_tapvid",
]

_FIELDS = ("video", "points", "occluded")


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
    return ((str(name), partial(_load_clip, path, item)) for name, item in items)


def _load_clip(path: str | Path, item: Any) -> TapVidClip:
    try:
        return _as_clip(item)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except READ_FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} does not hold TAP-Vid clips: {reason}.") from error


def _as_clip(item: Any) -> TapVidClip:
    if not isinstance(item, dict) or not set(_FIELDS) <= set(item):
        raise InputError(f"a clip is a dict of {', '.join(_FIELDS)}.")
    video, points, occluded = (item[field] for field in _FIELDS)
    if _is_encoded(video):
        video = _decode(video)
    for name, array in zip(_FIELDS, (video, points, occluded), strict=True):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise InputError(f"{name} is no array of numbers.")
    precise = points.dtype == np.float64
    return TapVidClip(
        video, points if precise else points.astype(np.float32), occluded.astype(np.bool_)
    )


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
    """JPEG files → uint8 (frames, height, width, 3), RGB."""
    # An array of strings drops the zeros at the end of each; JPEG files end with other bytes.
    how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    frames = []
    for index, image in enumerate(images):
        frame = cv2.imdecode(np.frombuffer(image, np.uint8), how) if len(image) else None
        if frame is None:
            raise InputError(f"frame {index} of a video is not an image that can be decoded.")
        frames.append(np.asarray(frame[:, :, ::-1], np.uint8))
    if len({frame.shape for frame in frames}) != 1:
        raise InputError("the frames of a video are of several sizes.")
    return np.stack(frames)
