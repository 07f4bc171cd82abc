"""A rendered scene of panning MOVi-E, read from an example of its files.

Keys and units: google-research/kubric, ``challenges/movi/panning_movi_e.py``; spec/training.md,
section 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.training.data.rendered.tfrecord import Example

__all__ = ["Scene", "cut_scene", "read_scene"]

_CORNERS = 8


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
    normals: NDArray[np.uint16]
    coordinates: NDArray[np.uint16]
    depth_range: tuple[float, float]
    boxes: NDArray[np.float32]
    turns: NDArray[np.float32]
    focal_length: float
    sensor_width: float
    camera_places: NDArray[np.float32]
    camera_turns: NDArray[np.float32]


def read_scene(example: Example, where: str) -> Scene:
    """The scene of an example.

    Raises:
        InputError: something that training reads is absent, cannot be decoded or does not fit; the
            message begins with ``where``.
    """
    reading = _Reading(example, where)
    video = reading.images("video", np.uint8, 3)
    frames = len(video)
    boxes = reading.floats("instances/bboxes_3d", (-1, frames, _CORNERS, 3))
    depth_range = reading.floats("metadata/depth_range", (2,))
    return Scene(
        name=reading.text("metadata/video_name"),
        video=video,
        segments=reading.images("segmentations", np.uint8, 1, like=video),
        depth=reading.images("depth", np.uint16, 1, like=video),
        normals=reading.images("normal", np.uint16, 3, like=video),
        coordinates=reading.images("object_coordinates", np.uint16, 3, like=video),
        depth_range=(float(depth_range[0]), float(depth_range[1])),
        boxes=boxes,
        turns=reading.floats("instances/quaternions", (len(boxes), frames, 4)),
        focal_length=float(reading.floats("camera/focal_length", (1,))[0]),
        sensor_width=float(reading.floats("camera/sensor_width", (1,))[0]),
        camera_places=reading.floats("camera/positions", (frames, 3)),
        camera_turns=reading.floats("camera/quaternions", (frames, 4)),
    )


def cut_scene(scene: Scene, frames: int, random: np.random.Generator) -> Scene:
    """So many frames of the scene in a row; the whole one where it has no more."""
    surplus = len(scene.video) - frames
    if surplus <= 0:
        return scene
    start = int(random.integers(0, surplus + 1))
    span = slice(start, start + frames)
    return replace(
        scene,
        video=scene.video[span],
        segments=scene.segments[span],
        depth=scene.depth[span],
        normals=scene.normals[span],
        coordinates=scene.coordinates[span],
        boxes=scene.boxes[:, span],
        turns=scene.turns[:, span],
        camera_places=scene.camera_places[span],
        camera_turns=scene.camera_turns[span],
    )


class _Reading:
    """An example, and how its place is called in messages."""

    def __init__(self, example: Example, where: str) -> None:
        self._example, self._where = example, where

    def text(self, key: str) -> str:
        """A name for messages; empty where there is none."""
        found = self._example.texts.get(key, (b"",))
        return found[0].decode(errors="replace") if found else ""

    def floats(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Finite numbers of that shape, in which one -1 stands for any length."""
        values = self._example.numbers.get(key)
        if values is None:
            raise InputError(f"{self._where} has no {key}.")
        try:
            values = values.reshape(shape)
        except ValueError as error:
            raise InputError(f"{self._where}: {key} has {values.size} numbers.") from error
        if not np.isfinite(values).all():
            raise InputError(f"{self._where}: {key} holds NaN or infinity.")
        return values

    def images(
        self, key: str, kind: type, channels: int, *, like: NDArray[np.uint8] | None = None
    ) -> NDArray[np.generic]:
        """PNG files of one size as (s, h, w) or (s, h, w, 3) in RGB order."""
        files = self._example.texts.get(key)
        if not files:
            raise InputError(f"{self._where} has no {key}.")
        images = [self._image(file, key, kind, channels) for file in files]
        if len({image.shape for image in images}) > 1:
            raise InputError(f"{self._where}: {key} has frames of several sizes.")
        stacked = np.stack(images)
        if like is not None and stacked.shape[:3] != like.shape[:3]:
            raise InputError(
                f"{self._where}: {key} is {stacked.shape[:3]} and the video {like.shape[:3]} "
                "(frames, height, width)."
            )
        return stacked

    def _image(self, file: bytes, key: str, kind: type, channels: int) -> NDArray[np.generic]:
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
        found = None if image is None else (image.dtype, 1 if image.ndim == 2 else image.shape[2])
        if image is None or found != (np.dtype(kind), channels):
            raise InputError(
                f"{self._where}: a frame of {key} is {found or 'no picture'}; expected "
                f"{channels} channels of {np.dtype(kind)}."
            )
        return image[..., ::-1] if channels == 3 else image
