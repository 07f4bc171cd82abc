"""How many frames a second a film has, where its header does not tell or tells something else."""

from __future__ import annotations

import re
from contextlib import suppress

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

__all__ = ["DEFAULT_FPS", "average_rate", "read_frame_rate", "read_seconds"]

DEFAULT_FPS = 25.0
"""Where a file does not tell its frame rate."""
_LOOKED_AT = 64
"""Coded frames whose time stamps are compared to the header."""
_CONSTANT = 0.9
"""The share of equal steps from which a rate is called constant."""
_NEARLY = 0.02
"""How far, as a share, a header's rate may be from the stamps: those are rounded."""


def read_frame_rate(container: InputContainer, stream: VideoStream) -> float:
    """Frames a second, as the header says, or the time stamps where they say another rate.

    It reads the first packets: the container stands behind them afterwards.
    """
    said = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    stamps, at_end = _first_stamps(container, stream)
    if len(stamps) < 3:
        return said[0] if said else DEFAULT_FPS
    measured = _rate_of(np.array(stamps))
    for rate in said:
        if _near(rate, measured):
            return rate
    if stream.average_rate and stream.frames and not at_end:
        # A count and a length, of a film whose beginning is faster or slower than the rest.
        return said[0]
    return measured


def average_rate(time_s: NDArray[np.float64], fps: float) -> float:
    """``fps``, or the frames a second that the times have where that is another.

    Args:
        time_s: float64 (frames,), rising.
        fps: what was said before.
    """
    if len(time_s) < 3:
        return fps
    measured = _rate_of(time_s)
    return fps if _near(fps, measured) else measured


def read_seconds(text: str) -> float | None:
    """``hh:mm:ss.fff`` in seconds; None where it is anything else."""
    match = re.fullmatch(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,12})?)", text.strip())
    return None if match is None else int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def _rate_of(time_s: NDArray[np.float64]) -> float:
    """Of a constant rate one over its step, whatever is lost in between; else the average."""
    steps = np.diff(time_s)
    usual = float(np.median(steps))
    # Clocks that count in thousandths of a second round each step by up to one.
    alike = np.abs(steps - usual) <= max(1.1e-3, 0.02 * usual)
    if alike.mean() >= _CONSTANT:
        return float(1 / steps[alike].mean())
    return float(len(steps) / (time_s[-1] - time_s[0]))


def _near(rate: float, measured: float) -> bool:
    return abs(rate - measured) <= _NEARLY * measured


def _first_stamps(container: InputContainer, stream: VideoStream) -> tuple[list[float], bool]:
    """When the first frames are shown, in order; and whether these are all."""
    stamps: list[float] = []
    count, tick_s = 0, float(stream.time_base or 0)
    with suppress(av.FFmpegError, OSError, ValueError):  # whoever reads the frames says so
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                stamps.append(packet.pts * tick_s)
            count += packet.size > 0
            if count == _LOOKED_AT:
                return sorted(set(stamps))[:-8], False  # frames shown before the last may follow
    return sorted(set(stamps)), True
