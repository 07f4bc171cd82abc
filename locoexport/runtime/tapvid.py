"""The pickle layout of TAP-Vid, for its evaluation tools: written plainly, read without trust.

A file holds a dict from the names of clips to dicts of ``video`` uint8 (frames, height, width, 3),
``points`` float32 (points, frames, 2) as (x, y) in 0..1 of the video's width and height, and
``occluded`` bool (points, frames).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.files import whole_file
from locoexport.runtime.tracks import Tracks

__all__ = ["TapVidClip", "read_tapvid", "tapvid_clip", "write_tapvid"]

_FIELDS = ("video", "points", "occluded")
# All that an array of numbers needs, under the names that numpy 1 and numpy 2 write.
_ALLOWED = {
    (module, name)
    for core in ("numpy.core", "numpy._core")
    for module, name in (
        (f"{core}.multiarray", "_reconstruct"),
        (f"{core}.numeric", "_frombuffer"),
    )
} | {("numpy", "ndarray"), ("numpy", "dtype")}
# What a malformed stream makes the unpickler and numpy raise.
_READ_FAILURES = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    ImportError,
    SystemError,
    AssertionError,
    LookupError,
)


@dataclass(frozen=True, eq=False)
class TapVidClip:
    """One clip and its tracks, as TAP-Vid keeps them.

    Attributes:
        video: uint8 (frames, height, width, 3), RGB.
        points: float32 (points, frames, 2) as (x, y); 0..1 is the width and height.
        occluded: bool (points, frames).
    """

    video: NDArray[np.uint8]
    points: NDArray[np.float32]
    occluded: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Raises InputError where types or shapes do not fit together."""
        frames = self.video.shape[0] if self.video.ndim == 4 else -1
        points = self.points.shape[0] if self.points.ndim == 3 else -1
        right = (
            self.video.dtype == np.uint8
            and self.video.ndim == 4
            and self.video.shape[3] == 3
            and self.points.dtype == np.float32
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
                f"A TAP-Vid clip is video uint8 (frames, height, width, 3), points float32 "
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

    The stream may make dicts, lists, strings, numbers and numpy arrays. One that names
    anything else is refused before it could be called, so reading never runs a file's code.
    Videos as lists of encoded images, which TAP-Vid-Kinetics has, are not read.

    Raises:
        InputError: the file is missing or malformed, or wants to make something else.
    """
    try:
        with open(path, "rb") as file:
            document = _PlainUnpickler(file).load()
        items = document.items() if isinstance(document, dict) else enumerate(document)
        return {str(name): _as_clip(item) for name, item in items}
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except _READ_FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} does not hold TAP-Vid clips: {reason}.") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise InputError(f"it wants to make {module}.{name}; only arrays are read.")
        return super().find_class(module, name)


def _as_clip(item: Any) -> TapVidClip:
    if not isinstance(item, dict) or not set(_FIELDS) <= set(item):
        raise InputError(f"a clip is a dict of {', '.join(_FIELDS)}.")
    video, points, occluded = (item[field] for field in _FIELDS)
    for field in _FIELDS:
        if not isinstance(item[field], np.ndarray) or item[field].dtype.kind not in "biuf":
            raise InputError(f"{field} is no array of numbers.")
    return TapVidClip(video, points.astype(np.float32), occluded.astype(np.bool_))
