"""Frames for a live tracker, read in a thread: every one, or the newest alone as cameras are."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType

from locoexport.runtime.video.frame_source import Frame, FrameSource

__all__ = ["FedFrame", "FrameFeed"]

_POLL_S = 0.1


@dataclass(frozen=True, eq=False)
class FedFrame:
    """A frame to be answered.

    Attributes:
        rgb: uint8 (height, width, 3).
        number: in the source, from 0; those that were dropped are counted.
        time_s: when it is shown, in seconds after the source's first frame.
    """

    rgb: Frame
    number: int
    time_s: float


class FrameFeed:
    """The frames of a source, the next of which is read while one is answered.

    One frame waits at most. Where frames are dropped, a newer one takes its place; else the reading
    waits. To be used in a ``with`` block, which ends the thread.
    """

    def __init__(self, source: FrameSource, *, drops: bool, paced: bool) -> None:
        """Args:
        source: that is read once.
        drops: whether a frame that nobody took is dropped for the next one.
        paced: whether frames come no sooner than their times say, as from a camera.
        """
        self._source = source
        source.forget()  # a camera has no end
        self._drops, self._paced = drops, paced
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._waiting: FedFrame | None = None
        self._failure: BaseException | None = None
        self._came = 0
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="live-feed", daemon=True)

    @property
    def came(self) -> int:
        """How many frames were taken or dropped so far; one that waits is neither."""
        with self._changed:
            return self._came - (self._waiting is not None)

    @property
    def ended(self) -> bool:
        """Whether no more frames come, none waits, and what the source failed with was raised."""
        with self._changed:
            return self._ended and self._waiting is None and self._failure is None

    def take(self, wait_s: float) -> FedFrame | None:
        """The frame that waits, or comes within that time; None where none does.

        Raises:
            VideoError: the source failed before its first frame, or one is malformed.
        """
        with self._changed:
            if self._waiting is None and not self._ended:
                self._changed.wait(wait_s)
            frame, self._waiting = self._waiting, None
            self._changed.notify_all()
            if frame is None and self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            return frame

    def _read(self) -> None:
        try:
            for number, rgb in enumerate(self._source.frames()):
                time_s = self._source.newest_time_s
                if number == 0:
                    begun_s = time.monotonic() - time_s
                elif self._paced:
                    self._closed.wait(max(0.0, begun_s + time_s - time.monotonic()))
                if not self._offer(FedFrame(rgb, number, time_s)):
                    return
        except BaseException as error:
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _offer(self, frame: FedFrame) -> bool:
        """Let it wait to be taken; False where nobody will."""
        with self._changed:
            while self._waiting is not None and not self._drops and not self._closed.is_set():
                self._changed.wait(_POLL_S)
            if self._closed.is_set():
                return False
            self._waiting = frame
            self._came += 1
            self._changed.notify_all()
            return True

    def __enter__(self) -> FrameFeed:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread and the source."""
        self._closed.set()
        self._source.stop()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(1.0)  # or never, where a frame that it waits for never comes
        self._source.close()
