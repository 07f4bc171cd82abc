"""Generated sequences to learn from: endless, exact, and harder than those that are scored.

``locoexport eval --dataset synthetic`` has a generator of its own, with other shapes, motions and
random numbers: nothing that is scored is ever trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.training.data.crops import crop_frames
from locoexport.training.data.degradation import degrade
from locoexport.training.data.generated.layers import Layer, find_tops, follow_points, render_frame
from locoexport.training.data.generated.pictures import (
    PictureFolder,
    Pictures,
    read_pictures,
)
from locoexport.training.data.generated.shapes import make_background, make_shape
from locoexport.training.data.samples import TrainingSample
from locoexport.training.data.source import SampleWish

__all__ = ["MOST_DIFFICULTY", "Synthetic", "open_synthetic"]

MOST_DIFFICULTY = 2.0
"""Beyond it the background would tilt so much that its horizon comes into the frame."""

_SHAPES = (2, 9)
_ROOM = 4
"""Candidates for each point that is wanted."""
_EDGE_PX = 1.5
"""On the very edge of a shape nothing can be tracked."""
_BLURRED_SHARE, _EXPOSURES = 0.2, 4
_HURRIED_SHARE, _MOST_PACE = 0.3, 4.0
"""Clips of which frames were left out, as of a stereo pair or a slow camera."""


class Synthetic:
    """Shapes cut from pictures that move over a background, hide one another, tilt and blur."""

    def __init__(
        self,
        pictures: Pictures,
        seed: int,
        *,
        difficulty: float = 1.0,
        remarks: tuple[str, ...] = (),
    ) -> None:
        """Sequences of shapes cut from ``pictures``.

        ``difficulty`` 1 moves most shapes by up to 8 px of 256 a frame, 0 by up to 2; above 0 a
        share of the clips is up to four times as fast. ``remarks`` is what a person should know of
        the pictures.

        Raises:
            UsageError: the difficulty is not from 0 to 2.
        """
        if not 0 <= difficulty <= MOST_DIFFICULTY:
            raise UsageError(
                f"The difficulty is {difficulty}; expected 0 (easy) to {MOST_DIFFICULTY:g} (hard)."
            )
        self.name = "synthetic"
        self.remarks = remarks
        self._pictures, self._seed = pictures, seed
        self._difficulty = difficulty

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        """See ``SampleSource``."""
        random = np.random.default_rng([23, self._seed, index])
        side = min(wish.size_hw)
        layers = self._make_layers(wish.frames, side, random)
        video = _render(layers, wish.frames, side, self._difficulty, random)
        video = degrade(video, random, self._difficulty)
        at, owners, homes = _choose_points(layers, wish.frames, wish.points, side, random)
        tracks, occluded = follow_points(layers, owners, homes, wish.frames, side)
        scale = np.array(wish.size_hw[::-1]) / side
        asked = tracks[np.arange(len(at)), at] * scale
        queries = np.stack((at, asked[:, 1], asked[:, 0]), -1)
        return TrainingSample(
            video=_resized(video, wish.size_hw),
            query_points_tyx=queries.astype(np.float32),
            tracks_xy=(tracks * scale).astype(np.float32),
            occluded=occluded,
            judged=np.ones_like(occluded),
            name=f"synthetic {index}",
        )

    def _make_layers(self, frames: int, side: int, random: np.random.Generator) -> list[Layer]:
        hard, cut = self._difficulty, self._pictures.cut
        pace = 1.0 if random.random() > _HURRIED_SHARE * hard else random.uniform(1, _MOST_PACE)
        shapes = int(random.integers(*_SHAPES))
        return [
            make_background(cut(random), frames, side, hard, pace, random),
            *(make_shape(cut(random), frames, side, hard, pace, random) for _ in range(shapes)),
        ]


def open_synthetic(folder: Path | None, seed: int, *, difficulty: float = 1.0) -> Synthetic:
    """Sequences made of procedural textures, and of a folder's pictures where one is named.

    Raises:
        UsageError: the difficulty is not from 0 to 2.
        InputError: there is no such folder, or no picture in it.
    """
    found = PictureFolder((), ()) if folder is None else read_pictures(folder)
    pictures = Pictures(found.pictures, seed)
    return Synthetic(pictures, seed, difficulty=difficulty, remarks=found.remarks)


def _render(
    layers: list[Layer], frames: int, side: int, difficulty: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """uint8 (frames, side, side, 3); some clips with the blur of a long exposure."""
    shutter = 0.0
    if random.random() < _BLURRED_SHARE * difficulty:
        shutter = random.uniform(0.3, 0.8)
    moments = np.linspace(-shutter / 2, shutter / 2, _EXPOSURES) if shutter else np.zeros(1)
    video = np.empty((frames, side, side, 3), np.uint8)
    for frame in range(frames):
        exposures = [render_frame(layers, frame + moment, side) for moment in moments]
        video[frame] = np.clip(np.rint(np.mean(exposures, axis=0)), 0, 255)
    return video


def _choose_points(
    layers: list[Layer], frames: int, points: int, side: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Of each point: the frame it is asked in, its layer, and where on that layer it lies.

    Every point is on top in its frame and not at an edge. A layer gets points by the root of its
    area, so that small shapes are not forgotten.
    """
    wanted = points * _ROOM
    at = np.sort(random.integers(0, frames, wanted))
    xy = random.uniform(0.5, side - 0.5, (wanted, 2))
    owners, homes = np.empty(wanted, np.int64), np.empty((wanted, 2))
    deep = np.ones(wanted, np.bool_)
    around = _EDGE_PX * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    for frame in range(frames):
        mine = np.flatnonzero(at == frame)
        owners[mine] = find_tops(layers, xy[mine], frame)
        for step in around:
            deep[mine] &= find_tops(layers, xy[mine] + step, frame) == owners[mine]
        for index, layer in enumerate(layers):
            own = mine[owners[mine] == index]
            homes[own] = layer.locate(xy[own], frame)
    if not deep.any():  # of very few candidates; one at an edge is better than none
        deep[:] = True
    weights = deep / np.sqrt(np.bincount(owners, minlength=len(layers)))[owners]
    too_few = bool(np.count_nonzero(deep) < points)
    chosen = random.choice(wanted, points, replace=too_few, p=weights / weights.sum())
    return at[chosen], owners[chosen], homes[chosen]


def _resized(video: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """float32 in [-1, 1]; the sequence is square and stretched to the size that is wanted."""
    side = video.shape[1]
    return crop_frames(video, (0, 0, side, side), size_hw)
