"""Samples from what a teacher said of clips, each time cut, mirrored and damaged otherwise."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.errors import InputError
from locoexport.machine.writing.output_files import whole_file
from locoexport.training.data.crops import crop_frames, draw_window
from locoexport.training.data.degradation import degrade
from locoexport.training.data.samples import TrainingSample
from locoexport.training.data.source import SampleWish
from locoexport.training.data.taught.teacher import Lesson

__all__ = ["Lessons", "read_lesson", "write_lesson"]

_TRIES = 20
_FIELDS = ("frames_rgb", "tracks_xy", "visible", "judged")
_FAILURES = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy raises over a damaged file."""
_REMEDY = "Delete it and its .json, and run the same command again: it is made anew."


class Lessons:
    """Lessons that lie in files; one is read for each sample."""

    def __init__(self, files: Sequence[Path], seed: int, *, damage: float = 1.0) -> None:
        """Of ``files``, all of at least as many frames as are ever wished for.

        ``damage`` is how bad the student's frames are, see ``degrade``.
        """
        self.name = "clips"
        self._files, self._seed, self._damage = tuple(files), seed, damage

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        """See ``SampleSource``."""
        random = np.random.default_rng([29, self._seed, index])
        for _ in range(_TRIES):
            path = self._files[int(random.integers(len(self._files)))]
            found = _make_sample(read_lesson(path), wish, self._damage, path.stem, random)
            if found is not None:
                return found
        raise InputError(
            f"{self.name}: in {_TRIES} windows in a row no point is both seen and known where the "
            "frame was cut; there is too little to learn from here."
        )


def write_lesson(path: Path, lesson: Lesson) -> None:
    """As .npz, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with whole_file(path) as draft, open(draft, "wb") as file:
        np.savez(file, **{name: getattr(lesson, name) for name in _FIELDS})


def read_lesson(path: Path) -> Lesson:
    """What ``write_lesson`` wrote.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            lesson = Lesson(*(arrays[name] for name in _FIELDS))
    except _FAILURES as error:
        raise InputError(f"Cannot read {path}: {error}. {_REMEDY}") from error
    points, frames = lesson.visible.shape if lesson.visible.ndim == 2 else (-1, -1)
    fits = (
        lesson.frames_rgb.shape == (frames, *SCORED_HW, 3)
        and lesson.tracks_xy.shape == (points, frames, 2)
        and lesson.judged.shape == (points, frames)
    )
    if not fits:
        raise InputError(f"{path} does not hold a lesson. {_REMEDY}")
    return lesson


def _make_sample(
    lesson: Lesson, wish: SampleWish, damage: float, name: str, random: np.random.Generator
) -> TrainingSample | None:
    """None where no confirmed point lies in the part that was cut."""
    frames, tracks = lesson.frames_rgb, lesson.tracks_xy.astype(np.float64)
    visible, judged = lesson.visible, lesson.judged
    start = int(random.integers(0, len(frames) - wish.frames + 1))
    span = slice(start, start + wish.frames)
    frames, tracks = frames[span], tracks[:, span]
    visible, judged = visible[:, span], judged[:, span]
    if random.random() < 0.5:
        frames, tracks = frames[::-1], tracks[:, ::-1]
        visible, judged = visible[:, ::-1], judged[:, ::-1]
    if random.random() < 0.5:
        frames = frames[:, :, ::-1]
        tracks = np.stack((SCORED_HW[1] - tracks[..., 0], tracks[..., 1]), -1)
    height, width = frames.shape[1:3]
    window = draw_window((height, width), random)
    top, left, bottom, right = window
    scale = np.array([width / SCORED_HW[1], height / SCORED_HW[0]])
    enlarged = np.array([wish.size_hw[1] / (right - left), wish.size_hw[0] / (bottom - top)])
    tracks = (tracks * scale - (left, top)) * enlarged
    inside = ((tracks >= 0) & (tracks < wish.size_hw[::-1])).all(-1)
    visible = visible & inside
    # Of a point that is known in one frame alone, only the question would be known.
    taught = judged.sum(axis=1, keepdims=True) >= min(2, wish.frames)
    chosen = _choose(visible & judged & taught, wish.points, random)
    if chosen is None:
        return None
    rows, at = chosen
    asked = tracks[rows, at]
    video = degrade(np.ascontiguousarray(frames), random, damage)
    return TrainingSample(
        video=crop_frames(video, window, wish.size_hw),
        query_points_tyx=np.stack((at, asked[:, 1], asked[:, 0]), -1).astype(np.float32),
        tracks_xy=tracks[rows].astype(np.float32),
        occluded=~visible[rows],
        judged=judged[rows],
        name=name,
    )


def _choose(
    askable: NDArray[np.bool_], points: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Tracks, and a frame of each in which it may be asked for."""
    usable = np.flatnonzero(askable.any(axis=1))
    if not len(usable):
        return None
    rows = random.choice(usable, points, replace=len(usable) < points)
    at = np.argmax(askable[rows] * random.random((points, askable.shape[1])), axis=1)
    return rows, at
