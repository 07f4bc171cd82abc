"""Frames whose odd and even lines are of two times, made frames of one time.

FFmpeg's filter bwdif, a frame for a frame: of the two times of a frame the first is kept, and the
lines of the other are drawn from their neighbours in place and time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import cast

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from locoexport.runtime.picture.streams import ffmpeg_threads

__all__ = ["deinterlace"]

_FILTER = "bwdif"
_HOW = "mode=send_frame:parity=auto:deint=all"
"""All frames: grabbers and converters often lose the flag that says which are interlaced."""
_LEAST_PIXELS = 4
"""Of a side; the filter takes no smaller frames."""


def deinterlace(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """As many frames as come in, in their order, each with its own time stamps.

    One frame is read ahead: each is drawn with the help of those before and after it. The first
    after a seek has none before it, and comes out another way than in a run from the start.
    """
    run: _Run | None = None
    for frame in frames:
        if run is not None and not run.takes(frame):
            yield from run.finish()
            run = None
        if min(frame.width, frame.height) < _LEAST_PIXELS:
            yield frame
            continue
        if run is None:
            run = _Run(frame)
        yield from run.put(frame)
    if run is not None:
        yield from run.finish()


class _Run:
    """The filter over frames of one size and format."""

    def __init__(self, frame: VideoFrame) -> None:
        self._kind = _kind(frame)
        self._graph = Graph()
        self._graph.threads = ffmpeg_threads()
        self._source = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        )
        bwdif = self._graph.add(_FILTER, _HOW)
        self._sink = self._graph.add("buffersink")
        self._source.link_to(bwdif)
        bwdif.link_to(self._sink)
        self._graph.configure()
        self._waiting: deque[VideoFrame] = deque()

    def takes(self, frame: VideoFrame) -> bool:
        return self._kind == _kind(frame)

    def put(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        self._waiting.append(frame)
        self._source.push(frame)
        yield from self._pulled()

    def finish(self) -> Iterator[VideoFrame]:
        self._source.push(None)
        yield from self._pulled()

    def _pulled(self) -> Iterator[VideoFrame]:
        while True:
            try:
                drawn = cast(VideoFrame, self._sink.pull())
            except (av.BlockingIOError, av.EOFError):
                return
            # The filter counts in halves of the time base, and knows no stamp of the file's.
            stored = self._waiting.popleft()
            drawn.pts, drawn.dts, drawn.time_base = stored.pts, stored.dts, stored.time_base
            drawn.duration = stored.duration
            drawn.colorspace, drawn.color_range = stored.colorspace, stored.color_range
            yield drawn


def _kind(frame: VideoFrame) -> tuple[object, ...]:
    return frame.width, frame.height, frame.format.name
