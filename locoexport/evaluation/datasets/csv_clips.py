"""The videos that CSV annotations are of: found, brought to the annotated rate, cut and resized."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import SCORED_HW
from locoexport.errors import InputError
from locoexport.evaluation.datasets.csv_annotations import (
    CLIP_FPS,
    AnnotatedVideo,
    read_annotations,
)
from locoexport.evaluation.datasets.resizing import resize_as_published
from locoexport.machine.limits import CLIP_BYTES
from locoexport.runtime.tracks.tapvid import TapVidClip
from locoexport.runtime.video.clips import VideoReader

__all__ = ["LONGEST_PART", "CsvClip", "at_rate", "find_videos", "videos_by_name"]

LONGEST_PART = 1000
"""Frames of a clip at most; a longer video is split into parts of about equal length, as the
published reader does."""

_EARLY = 1e-6
"""Of a frame: times are multiples of a time base, rounded."""

Frame = TypeVar("Frame")


@dataclass(frozen=True, eq=False)
class CsvClip:
    """A video with its rows of a CSV, or ``part`` (index, of how many) of it.

    ``remarks`` are what a load found that a person should know.
    """

    annotations: Path
    video: AnnotatedVideo
    file: Path
    full_resolution: bool
    remarks: list[str]
    part: tuple[int, int] = (0, 1)

    @property
    def name(self) -> str:
        """Of the clip within its file."""
        index, count = self.part
        return self.video.name if count == 1 else f"{self.video.name} {index + 1} of {count}"

    def parts(self) -> Iterator[CsvClip]:
        """The clip itself, or the parts of a long one; that needs its frames counted.

        Raises:
            VideoError: the video cannot be read.
        """
        frames = self.video.frames
        if frames > LONGEST_PART:
            frames = min(frames, sum(1 for _ in self._shown(VideoReader(self.file))))
        count = math.ceil(frames / LONGEST_PART)
        for index in range(count):
            yield CsvClip(
                self.annotations,
                self.video,
                self.file,
                self.full_resolution,
                self.remarks,
                (index, count),
            )

    def load(self) -> TapVidClip:
        """Decode the video: at 256×256 pixels, or at its own size with ``full_resolution``.

        Raises:
            VideoError: the video cannot be read.
            InputError: the CSV was changed, or the frames take too much memory.
            PackageMissingError: frames are to be resized and Pillow is not installed.
        """
        self.remarks.clear()
        points, occluded = read_annotations(self.annotations, self.video)
        frames, (height, width) = self._decode(VideoReader(self.file))
        points, occluded = points[:, : len(frames)], occluded[:, : len(frames)]
        if self.video.resampled:
            # As published: annotated are corners of pixels, and wanted their centres.
            size = np.array([width, height], np.float64)
            points = (points * size - 0.5) / size
        else:
            points = points.astype(np.float32)
        start, end = self._span(len(frames))
        return TapVidClip(
            frames[start:end],
            np.ascontiguousarray(points[:, start:end]),
            np.ascontiguousarray(occluded[:, start:end]),
        )

    def _decode(self, reader: VideoReader) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The annotated frames, and the video's own size."""
        annotated, count = self.video.frames, 0
        size_hw = (0, 0)
        shown = self._shown(reader)
        for frame in itertools.islice(shown, annotated):
            if not count:
                size_hw = (frame.shape[0], frame.shape[1])
                kept_hw = size_hw if self.full_resolution else SCORED_HW
                CLIP_BYTES.check(3 * math.prod(kept_hw) * annotated, self.file)
                # Memory that no frame is written to is not taken.
                video = np.empty((annotated, *kept_hw, 3), np.uint8)
            video[count] = (
                frame if self.full_resolution else resize_as_published(frame[None], SCORED_HW)[0]
            )
            count += 1
        if not count:
            raise InputError(f"{self.file} is shorter than a frame of {CLIP_FPS} a second.")
        more = not self.video.resampled and next(shown, None) is not None
        self._remark(reader, count, more=more)
        return video[:count], size_hw

    def _shown(self, reader: VideoReader) -> Iterator[NDArray[np.uint8]]:
        timed = reader.frames()
        if not self.video.resampled:
            return (frame for _, frame in timed)
        return at_rate(timed, CLIP_FPS, reader.start_s, lambda: reader.end_s)

    def _span(self, frames: int) -> tuple[int, int]:
        index, count = self.part
        return index * frames // count, (index + 1) * frames // count

    def _remark(self, reader: VideoReader, frames: int, *, more: bool) -> None:
        self.remarks.extend(reader.warnings)
        annotated = self.video.frames
        if frames < annotated:
            self.remarks.append(
                f"{self.file} has {frames} frames and {annotated} are annotated: the first "
                f"{frames} are scored."
            )
        elif more:
            self.remarks.append(
                f"{self.file} has more frames than the {annotated} that are annotated: the first "
                f"{annotated} are scored."
            )


def at_rate(
    timed: Iterable[tuple[float, Frame]], fps: float, start_s: float, end_s: Callable[[], float]
) -> Iterator[Frame]:
    """Frames at a constant rate, by repeating and leaving out, as FFmpeg's filter ``fps`` chooses.

    A frame's time is rounded to the nearest of the new ones, halves up; at each new time the last
    frame that came is shown, before the first one the first.

    Args:
        timed: (seconds, frame), in order.
        fps: the new rate.
        start_s: the time that becomes 0.
        end_s: when the last frame ends; asked once all were given.
    """

    def due(time_s: float) -> int:
        return math.floor((time_s - start_s) * fps + 0.5 + _EARLY)

    shown = 0
    last: Frame | None = None
    for time_s, frame in timed:
        while shown < due(time_s):
            yield frame if last is None else last
            shown += 1
        last = frame
    while last is not None and shown < due(end_s()):
        yield last
        shown += 1


def videos_by_name(folder: Path) -> dict[str, list[Path]]:
    """The .mp4 files in a folder and below it, by name without the suffix."""
    found: dict[str, list[Path]] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(".mp4"):
                found.setdefault(name[: -len(".mp4")], []).append(Path(place) / name)
    return found


def find_videos(
    annotations: Path, videos: Iterable[AnnotatedVideo], files: Mapping[str, list[Path]]
) -> tuple[list[tuple[AnnotatedVideo, Path]], list[str]]:
    """Every video with its file, and the names of those without one.

    Raises:
        InputError: two files have the name of one video.
    """
    found, missing = [], []
    for video in videos:
        places = files.get(video.name, [])
        if len(places) > 1:
            raise InputError(
                f"{annotations} names the video {video.name}, and there are {places[0]} and "
                f"{places[1]}: keep only one of them."
            )
        if places:
            found.append((video, places[0]))
        else:
            missing.append(video.name)
    return found, missing
