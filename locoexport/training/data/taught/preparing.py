"""Windows of clips, and what a teacher or an annotation says of them, prepared once in files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.errors import InputError, VideoError
from locoexport.evaluation.sides import Side
from locoexport.notices import Listener, Notice, counted
from locoexport.runtime.tracks.tapvid import TapVidClip, iterate_tapvid
from locoexport.runtime.video.clips import VideoReader
from locoexport.training.data.taught.lessons import write_lesson
from locoexport.training.data.taught.teacher import Lesson, teach

__all__ = ["prepare_annotated", "prepare_taught"]

_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
_POINTS = 256
_LEAST_JUDGED = 0.05
"""A window of which less was confirmed teaches nothing."""

Frames = NDArray[np.uint8]


def prepare_taught(
    folder: Path, teacher: Side, frames: int, lessons: Path, seed: int, notify: Listener
) -> list[Path]:
    """A lesson of each window of ``frames`` frames of each clip, kept in ``lessons``.

    What lies there already is not made again. A clip that cannot be read is named and left out.

    Raises:
        InputError: there is no such folder, no clip in it, or nothing that the teacher can track.
    """
    clips = _find_clips(folder)
    lessons.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for number, clip in enumerate(clips):
        notify(Notice(f"the teacher tracks {clip.name}", done=number, total=len(clips)))
        try:
            for start, window in _windows(clip, frames):
                path = lessons / f"{number:05}-{clip.stem[:80]}-{start:06}.npz"
                if not path.is_file():
                    random = np.random.default_rng([31, seed, number, start])
                    lesson = teach(teacher, window, _POINTS, random)
                    if lesson.kept_share < _LEAST_JUDGED:
                        continue
                    write_lesson(path, lesson)
                made.append(path)
        except VideoError as error:
            notify(Notice(f"Left out: {error}", warning=True))
    if not made:
        raise InputError(
            f"{folder}: of {counted(len(clips), 'clip')} not one window of {frames} frames was "
            "confirmed by the teacher there and back."
        )
    return made


def prepare_annotated(path: Path, frames: int, lessons: Path) -> list[Path]:
    """The clips of TAP-Vid's pickles as lessons of their own, in windows of ``frames`` frames.

    Raises:
        InputError: a file cannot be read, or no clip is long enough.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.pkl"))
    if not files:
        raise InputError(f"{path} holds no .pkl file of TAP-Vid.")
    lessons.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for file in files:
        for number, (_, load) in enumerate(iterate_tapvid(file)):
            clip = load()
            for start in range(0, len(clip.video) - frames + 1, max(1, frames // 2)):
                target = lessons / f"{file.stem[:80]}-{number:05}-{start:06}.npz"
                if not target.is_file():
                    write_lesson(target, _as_lesson(clip, start, frames))
                made.append(target)
    if not made:
        raise InputError(f"{path}: no clip has {frames} frames; pass fewer --frames.")
    return made


def _find_clips(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: clips:DIR names one of videos.")
    clips = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not clips:
        raise InputError(f"{folder} holds no video; expected {', '.join(_SUFFIXES)}.")
    return clips


def _windows(clip: Path, frames: int) -> Iterator[tuple[int, Frames]]:
    """Windows that follow one another, at 256×256 pixels."""
    shown = (_resized(frame) for _, frame in VideoReader(clip).frames())
    for start in itertools.count(0, frames):
        window = list(itertools.islice(shown, frames))
        if len(window) < frames:
            return
        yield start, np.stack(window)


def _resized(frame: Frames) -> Frames:
    height, width = SCORED_HW
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _as_lesson(clip: TapVidClip, start: int, frames: int) -> Lesson:
    span = slice(start, start + frames)
    return Lesson(
        np.stack([_resized(frame) for frame in clip.video[span]]),
        (clip.points[:, span] * np.array(SCORED_HW[::-1])).astype(np.float32),
        ~clip.occluded[:, span],
        np.ones_like(clip.occluded[:, span]),
    )
