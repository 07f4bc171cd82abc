"""Where frames come from: files, arrays, iterators and cameras, all read in one way.

A source gives its frames one by one and never holds a video. A part of it may be chosen by time,
every n-th frame, and another size; what is chosen is the video from then on: frame 0 is the first
that is kept, and pixels are those after the resize.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import OutputError, UsageError, VideoError
from locoexport.runtime.video.clips import DEFAULT_FPS, Clip, VideoReader
from locoexport.runtime.video.frames import check_frames

__all__ = ["FrameSource", "Selection", "Video", "open_source", "parse_size"]

_BLOCK = 48
"""Frames of a part that are read again at once."""

Frame = NDArray[np.uint8]
Video = Clip | str | Path | NDArray[np.uint8] | Iterable[NDArray[np.uint8]] | int
"""A clip, a file, frames (frames, height, width, 3), an iterator of frames, a camera's index."""


@dataclass(frozen=True)
class Selection:
    """Which part of a video is meant.

    ``start_s`` and ``end_s`` are seconds after the first frame (end not included; None is the
    video's own), ``stride`` keeps every n-th frame of these, ``resize_hw`` scales frames to
    (height, width), ``max_frames`` ends after that many kept frames.
    """

    start_s: float = 0.0
    end_s: float | None = None
    stride: int = 1
    resize_hw: tuple[int, int] | None = None
    max_frames: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where a value is out of range."""
        if not self.start_s >= 0:
            raise UsageError(f"start is {self.start_s} s; it must be 0 or more.")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise UsageError(
                f"end is {self.end_s} s; it must be after start, which is {self.start_s} s."
            )
        if self.stride < 1:
            raise UsageError(f"stride is {self.stride}; it must be at least 1.")
        if self.resize_hw is not None and min(self.resize_hw) < 1:
            raise UsageError(f"resize is {self.resize_hw}; both must be at least 1 pixel.")
        if self.max_frames is not None and self.max_frames < 1:
            raise UsageError(f"max_frames is {self.max_frames}; it must be at least 1.")


class FrameSource:
    """Frames that are read in order, and, where ``rereadable``, again from anywhere.

    Attributes:
        fps: frames a second of what is kept.
        frames_hint: about how many frames there will be; None where nobody knows.
        warnings: what was wrong so far.
    """

    def __init__(
        self,
        timed: Callable[[float | None], Iterator[tuple[float, Frame]]],
        selection: Selection,
        *,
        fps: float,
        frames_hint: int | None,
        warnings: list[str],
        rereadable: bool,
    ) -> None:
        """Use ``open_source``. ``timed`` gives (seconds, frame), near a time where it is given."""
        self.fps = fps / selection.stride
        self.warnings = warnings
        self.rereadable = rereadable
        self.frames_hint = _kept(frames_hint, fps, selection)
        self._timed = timed
        self._selection = selection
        self._times: list[float] = []
        self._read_to_the_end = False
        self._spool: IO[bytes] | None = None
        self._shape: tuple[int, ...] = ()
        self._reading: Iterator[Frame] | None = None
        self._early: list[Frame] = []

    def keep(self, already: Iterable[Frame] = ()) -> None:
        """Copy the frames of a source that cannot be read twice to a temporary file.

        ``already`` are those that were read before this call.
        """
        if not self.rereadable and self._spool is None:
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115
            for frame in already:
                self._spool_frame(frame)

    def close(self) -> None:
        """Give the temporary file back, where there is one."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def read_early(self, count: int) -> None:
        """Read up to that many frames now, which ``frames`` still gives.

        Raises:
            VideoError: there are none, or one is malformed.
        """
        if self._reading is None:
            self._reading = self._read()
        self._early += itertools.islice(self._reading, count - len(self._early))

    def frame_hw(self) -> tuple[int, int]:
        """Height and width of every frame; reads the first one, which ``frames`` still gives.

        Raises:
            VideoError: there is none, or it is malformed.
        """
        height, width = self.first_frame().shape[:2]
        return height, width

    def first_frame(self) -> Frame:
        """Frame 0, which ``frames`` still gives.

        Raises:
            VideoError: there is none, or it is malformed.
        """
        if not self._early:
            self.read_early(1)
        return self._early[0]

    def frames(self) -> Iterator[Frame]:
        """Every kept frame, uint8 (height, width, 3), all of one size.

        Raises:
            VideoError: there are none, or one is malformed.
        """
        reading, early = self._reading, self._early
        self._reading, self._early = None, []
        if reading is None:
            return self._read()
        return itertools.chain(_given_away(early), reading)

    def _read(self) -> Iterator[Frame]:
        self._times, self._read_to_the_end = [], False
        for time_s, frame in self._chosen(self._timed(None)):
            self._times.append(time_s)
            if self._spool is not None:
                self._spool_frame(frame)
            yield frame
        if not self._times:
            raise VideoError(
                "No frame is left: the video ends before the start that was asked for."
                if self._selection.start_s
                else "The video has no frames."
            )
        self._read_to_the_end = True

    @property
    def frames_read(self) -> int:
        """How many frames there are; 0 before they were all read."""
        return len(self._times) if self._read_to_the_end else 0

    def read_through(self) -> int:
        """Read every frame of a rereadable source and drop it; returns how many there are.

        ``frames_between`` and ``part`` know from then on where each frame is.
        """
        return sum(1 for _ in self.frames())

    def part(self, first: int, end: int) -> FrameSource:
        """Frames ``first`` to ``end - 1``, after all were read, as a source of their own."""

        def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
            # Times are indices: exact, and in order whatever the file's own are.
            start = first if seek_s is None else first + int(seek_s)
            for begin in range(start, end, _BLOCK):
                block = self.frames_between(begin, min(begin + _BLOCK, end))
                for index, frame in enumerate(block, begin - first):
                    yield float(index), frame

        return FrameSource(
            timed,
            Selection(),
            fps=self.fps,
            frames_hint=end - first,
            warnings=[],
            rereadable=True,
        )

    def count(self) -> int:
        """How many frames there are, by reading a rereadable source once more."""
        return sum(1 for _ in self._chosen(self._timed(None)))

    def frames_between(self, first: int, end: int) -> list[Frame]:
        """Frames ``first`` to ``end - 1`` once more, after all were read.

        Raises:
            UsageError: the source can be read once only and ``keep`` was not called.
            VideoError: the file gives other frames than before.
        """
        if self._spool is not None:
            return self._spooled(first, end)
        if not self.rereadable:
            raise UsageError("These frames can be read once only; pass a file or an array.")
        wanted = self._times[first:end]
        for seek_s in (wanted[0], None):
            found: list[Frame] = []
            for time_s, frame in self._timed(seek_s):
                if len(found) < len(wanted) and time_s == wanted[len(found)]:
                    found.append(self._resized(frame))
                elif time_s > wanted[-1]:
                    break
                if len(found) == len(wanted):
                    return found
        raise VideoError("The video gives other frames when it is read again.")

    def _chosen(self, timed: Iterator[tuple[float, Frame]]) -> Iterator[tuple[float, Frame]]:
        chosen, origin, seen, kept = self._selection, None, 0, 0
        for time_s, frame in timed:
            origin = time_s if origin is None else origin
            # Half a microsecond: times are multiples of a time base, rounded.
            since = time_s - origin + 5e-7
            if since < chosen.start_s:
                continue
            if chosen.end_s is not None and since >= chosen.end_s:
                return
            if seen % chosen.stride == 0:
                yield time_s, self._resized(frame)
                kept += 1
                if kept == chosen.max_frames:
                    return
            seen += 1

    def _resized(self, frame: Frame) -> Frame:
        size = self._selection.resize_hw
        if size is not None and frame.shape[:2] != size:
            shrinks = size[0] * size[1] < frame.shape[0] * frame.shape[1]
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            frame = cv2.resize(frame, (size[1], size[0]), interpolation=how).astype(np.uint8)
        check_frames(frame[None])
        self._shape = self._shape or frame.shape
        if frame.shape != self._shape:
            raise VideoError(
                f"A frame has shape {frame.shape} where the first one had {self._shape}; all must "
                "be of one size. resize_hw scales them."
            )
        return frame

    def _spool_frame(self, frame: Frame) -> None:
        assert self._spool is not None
        try:
            self._spool.write(np.ascontiguousarray(frame).data)
        except OSError as error:
            raise OutputError(
                f"Cannot keep the frames in {tempfile.gettempdir()}: {error.strerror or error}. "
                "Points that begin late are tracked backwards, for which a stream has to be kept; "
                "set TMPDIR to a folder with room, or give points on the first frames only."
            ) from error

    def _spooled(self, first: int, end: int) -> list[Frame]:
        assert self._spool is not None
        size = int(np.prod(self._shape))
        self._spool.flush()
        self._spool.seek(first * size)
        content = self._spool.read((end - first) * size)
        frames = np.frombuffer(content, np.uint8).reshape(-1, *self._shape)
        return list(frames)


def _given_away(frames: list[Frame]) -> Iterator[Frame]:
    """The frames in order, each dropped as it is given."""
    frames.reverse()
    while frames:
        yield frames.pop()


def open_source(video: Video, selection: Selection | None = None) -> FrameSource:
    """A source of frames over anything that holds them.

    Args:
        video: see ``Video``. An iterator (and a camera) can be read once; a camera needs
            ``max_frames``.
        selection: which part of it; None is all.

    Raises:
        VideoError: it cannot be read, or the frames of an array are not uint8 (.., .., .., 3).
        UsageError: a camera without a limit.
    """
    selection = selection or Selection()
    if isinstance(video, str | Path):
        return _file_source(Path(video), selection)
    if isinstance(video, bool | int):
        return _camera_source(int(video), selection)
    if isinstance(video, np.ndarray):
        video = Clip(video, DEFAULT_FPS)
    if isinstance(video, Clip):
        return _clip_source(video, selection)
    frames = enumerate(video)

    def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        for index, frame in frames:
            if not isinstance(frame, np.ndarray):
                raise VideoError(f"Frame {index} is {type(frame).__name__}, not a uint8 array.")
            yield index / DEFAULT_FPS, frame

    return FrameSource(
        once, selection, fps=DEFAULT_FPS, frames_hint=None, warnings=[], rereadable=False
    )


def parse_size(text: str) -> tuple[int, int]:
    """Read ``HxW`` as (height, width) in pixels.

    Raises:
        UsageError: it is anything else.
    """
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise UsageError(f"A size is HxW in pixels, like 480x640, not {text!r}.")
    return int(match[1]), int(match[2])


def _file_source(path: Path, selection: Selection) -> FrameSource:
    reader = VideoReader(path)
    return FrameSource(
        reader.frames,
        selection,
        fps=reader.fps,
        frames_hint=reader.frames_hint,
        warnings=reader.warnings,
        rereadable=True,
    )


def _clip_source(clip: Clip, selection: Selection) -> FrameSource:
    check_frames(clip.frames_rgb)

    def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        first = 0 if seek_s is None else int(seek_s * clip.fps)
        for index in range(first, len(clip.frames_rgb)):
            yield index / clip.fps, clip.frames_rgb[index]

    return FrameSource(
        timed,
        selection,
        fps=clip.fps,
        frames_hint=len(clip.frames_rgb),
        warnings=list(clip.warnings),
        rereadable=True,
    )


def _camera_source(index: int, selection: Selection) -> FrameSource:
    if selection.max_frames is None:
        raise UsageError("A camera never ends; say how many frames to take (max_frames).")
    camera = cv2.VideoCapture(index)
    if not camera.isOpened():
        raise VideoError(f"There is no camera {index}, or it is in use.")
    fps = float(camera.get(cv2.CAP_PROP_FPS))
    fps = fps if 0 < fps < 1000 else DEFAULT_FPS

    def once(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
        count = 0
        try:
            while True:
                there, image = camera.read()
                if not there:
                    return
                yield count / fps, cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)
                count += 1
        finally:
            camera.release()

    return FrameSource(once, selection, fps=fps, frames_hint=None, warnings=[], rereadable=False)


def _kept(frames: int | None, fps: float, selection: Selection) -> int | None:
    if frames is None:
        return selection.max_frames
    last = frames if selection.end_s is None else min(frames, round(selection.end_s * fps))
    kept = -(-max(0, last - round(selection.start_s * fps)) // selection.stride)
    return kept if selection.max_frames is None else min(kept, selection.max_frames)
