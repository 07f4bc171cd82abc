"""Footage of any kind, read in one way: its chosen frames one by one, never a whole video."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.decoding.frame_rate import average_rate
from locoexport.runtime.video.frames import check_frames
from locoexport.runtime.video.selection import Selection
from locoexport.runtime.video.spool import Lookback, Spool

__all__ = ["Footage", "Frame", "FrameSource"]

_BLOCK = 48
"""Frames of a part that are read again at once."""

Frame = NDArray[np.uint8]


def _square() -> Fraction:
    return Fraction(1)


@dataclass(frozen=True, eq=False)
class Footage:
    """All that a kind of source has to give.

    Attributes:
        timed: gives (seconds, uint8 (height, width, 3)) of every frame in order; where it is given
            a time, from that or from somewhat before it on.
        fps: frames a second.
        frames_hint: about how many frames there are; None where nobody knows.
        rereadable: whether ``timed`` may be called again, and gives the same.
        warnings: what was wrong so far; it may grow while frames are read.
        repeated_s: times of frames that stand for lost ones; it may grow likewise.
        pixel_aspect: gives the width of a pixel to its height, once a frame was read.
        stop: ends the reading of a stream, whoever waits for it, as though it ended there.
        ended_early: whether frames behind the last one that was read are lost.
        findable: whether reading again from a time begins near that, after a first reading.
    """

    timed: Callable[[float | None], Iterator[tuple[float, Frame]]]
    fps: float
    frames_hint: int | None
    rereadable: bool
    warnings: list[str] = field(default_factory=list)
    repeated_s: set[float] = field(default_factory=set)
    pixel_aspect: Callable[[], Fraction] = _square
    stop: Callable[[], object] = lambda: None
    ended_early: Callable[[], bool] = lambda: False
    findable: Callable[[], bool] = lambda: True


class FrameSource:
    """Frames that are read in order, and, where ``rereadable``, again from anywhere.

    Attributes:
        fps: frames a second of what is kept.
        frames_hint: about how many frames there will be; None where nobody knows.
        warnings: what was wrong so far.
        stop: ends the reading of a stream, from any thread.
        on_read: called with the number of frames read, for each, in the thread that reads.
    """

    def __init__(self, footage: Footage, selection: Selection) -> None:
        """Use ``open_source``."""
        self.fps = footage.fps / selection.stride
        self.warnings = footage.warnings
        self.rereadable = footage.rereadable
        self.stop = footage.stop
        self.frames_hint = selection.count_kept(footage.frames_hint, footage.fps)
        self._timed = footage.timed
        self._repeated_s = footage.repeated_s
        self._findable = footage.findable
        self._ended_early = footage.ended_early
        self._lookback: Lookback | None = None
        self._pixel_aspect = footage.pixel_aspect
        self._unscaled_hw: tuple[int, int] | None = None
        self._selection = selection
        self._times: list[float] = []
        self._forgets, self._count = False, 0
        self._origin_s = 0.0
        self._read_to_the_end = False
        self._spool: Spool | None = None
        self._shape: tuple[int, ...] = ()
        self.on_read: Callable[[int], None] | None = None
        self._reading: Iterator[Frame] | None = None
        self._early: list[Frame] = []

    def keep(self, already: Iterable[Frame] = ()) -> None:
        """Copy the frames of a source that cannot be read twice to a temporary file.

        ``already`` are those that were read before this call.
        """
        if not self.rereadable and self._spool is None:
            self._spool = Spool()
            for frame in already:
                self._spool.write(frame)

    def forget(self) -> None:
        """Keep no frame's time but the first and the newest: for what may have no end.

        Those two are all of ``times_s`` then, and nothing but ``frames_read``, ``newest_time_s``
        and ``span_s`` is of the whole.
        """
        self._forgets = True

    def close(self) -> None:
        """Give the temporary file back, where there is one."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        if self._lookback is not None:
            self._lookback.close()
            self._lookback = None

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

    @property
    def frame_shape_hw(self) -> tuple[int, int] | None:
        """Height and width of the frames read so far; None before the first."""
        return (self._shape[0], self._shape[1]) if self._shape else None

    def pixel_aspect(self) -> Fraction:
        """Width of a pixel of the frames to its height; reads the first one where none was read.

        Frames and coordinates are in these pixels; whoever shows frames makes them so much wider.
        Square pixels that are scaled (``resize_hw``) count as square again.

        Raises:
            VideoError: there is none, or it is malformed.
        """
        if not self._shape:
            self.first_frame()
        height, width = self._shape[:2]
        aspect = self._pixel_aspect()
        if aspect == 1 or self._unscaled_hw is None:
            return aspect
        return aspect * Fraction(self._unscaled_hw[1] * height, self._unscaled_hw[0] * width)

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

    @property
    def frames_read(self) -> int:
        """How many frames there are; 0 before they were all read."""
        return self._count if self._read_to_the_end else 0

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame read so far is shown: float64, seconds after the footage's first frame,
        of which nothing was left out at the start."""
        return np.round(np.array(tuple(self._times), np.float64) - self._origin_s, 9)

    @property
    def newest_time_s(self) -> float:
        """When the frame that was read last is shown, as ``times_s`` has it; 0 before the first."""
        return round(self._times[-1] - self._origin_s, 9) if self._times else 0.0

    @property
    def frames_repeated(self) -> tuple[int, ...]:
        """Which of the frames read so far stand for one that is lost: they show the one before."""
        repeated = self._repeated_s
        return tuple(i for i, time_s in enumerate(self._times) if time_s in repeated)

    @property
    def ended_early(self) -> bool:
        """Whether the footage, as far as it was read, is damaged or was cut short at its end."""
        return self._ended_early()

    @property
    def average_fps(self) -> float:
        """Frames a second of those read so far: ``fps``, or what their times say instead."""
        return average_rate(self.times_s, self.fps)

    @property
    def span_s(self) -> tuple[float, float]:
        """When the first frame that was read begins and the last one ends, on the clip's clock."""
        return self._times[0], self._times[-1] + 1 / self.fps

    def read_through(self) -> int:
        """Read every frame of a rereadable source and drop it; returns how many there are.

        ``frames_between`` and ``part`` know from then on where each frame is.
        """
        return sum(1 for _ in self.frames())

    def count(self) -> int:
        """How many frames there are, by reading a rereadable source once more."""
        return sum(1 for _ in self._chosen())

    def part(self, first: int, end: int) -> FrameSource:
        """Frames ``first`` to ``end - 1``, after all were read, as a source of their own."""

        def timed(seek_s: float | None) -> Iterator[tuple[float, Frame]]:
            # Times are counted: each once, and in order whatever the file's own are.
            start = first if seek_s is None else first + round(seek_s * self.fps)
            for begin in range(start, end, _BLOCK):
                block = self.frames_between(begin, min(begin + _BLOCK, end))
                for index, frame in enumerate(block, begin - first):
                    yield index / self.fps, frame

        return FrameSource(Footage(timed, self.fps, end - first, rereadable=True), Selection())

    def frames_between(self, first: int, end: int) -> list[Frame]:
        """Frames ``first`` to ``end - 1`` once more, after all were read.

        Raises:
            UsageError: the source can be read once only and ``keep`` was not called.
            VideoError: the file gives other frames than before.
        """
        if self._spool is not None:
            return self._spool.read(first, end)
        if not self.rereadable:
            raise UsageError("These frames can be read only once; pass a file or an array.")
        if not self._findable():
            if self._lookback is None:
                self._lookback = Lookback(len(self._times), self._take)
            return self._lookback.read(first, end, int(np.prod(self._shape)))
        wanted = self._times[first:end]
        # Where the file's index leads astray, from its beginning.
        for seek_s in (wanted[0], None):
            found = list(self._found_again(wanted, seek_s))
            if len(found) == len(wanted):
                return found
        raise VideoError("The video gives different frames when it is read again.")

    def _take(self, first: int, end: int, keep: Callable[[Frame], None]) -> None:
        """Hand on frames ``first`` to ``end - 1``, read from the beginning.

        Raises:
            VideoError: the file gives other frames than before.
        """
        taken = 0
        for frame in self._found_again(self._times[first:end], None):
            keep(frame)
            taken += 1
        if taken != end - first:
            raise VideoError("The video gives different frames when it is read again.")

    def _found_again(self, wanted: list[float], seek_s: float | None) -> Iterator[Frame]:
        """The frames of those times, as far as they are there when read from ``seek_s`` on."""
        found = 0
        for time_s, frame in self._timed(seek_s):
            if time_s == wanted[found]:
                found += 1
                yield self._resized(frame)
            elif time_s > wanted[-1]:
                return
            if found == len(wanted):
                return

    def _read(self) -> Iterator[Frame]:
        self._times, self._read_to_the_end = [], False
        self._count = 0
        for time_s, frame in self._until_it_fails():
            if self._forgets:
                del self._times[1:]
            self._times.append(time_s)
            self._count += 1
            if self.on_read is not None:
                self.on_read(self._count)
            if self._spool is not None:
                self._spool.write(frame)
            yield frame
        if not self._times:
            raise VideoError(
                "No frame is left: the video ends before the start that you chose."
                if self._selection.start_s
                else "The video has no frames."
            )
        self._read_to_the_end = True

    def _until_it_fails(self) -> Iterator[tuple[float, Frame]]:
        """The chosen frames. A stream that fails ends there with a warning: it comes once, and what
        came of it is not to be lost."""
        chosen = self._chosen()
        while True:
            try:
                item = next(chosen, None)
            except Exception as error:
                count = self._count
                if self.rereadable or not count:
                    raise
                said = str(error).rstrip(".") if isinstance(error, VideoError) else repr(error)
                self.warnings.append(
                    f"The stream failed after {count} frames, which were tracked: {said}."
                )
                return
            if item is None:
                return
            yield item

    def _chosen(self) -> Iterator[tuple[float, Frame]]:
        for time_s, frame in self._selection.choose(self._from_origin()):
            yield time_s, self._resized(frame)

    def _from_origin(self) -> Iterator[tuple[float, Frame]]:
        timed = self._timed(None)
        for first in itertools.islice(timed, 1):
            self._origin_s = first[0]
            yield first
        yield from timed

    def _resized(self, frame: Frame) -> Frame:
        size = self._selection.resize_hw
        self._unscaled_hw = self._unscaled_hw or (frame.shape[0], frame.shape[1])
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


def _given_away(frames: list[Frame]) -> Iterator[Frame]:
    """The frames in order, each dropped as it is given."""
    frames.reverse()
    while frames:
        yield frames.pop()
