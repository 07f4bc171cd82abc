"""A rendered scene of panning MOVi-E, read from an example of its files.

Keys and units: google-research/kubric, ``challenges/movi/panning_movi_e.py``; spec/training.md,
section 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.limits import CLIP_BYTES, IMAGE_PIXELS
from locoexport.machine.reading.image_sizes import image_is_whole, read_image_header
from locoexport.training.data.rendered.tfrecord import Example

__all__ = ["SCENE_KEYS", "FrameMaps", "Scene", "count_frames", "read_scene"]

_VIDEO, _SEGMENTS, _DEPTH = "video", "segmentations", "depth"
_NORMALS, _COORDINATES = "normal", "object_coordinates"
_BOXES, _TURNS = "instances/bboxes_3d", "instances/quaternions"
_DEPTH_RANGE, _NAME = "metadata/depth_range", "metadata/video_name"
_FOCAL_LENGTH, _SENSOR_WIDTH = "camera/focal_length", "camera/sensor_width"
_CAMERA_PLACES, _CAMERA_TURNS = "camera/positions", "camera/quaternions"
SCENE_KEYS = frozenset(
    {
        *(_VIDEO, _SEGMENTS, _DEPTH, _NORMALS, _COORDINATES, _BOXES, _TURNS, _DEPTH_RANGE, _NAME),
        *(_FOCAL_LENGTH, _SENSOR_WIDTH, _CAMERA_PLACES, _CAMERA_TURNS),
    }
)
"""What is read of an example."""

_CORNERS = 8


class FrameMaps(Protocol):
    """Numbers for each pixel, a frame at a time: an array, or files that are decoded when asked."""

    def __getitem__(self, frame: int, /) -> NDArray[np.uint16]:
        """uint16 (h, w, 3)."""


@dataclass(frozen=True, eq=False)
class Scene:
    """s frames of h×w pixels, with K instances. Quaternions are (w, x, y, z), lengths metres.

    video: uint8 (s, h, w, 3) RGB.
    segments: uint8 (s, h, w); 0 is the background, i + 1 the instance i.
    depth: uint16 (s, h, w); 0..65535 spans ``depth_range`` of distances to the camera's centre.
    normals: uint16 (s, h, w, 3); 0..65535 spans -1..1 of world axes.
    coordinates: uint16 (s, h, w, 3); 0..65535 spans an instance's box.
    boxes: float32 (K, s, 8, 3), corners of the boxes in the world.
    turns: float32 (K, s, 4), how the instances are turned.
    focal_length, sensor_width: in one unit.
    camera_places: float32 (s, 3); camera_turns: float32 (s, 4).
    """

    name: str
    video: NDArray[np.uint8]
    segments: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    normals: FrameMaps
    coordinates: FrameMaps
    depth_range: tuple[float, float]
    boxes: NDArray[np.float32]
    turns: NDArray[np.float32]
    focal_length: float
    sensor_width: float
    camera_places: NDArray[np.float32]
    camera_turns: NDArray[np.float32]


def count_frames(example: Example) -> int:
    """Of the example's video; 0 where it has none."""
    return len(example.texts.get(_VIDEO, ()))


def read_scene(example: Example, span: slice) -> Scene:
    """The frames of an example that lie in ``span``.

    Normals and coordinates are decoded when a frame of them is asked for: points begin in every
    fourth frame only, and these two are most of the work.

    Raises:
        InputError: something that training reads is absent, cannot be decoded or does not fit.
            ``normals`` and ``coordinates`` may raise it when they are asked.
    """
    reading = _Reading(example, count_frames(example), span)
    video = reading.pictures(_VIDEO, np.dtype(np.uint8), 3)
    size_hw = (video.shape[1], video.shape[2])
    segments = reading.pictures(_SEGMENTS, np.dtype(np.uint8), 1, size_hw)
    boxes = reading.by_instance(_BOXES, (_CORNERS, 3))
    if int(segments.max()) > len(boxes):
        raise InputError(
            f"{_SEGMENTS} names instance {int(segments.max())}, and there are {len(boxes)}."
        )
    turns = reading.by_instance(_TURNS, (4,))
    if len(turns) != len(boxes):
        raise InputError(f"{_TURNS} has {len(turns)} instances, and {_BOXES} {len(boxes)}.")
    nearest, farthest = reading.floats(_DEPTH_RANGE, (2,))
    return Scene(
        name=reading.text(_NAME),
        video=video,
        segments=segments,
        depth=reading.pictures(_DEPTH, np.dtype(np.uint16), 1, size_hw),
        normals=reading.maps(_NORMALS, size_hw),
        coordinates=reading.maps(_COORDINATES, size_hw),
        depth_range=(float(nearest), float(farthest)),
        boxes=boxes,
        turns=turns,
        focal_length=reading.length(_FOCAL_LENGTH),
        sensor_width=reading.length(_SENSOR_WIDTH),
        camera_places=reading.by_frame(_CAMERA_PLACES, 3),
        camera_turns=reading.by_frame(_CAMERA_TURNS, 4),
    )


class _Reading:
    """An example of so many frames, and which of them are wanted."""

    def __init__(self, example: Example, frames: int, span: slice) -> None:
        self._example, self._frames, self._span = example, frames, span

    def text(self, key: str) -> str:
        """A name for messages; empty where there is none."""
        found = self._example.texts.get(key, (b"",))
        return found[0].decode(errors="replace") if found else ""

    def length(self, key: str) -> float:
        """One number above 0."""
        value = float(self.floats(key, (1,))[0])
        if value <= 0:
            raise InputError(f"{key} is {value}; expected a length above 0.")
        return value

    def by_frame(self, key: str, numbers: int) -> NDArray[np.float32]:
        """(s, numbers)."""
        return self.floats(key, (self._frames, numbers))[self._span]

    def by_instance(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """(K, s, *shape)."""
        return self.floats(key, (-1, self._frames, *shape))[:, self._span]

    def floats(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Finite numbers of that shape, in which one -1 stands for any length."""
        values = self._example.numbers.get(key)
        if values is None:
            raise InputError(f"it has no {key}.")
        try:
            values = values.reshape(shape)
        except ValueError as error:
            wanted = "×".join("K" if side < 0 else str(side) for side in shape)
            raise InputError(f"{key} has {values.size} numbers; expected {wanted}.") from error
        if not np.isfinite(values).all():
            raise InputError(f"{key} holds NaN or infinity.")
        return values

    def pictures(
        self, key: str, kind: np.dtype[Any], channels: int, size_hw: tuple[int, int] | None = None
    ) -> NDArray[Any]:
        """The wanted files as (s, h, w) or (s, h, w, 3) in RGB order; of the size of the first
        where none is named."""
        files = self._files(key)
        first = _decode(files[0], key, kind, channels, size_hw)
        CLIP_BYTES.check(first.nbytes * len(files), f"{key} of a record")
        size_hw = (first.shape[0], first.shape[1])
        rest = [_decode(file, key, kind, channels, size_hw) for file in files[1:]]
        return np.stack([first, *rest])

    def maps(self, key: str, size_hw: tuple[int, int]) -> FrameMaps:
        """The wanted files, decoded one by one when they are asked for."""
        return _EncodedMaps(self._files(key), key, size_hw)

    def _files(self, key: str) -> Sequence[bytes]:
        files = self._example.texts.get(key)
        if not files:
            raise InputError(f"it has no {key}.")
        if len(files) != self._frames:
            raise InputError(f"{key} has {len(files)} frames, and {_VIDEO} {self._frames}.")
        return files[self._span]


class _EncodedMaps:
    """PNG files that are decoded when asked for, and kept."""

    def __init__(self, files: Sequence[bytes], key: str, size_hw: tuple[int, int]) -> None:
        self._files, self._key, self._size_hw = files, key, size_hw
        self._decoded: dict[int, NDArray[np.uint16]] = {}

    def __getitem__(self, frame: int, /) -> NDArray[np.uint16]:
        if frame not in self._decoded:
            kind = np.dtype(np.uint16)
            self._decoded[frame] = _decode(self._files[frame], self._key, kind, 3, self._size_hw)
        return self._decoded[frame]


def _decode(
    file: bytes, key: str, kind: np.dtype[Any], channels: int, size_hw: tuple[int, int] | None
) -> NDArray[Any]:
    """(h, w) or (h, w, 3) in RGB order."""
    header = read_image_header(file)
    if header is None or header.kind != "png" or not image_is_whole(file):
        raise InputError(f"a frame of {key} is no whole PNG file.")
    IMAGE_PIXELS.check(header.height * header.width, f"a frame of {key}")
    if size_hw is not None and (header.height, header.width) != size_hw:
        raise InputError(
            f"a frame of {key} has {header.height}x{header.width} pixels; expected "
            f"{size_hw[0]}x{size_hw[1]}, as the first frame of the video."
        )
    try:
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"a frame of {key} is a PNG file that cannot be decoded.")
    found = 1 if image.ndim == 2 else image.shape[2]
    if (image.dtype, found) != (kind, channels):
        raise InputError(
            f"a frame of {key} has {found} channels of {image.dtype}; expected {channels} of "
            f"{kind}."
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if channels == 3 else image
