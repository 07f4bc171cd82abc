"""Which part of a video is meant: by time, every n-th frame, another size.

What is chosen is the video from then on: frame 0 is the first that is kept, and pixels are those
after the resize.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, TypeVar

from locoexport.errors import UsageError
from locoexport.runtime.decoding.damage import OnDamage, check_on_damage

__all__ = ["Selection", "check_fps", "parse_size"]

Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Selection:
    """Which part of a video is meant.

    ``start_s`` and ``end_s`` are seconds after the first frame (end not included; None is the
    video's own), ``stride`` keeps every n-th frame of these, ``resize_hw`` scales frames to
    (height, width), ``max_frames`` ends after that many kept frames, ``deinterlace`` makes
    frames of one time of a file's interlaced ones. ``on_damage`` says whether a damaged file ends
    before the damage (``stop``) or goes on (``continue``), the last good frame standing in place of
    each that is lost.
    """

    start_s: float = 0.0
    end_s: float | None = None
    stride: int = 1
    resize_hw: tuple[int, int] | None = None
    max_frames: int | None = None
    deinterlace: bool = False
    on_damage: OnDamage = "stop"

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
        check_on_damage(self.on_damage)

    def described(self) -> dict[str, Any]:
        """What decides which frames are kept, for records; newer fields are left out at their
        defaults, so that records of earlier versions still match."""
        values = asdict(self)
        if self.on_damage == "stop":
            del values["on_damage"]
        if not self.deinterlace:
            del values["deinterlace"]
        return values

    def choose(self, timed: Iterator[tuple[float, Frame]]) -> Iterator[tuple[float, Frame]]:
        """Those of all (seconds, frame) of a video that are kept; their size stays as it is."""
        origin, seen, kept = None, 0, 0
        for time_s, frame in timed:
            origin = time_s if origin is None else origin
            # Half a microsecond: times are multiples of a time base, rounded.
            since = time_s - origin + 5e-7
            if since < self.start_s:
                continue
            if self.end_s is not None and since >= self.end_s:
                return
            if seen % self.stride == 0:
                yield time_s, frame
                kept += 1
                if kept == self.max_frames:
                    return
            seen += 1

    def count_kept(self, frames: int | None, fps: float) -> int | None:
        """About how many frames are kept of so many, at ``fps`` a second; None is unknown."""
        if frames is None:
            return self.max_frames
        last = frames if self.end_s is None else min(frames, round(self.end_s * fps))
        kept = -(-max(0, last - round(self.start_s * fps)) // self.stride)
        return kept if self.max_frames is None else min(kept, self.max_frames)


def parse_size(text: str) -> tuple[int, int]:
    """Read ``HxW`` as (height, width) in pixels.

    Raises:
        UsageError: it is anything else.
    """
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise UsageError(f"A size is HxW in pixels, like 480x640, not {text!r}.")
    return int(match[1]), int(match[2])


def check_fps(fps: object) -> float:
    """A frame rate, as a float.

    Raises:
        UsageError: it is no finite number above 0.
    """
    is_number = isinstance(fps, Real) and not isinstance(fps, bool)
    if not is_number or not (math.isfinite(float(fps)) and float(fps) > 0):  # type: ignore[arg-type]
        raise UsageError(
            f"fps is {fps!r}; it must be a number above 0. Some cameras say 0 where they do not "
            "know: leave it out, or give the rate that you know."
        )
    return float(fps)  # type: ignore[arg-type]
