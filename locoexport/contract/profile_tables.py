"""The tables of a profile: sizes of axes, tolerances, limits of precision, ranges of shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from locoexport.errors import ProfileError

__all__ = [
    "USUAL_LIMITS",
    "USUAL_RANGES",
    "AxisSizes",
    "Precision",
    "PrecisionLimits",
    "ShapeRanges",
    "Tolerance",
    "parse_axis",
]

Precision = Literal["fp32", "fp16", "int8"]
"""What a graph computes in; its inputs and outputs are float32 all the same."""


@dataclass(frozen=True)
class AxisSizes:
    """Sizes of the graph's free axes; None is dynamic."""

    batch: int | None = None
    frames: int | None = None
    points: int | None = None


@dataclass(frozen=True)
class Tolerance:
    """What parity may differ by, and where the figures come from.

    ``tracks_px`` in pixels of the working resolution, ``logits`` absolute.
    """

    tracks_px: float
    logits: float
    origin: str


@dataclass(frozen=True)
class PrecisionLimits:
    """How far the 99th percentile of tracks may move in a smaller precision, in pixels of 256×256,
    and where the figures come from."""

    fp16_p99_px: float = 0.25
    int8_p99_px: float = 10.0
    origin: str = "b0-tiny's, because this variant has no trained weights"

    def of(self, precision: Precision) -> float:
        """The limit of that precision; nothing is allowed to float32, which is not lowered."""
        return {"fp32": 0.0, "fp16": self.fp16_p99_px, "int8": self.int8_p99_px}[precision]


@dataclass(frozen=True)
class ShapeRanges:
    """Smallest, usual and largest size of each axis: what TensorRT builds its engine for."""

    batch: tuple[int, int, int] = (1, 1, 1)
    frames: tuple[int, int, int] = (1, 24, 48)
    points: tuple[int, int, int] = (1, 64, 256)


USUAL_LIMITS = PrecisionLimits()
USUAL_RANGES = ShapeRanges()


def parse_axis(axis: str, text: str) -> int | None:
    """A positive size, or None for ``dynamic``; raises ProfileError for anything else."""
    if text == "dynamic":
        return None
    if re.fullmatch(r"[0-9]{1,9}", text) is None or int(text) == 0:
        raise ProfileError(f"--{axis} {text!r}: expected a positive number or 'dynamic'.")
    return int(text)
