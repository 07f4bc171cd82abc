"""How much memory the model takes, measured, and what fits into a limit.

The peak of a run is ``frames · max(frame, refine + point · points)``: the encoder's activations and
those of the refinement are never alive together, and both grow in step with the frames. The three
numbers hang on the file and on the processor (ONNX Runtime pads channels to what it computes at
once), so they are measured for each; docs/long-videos.md has those of b0-tiny.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError, VideoError
from locoexport.machine.hardware import peak_memory, process_memory, reset_peak_memory
from locoexport.runtime.session.opening import Model
from locoexport.runtime.session.signature import Signature
from locoexport.runtime.session.split import SplitSession
from locoexport.runtime.tracking.windows import DEFAULT_WINDOW, WindowSize

__all__ = [
    "MemoryLimit",
    "MemoryModel",
    "Plan",
    "check_frames_fit",
    "make_plan",
    "measure_memory",
    "parse_memory",
]

_SAFETY = 1.2
"""Above what calls exceed the formula by (docs/long-videos.md; 1.13 was the most in any version):
ONNX Runtime's arena grows in steps."""
_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_UNITS |= {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_PROBE_FRAMES, _FEW, _SOME, _MANY = 8, 1, 128, 256
_SHORTEST, _STEP, _GOOD_CHUNK, _LARGEST_CHUNK = 8, 8, 64, 1024
_SPLIT_CHUNK = 32
"""Points a call of split files: their frames are encoded once however many calls follow, and 32
points take as long each as 233 (11.2 ms and 11.2 ms in 48 frames of 128x128, 9.2 and 8.9 ms in 32
of 256x256, b0-tiny, two threads), so that memory is better spent on longer windows."""
_GROWTH = 0.05
"""Of a limit, left free by a plan: over thousands of frames peaks rise (docs/long-videos.md)."""
_SHRINK = 0.9
"""Of the points a call, where a peak was higher than planned."""
_WINDOWS_ALIVE = 3
"""Copies of a window as the model takes it: the one tracked, the next, and one with anchors."""
_FRAMES_ALIVE = 4
"""Decoded frames, in windows: the one tracked, the next, those being drawn, and the decoder's."""


@dataclass(frozen=True)
class MemoryModel:
    """Bytes a frame of the encoder, a frame of the refinement, and a point in a frame."""

    frame: float
    refine: float
    point: float

    def run_bytes(self, frames: int, points: int) -> float:
        """What a run takes at most."""
        return _SAFETY * frames * max(self.frame, self.refine + self.point * points)


@dataclass(frozen=True)
class Plan:
    """How a video goes through the model."""

    size: WindowSize
    points_per_call: int


@dataclass(eq=False)
class MemoryLimit:
    """A limit in the course of one run: what was planned, and what the process really took.

    Attributes:
        limit_bytes: for the process, besides the model.
        model_bytes: of the model.
    """

    limit_bytes: int
    model_bytes: int
    _highest: int = 0

    @property
    def planned_bytes(self) -> float:
        """What a plan may use, of the limit."""
        return self.limit_bytes * (1 - _GROWTH)

    def revise(self, plan: Plan, peak_bytes: int) -> Plan:
        """The plan for the windows to come: fewer points a call, where the peak rose too high.

        Heaps fragment, so that the same call takes more in the thousandth window than in the first.
        The number of points a call changes no track; that of frames would.

        Args:
            plan: that of the window that is over.
            peak_bytes: the most that the process held so far.
        """
        rose = peak_bytes > self._highest
        self._highest = max(self._highest, peak_bytes)
        if not rose or peak_bytes <= self.planned_bytes + self.model_bytes:
            return plan
        return replace(plan, points_per_call=max(1, int(plan.points_per_call * _SHRINK)))


def parse_memory(text: str) -> int:
    """Bytes of ``1GiB``, ``800MB`` or ``1500000000``.

    Raises:
        UsageError: it is none of these.
    """
    number = text.strip().rstrip("BKMGTibkmgt")
    unit = text.strip()[len(number) :].upper()
    try:
        size = int(float(number) * _UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        raise UsageError(f"Memory is given like 1GiB, 800MB or 1500000000, not {text!r}.") from None
    if size <= 0:
        raise UsageError(f"Memory is {text}; it must be more than nothing.")
    return size


def measure_memory(model: Model) -> MemoryModel:
    """Run the model three times on noise, smallest first, and see what this process takes.

    The measure is wrong where other threads allocate meanwhile. Outside Linux a process cannot
    forget an old peak; there it is too low where the process held more before than now.
    """
    frames = model.fixed_frames or _PROBE_FRAMES
    fixed = model.fixed_points
    rng = np.random.default_rng(0)
    shape = (1, frames, *model.resolution_hw, 3)
    video: NDArray[Any] = rng.random(shape, np.float32) * 2 - 1
    if model.signature.input_type == "uint8":  # a frame's size hardly matters: it is read in place
        video = rng.integers(0, 256, shape, np.uint8)
    grown = []
    for points in (_FEW, _SOME, _MANY) if fixed is None else (fixed,):
        queries = rng.random((1, points, 3)) * (0, *model.resolution_hw)
        reset_peak_memory()
        before = process_memory()
        model.run(video, queries.astype(np.float32), release_memory=True)
        grown.append((peak_memory() - before) / frames)
    if fixed is not None:
        return MemoryModel(grown[0], 0.0, 0.0)
    few, some, many = grown
    point = max(0.0, many - some) / (_MANY - _SOME)
    return MemoryModel(few, max(0.0, many - point * _MANY), point)


def check_frames_fit(
    frames: int, frame_hw: tuple[int, int], takes: Signature, available_bytes: int
) -> None:
    """Refuse a video of which this machine cannot even hold the frames of a window.

    Args:
        frames: decoded at once.
        frame_hw: height and width of each.
        takes: what the model is given besides: a copy at its own resolution.
        available_bytes: that are free on this machine.

    Raises:
        VideoError: they are larger than that.
    """
    height, width = frame_hw
    copied = takes.resolution_hw[0] * takes.resolution_hw[1] * 12
    copied = height * width * 3 if takes.input_type == "uint8" else copied
    needed = frames * (height * width * 3 + copied)
    if needed > available_bytes:
        raise VideoError(
            f"{frames} frames of {width}x{height} pixels, which are held at once, and what the "
            f"model takes of them need {needed / 1e9:.1f} GB; this machine has "
            f"{available_bytes / 1e9:.1f} GB free. Scale them down (--resize), or take fewer at a "
            "time (--window)."
        )


def make_plan(
    model: Model,
    memory: MemoryModel,
    free_bytes: float,
    *,
    points: int,
    frame_bytes: int,
    window: int | None,
) -> Plan:
    """The longest window up to the usual one, and as many points a call as fit beside it.

    Args:
        model: for its resolution and what it is fixed to.
        memory: of that model.
        free_bytes: for all that tracking needs, beyond what the process holds already.
        points: how many there are.
        frame_bytes: of one decoded frame.
        window: frames a window has to have; None leaves it to the plan.

    Raises:
        UsageError: not even the smallest run fits.
    """
    height, width = model.resolution_hw
    taken = frame_bytes if model.signature.input_type == "uint8" else height * width * 12
    a_frame = _WINDOWS_ALIVE * taken + _FRAMES_ALIVE * frame_bytes
    given = model.fixed_frames or window
    choices = [given] if given else list(range(DEFAULT_WINDOW, _SHORTEST - 1, -_STEP))
    split = isinstance(model, SplitSession)
    good, largest = (_SPLIT_CHUNK,) * 2 if split else (_GOOD_CHUNK, _LARGEST_CHUNK)
    best: tuple[int, int] | None = None
    for frames in choices:
        fit = _points_that_fit(memory, frames, free_bytes - frames * a_frame)
        if model.fixed_points is not None:
            fit = model.fixed_points if fit >= model.fixed_points else 0
        else:
            fit = min(fit, largest)
        if fit > 0 and (best is None or fit > best[1]):
            best = (frames, fit)
        if fit >= min(points, good):
            break
    if best is None:
        least = choices[-1]
        needed = memory.run_bytes(least, model.fixed_points or 1) + least * a_frame
        raise UsageError(
            f"The memory that was allowed leaves {max(0, free_bytes) / 1e6:.0f} MB for tracking, "
            f"and {least} frames at a time need {needed / 1e6:.0f} MB. Allow at least "
            f"{(needed - free_bytes) / 1e6:.0f} MB more."
        )
    return Plan(WindowSize.of(best[0]), best[1])


def _points_that_fit(memory: MemoryModel, frames: int, free_bytes: float) -> int:
    if memory.run_bytes(frames, 1) > free_bytes:
        return 0
    if memory.point <= 0:
        return _LARGEST_CHUNK
    return max(1, int((free_bytes / _SAFETY / frames - memory.refine) / memory.point))
