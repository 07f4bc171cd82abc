"""Decoded frames in the order of display, and how many are missing before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from locoexport.runtime.decoding.packets import CodedFrame, read_coded_frames
from locoexport.runtime.decoding.timeline import Timeline

__all__ = ["FrameWatch", "Shown"]

_DECODER_FAILURES = (av.FFmpegError, OSError, ValueError, OverflowError, MemoryError)
"""What PyAV raises over damaged files."""
Filter = Callable[[Iterator[VideoFrame]], Iterator[VideoFrame]]
_NO_TIMESTAMPS = 0x80
"""FFmpeg's flag (AVFMT_NOTIMESTAMPS) of formats that hold coded frames and no more."""
_LOST = "frames are missing or incomplete"


@dataclass(frozen=True, eq=False)
class Shown:
    """What is shown next.

    Attributes:
        frame: a good frame; None at the end of a film whose last frames are lost.
        time_s: when it is shown, seconds on the file's clock.
        stamp: its time stamp in units of the stream; None where it has none.
        lost_s: when each frame would be shown that is lost before it.
        damaged: whether something is wrong between the last good frame and this one.
        uncounted: whether nobody can say how many frames are lost before it, and which it is.
        reason: what, as far as the decoder says.
    """

    frame: VideoFrame | None
    time_s: float
    stamp: int | None
    lost_s: tuple[float, ...] = ()
    damaged: bool = False
    uncounted: bool = False
    reason: str = ""


class FrameWatch:
    """Gives the good frames of a stream, and says where others are lost.

    After a hole the decoder goes on with what it has: the frames up to the next key frame look
    like frames and are none. They count as lost.

    Attributes:
        dropped: frames at the beginning that need an earlier one which the file does not hold.
        spoilt: whether the first frames are damaged, and were left out.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        fps: float,
        *,
        needs_key: bool = True,
        live: bool = False,
        through: Filter | None = None,
    ) -> None:
        """Watch a stream that nothing was read from since it was opened, or set to a place.

        Args:
            container: the open file.
            stream: of it.
            fps: frames a second, to count by where there are no time stamps.
            needs_key: whether frames before the first key frame are dropped. A film may have none.
            live: whether the stream comes as it is made; a failure of its connection is raised.
            through: what all decoded frames go through, each of which keeps its time stamp and
                flags; a deinterlacer, for one.
        """
        self._container = container
        self._stream = stream
        self._times = Timeline(fps, joinable=container.format.name in ("mpegts", "mpeg"))
        self._tick_s = float(stream.time_base or 0)
        self._needs_key = needs_key
        self._through = through
        self._live = live
        self._given = False
        # What was found wrong, and the latest stamp where; later good frames clear it.
        self._reason = ""
        self._reason_stamp = 0
        # A stream without times is counted by its frames, as far as none is lost.
        self._raw = bool(container.format.flags & _NO_TIMESTAMPS)
        # The first stamp from which nobody knows which frame is which.
        self._uncounted_from: int | None = None
        # Frames that are decoded from wrong ones: until the next key frame.
        self._smeared = False
        self._bad_stamps: set[int] = set()
        self._sent: set[int] = set()
        self._lost_stamps: list[int | None] = []
        self.dropped = 0
        self.spoilt = False

    @property
    def joined(self) -> bool:
        """Whether the file's clock was set anew somewhere: its stamps are not unique then."""
        return self._times.joined

    def shown(self) -> Iterator[Shown]:
        """All good frames in the order of display."""
        decoded = self._decoded()
        for frame in decoded if self._through is None else self._through(decoded):
            if self._is_good(frame):
                self._given = True
                yield self._next(frame)
            elif self._given:
                self._lost_stamps.append(frame.pts)
            else:
                self.spoilt |= bool(self._reason)
        last_s = self._times.last_s
        if self._reason and last_s is not None:
            lost_s = tuple(self._lost_at_the_end(last_s))
            yield Shown(None, last_s, None, lost_s, damaged=True, reason=self._reason)

    def _decoded(self) -> Iterator[VideoFrame]:
        seen_key, broken_run = False, False
        for coded in self._coded():
            packet = coded.packet
            if packet.is_keyframe:
                seen_key = True
            elif not seen_key and packet.size:
                self.dropped += 1
            self.dropped += packet.is_keyframe and coded.undecodable
            if coded.broken or coded.lost_before:
                broken_run = coded.broken or not packet.is_keyframe
                self._note(_LOST, packet, uncounted=coded.uncounted)
            elif packet.is_keyframe:
                broken_run = False
            if packet.pts is not None and packet.size and not packet.is_discard:
                self._sent.add(packet.pts)
                if broken_run:
                    self._bad_stamps.add(packet.pts)
            yield from self._frames_of(packet)

    def _coded(self) -> Iterator[CodedFrame]:
        try:
            yield from read_coded_frames(self._container, self._stream, live=self._live)
        except _DECODER_FAILURES as error:
            if self._live:
                raise  # it comes once: whoever reads it says how far it came
            self._note(_text_of(error), None)
            self._smeared = True

    def _frames_of(self, packet: Packet[VideoStream]) -> Iterator[VideoFrame]:
        try:
            yield from packet.decode()
        except _DECODER_FAILURES as error:
            # It need not be about this packet: decoders work on several at once.
            self._note(_text_of(error), packet)
            self._smeared |= packet.pts is None and packet.size > 0

    def _note(
        self, reason: str, packet: Packet[VideoStream] | None, *, uncounted: bool = False
    ) -> None:
        self._reason = self._reason or reason
        if packet is None or packet.pts is None:
            return
        self._reason_stamp = max(self._reason_stamp, packet.pts)
        if uncounted or self._raw:
            known = self._uncounted_from
            self._uncounted_from = packet.pts if known is None else min(known, packet.pts)

    def _is_good(self, frame: VideoFrame) -> bool:
        skipped = self._take_out(frame.pts)
        wrong = frame.is_corrupt or frame.pts in self._bad_stamps
        if wrong:
            self._reason = self._reason or "a frame is incomplete"
        if frame.key_frame:
            self._smeared = False
        elif not self._given and self.dropped and self._needs_key:
            return False
        if frame.pts is None and self._reason and not self._raw:
            return False  # the decoder may be right again, but nobody knows when this is shown
        self._smeared |= wrong or (skipped and bool(self._reason) and not frame.key_frame)
        return not self._smeared

    def _take_out(self, stamp: int | None) -> bool:
        """Note that a frame came out; returns whether one before it did not, and never will."""
        if stamp is None:
            return False
        earlier = {each for each in self._sent if each < stamp}
        self._sent -= earlier | {stamp}
        return bool(earlier) and self._given

    def _next(self, frame: VideoFrame) -> Shown:
        last_s, step_s = self._times.last_s, self._times.step_s
        joined = self._times.joined
        time_s = self._times.place(None if frame.pts is None else frame.pts * self._tick_s)
        lost_s: tuple[float, ...] = ()
        reason, wrong = self._reason, bool(self._lost_stamps)
        if last_s is None or self._times.joined != joined:
            reason = ""
        elif reason:
            count = max(0, round((time_s - last_s) / step_s) - 1)
            if frame.pts is None:
                count = len(self._lost_stamps)
            each_s = (time_s - last_s) / (count + 1)
            lost_s = tuple(last_s + each_s * (index + 1) for index in range(count))
            self._times.end_step(each_s)
        behind = frame.pts is None or frame.pts >= self._reason_stamp
        uncounted = bool(reason) and self._is_uncounted(frame, wrong=wrong)
        damaged = bool(reason) and (wrong or bool(lost_s) or uncounted)
        self._lost_stamps.clear()
        if behind and (damaged or frame.key_frame or last_s is None):
            self._reason, self._uncounted_from = "", None
        return Shown(
            *(frame, time_s, None if self._raw else frame.pts, lost_s, damaged, uncounted),
            reason=reason if damaged else "",
        )

    def _is_uncounted(self, frame: VideoFrame, *, wrong: bool) -> bool:
        if frame.pts is None or wrong:
            return self._raw or self._uncounted_from is not None
        return self._uncounted_from is not None and frame.pts >= self._uncounted_from

    def _lost_at_the_end(self, last_s: float) -> Iterator[float]:
        step_s, stamps = self._times.step_s, [*self._lost_stamps, *self._sent]
        ends = [stamp * self._tick_s for stamp in stamps if stamp is not None]
        count = round((max(ends, default=last_s) - last_s) / step_s)
        for index in range(count):
            yield last_s + step_s * (index + 1)


def _text_of(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
