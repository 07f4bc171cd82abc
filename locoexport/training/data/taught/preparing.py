"""Windows of clips, and what a teacher or an annotation says of them, prepared once in files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.errors import InputError, UsageError, VideoError
from locoexport.notices import Listener, Notice, counted, ignore
from locoexport.runtime.tracks.tapvid import TapVidClip, iterate_tapvid
from locoexport.runtime.video.clips import VideoReader
from locoexport.training.data.taught.lessons import write_lesson
from locoexport.training.data.taught.prepared import Preparation, Prepared
from locoexport.training.data.taught.teacher import Lesson, Teacher, teach

__all__ = ["prepare_annotated", "prepare_taught"]

_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
_POINTS = 256
_LEAST_JUDGED = 0.05
"""A window of which less was confirmed teaches nothing."""
_FARTHEST_PX = 1e4
"""From where nobody reads a hidden point's position."""
_NAMED = 5
"""Files that a warning names."""

Frames = NDArray[np.uint8]


def prepare_taught(
    folder: Path, teacher: Teacher, frames: int, lessons: Path, seed: int, notify: Listener
) -> list[Path]:
    """A lesson of each window of ``frames`` frames of each clip, kept in ``lessons``.

    Windows follow one another, and the last one ends with the clip. Clips are read frame by frame,
    so that a long one takes no more memory. What lies there of the same teacher, clip, length and
    seed is not made again. A clip that cannot be read, is shorter than a window, or was confirmed
    nowhere is named and left out.

    Raises:
        UsageError: the teacher takes only another number of frames.
        InputError: there is no such folder, no clip in it, or nothing that the teacher can track.
        OutputError: a lesson cannot be written.
    """
    if teacher.fixed_frames not in (None, frames):
        raise UsageError(
            f"The teacher takes {teacher.fixed_frames} frames and no other number, and clips of "
            f"{frames} are asked for. Pass --frames {teacher.fixed_frames}, or export the teacher "
            "with --frames dynamic."
        )
    clips = _find_clips(folder)
    made: list[Path] = []
    short, unconfirmed, unread = list[Path](), list[Path](), list[Path]()
    for number, clip in enumerate(clips):
        notify(Notice("the teacher tracks", done=number, total=len(clips), figures=clip.name))
        try:
            found = _teach_clip(clip, teacher, frames, lessons, seed)
        except VideoError as error:
            notify(Notice(f"Left out: {error}", warning=True))
            unread.append(clip)
            continue
        for text in found.remarks:
            notify(Notice(text, warning=True))
        made += found.files
        if not found.files:
            (unconfirmed if found.windows else short).append(clip)
    left_out = [
        *_told(short, clips, f"with fewer than {frames} frames"),
        *_told(unconfirmed, clips, "that the teacher does not track there and back"),
        *_told(unread, clips, "that cannot be read"),
    ]
    if not made:
        raise InputError(f"{folder} holds nothing to learn from. {' '.join(left_out)}")
    for text in left_out:
        notify(Notice(text, warning=True))
    notify(Notice(f"{folder}: {counted(len(made), 'window')} to learn from"))
    return made


def prepare_annotated(
    path: Path, frames: int, lessons: Path, notify: Listener = ignore
) -> list[Path]:
    """The clips of TAP-Vid's pickles as lessons, in windows of ``frames`` frames that overlap.

    A clip that is shorter is counted and left out, as are windows without a visible point.

    Raises:
        InputError: a file cannot be read, or no clip is long enough.
        OutputError: a lesson cannot be written.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.pkl"))
    if not files:
        raise InputError(f"{path} holds no .pkl file of TAP-Vid.")
    made: list[Path] = []
    for file in files:
        try:
            preparation = Preparation.of(lessons, file, "annotated", frames)
        except OSError as error:
            raise InputError(f"Cannot read {file}: {error.strerror or error}.") from error
        found = preparation.recall() or _cut_pickle(file, frames, preparation)
        for text in found.remarks:
            notify(Notice(text, warning=True))
        made += found.files
    if not made:
        raise InputError(
            f"{path}: no clip has {frames} frames with a visible point; pass fewer --frames."
        )
    return made


def _find_clips(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: clips:DIR names one of videos.")
    clips = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not clips:
        raise InputError(f"{folder} holds no video; expected {', '.join(_SUFFIXES)}.")
    return clips


def _told(clips: Sequence[Path], of: Sequence[Path], why: str) -> list[str]:
    """One sentence that counts and names clips that were left out; none where there are none."""
    if not clips:
        return []
    named = ", ".join(clip.name for clip in clips[:_NAMED])
    more = "" if len(clips) <= _NAMED else f" and {len(clips) - _NAMED} more"
    return [f"Left out {len(clips)} of {counted(len(of), 'clip')} {why}: {named}{more}."]


def _teach_clip(clip: Path, teacher: Teacher, frames: int, lessons: Path, seed: int) -> Prepared:
    reader = VideoReader(clip)
    try:
        preparation = Preparation.of(lessons, clip, "taught", teacher.identity, frames, seed)
    except OSError as error:
        raise VideoError(f"{clip} cannot be read: {error.strerror or error}.") from error
    recalled = preparation.recall()
    if recalled is not None:
        return recalled
    made: list[Path] = []
    windows = 0
    for start, window in _windows(reader, frames):
        windows += 1
        path = preparation.lesson(0, start)
        if not path.is_file():
            random = np.random.default_rng([31, seed, preparation.entropy, start])
            lesson = teach(teacher.side, window, _POINTS, random)
            if lesson.kept_share < _LEAST_JUDGED:
                continue
            write_lesson(path, lesson)
        made.append(path)
    return preparation.keep(windows, made, reader.warnings)


def _windows(reader: VideoReader, frames: int) -> Iterator[tuple[int, Frames]]:
    """The first frame and the frames of each window, at 256×256 pixels."""
    held: deque[Frames] = deque(maxlen=frames)
    count = 0
    for _, frame in reader.frames():
        held.append(_resized(frame))
        count += 1
        if count % frames == 0:
            yield count - frames, np.stack(held)
    if count > frames and count % frames:
        yield count - frames, np.stack(held)


def _cut_pickle(file: Path, frames: int, preparation: Preparation) -> Prepared:
    made: list[Path] = []
    clips = short = windows = 0
    for number, (_, load) in enumerate(iterate_tapvid(file)):
        clip = load()
        clips += 1
        short += len(clip.video) < frames
        for start in _starts(len(clip.video), frames):
            windows += 1
            if clip.occluded[:, start : start + frames].all():
                continue
            target = preparation.lesson(number, start)
            if not target.is_file():
                write_lesson(target, _as_lesson(clip, start, frames))
            made.append(target)
    told = f"{file}: left out {short} of {counted(clips, 'clip')} with fewer than {frames} frames."
    return preparation.keep(windows, made, [told] if short else [])


def _starts(count: int, frames: int) -> list[int]:
    """First frames of windows that overlap by half; the last one ends with the clip."""
    if count < frames:
        return []
    return sorted({*range(0, count - frames + 1, max(1, frames // 2)), count - frames})


def _resized(frame: Frames) -> Frames:
    height, width = SCORED_HW
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _as_lesson(clip: TapVidClip, start: int, frames: int) -> Lesson:
    span = slice(start, start + frames)
    # Where a point is hidden a file may hold anything, NaN too.
    points = np.nan_to_num(clip.points[:, span], posinf=_FARTHEST_PX, neginf=-_FARTHEST_PX)
    tracks = np.clip(points * np.array(SCORED_HW[::-1]), -_FARTHEST_PX, _FARTHEST_PX)
    return Lesson(
        np.stack([_resized(frame) for frame in clip.video[span]]),
        tracks.astype(np.float32),
        ~clip.occluded[:, span],
        np.ones_like(clip.occluded[:, span]),
    )
