"""The tables of a profile: sizes of axes, tolerances, limits of precision, ranges of shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from locoexport.errors import ProfileError, did_you_mean

__all__ = [
    "QUANTISED_PARTS",
    "USUAL_LIMITS",
    "USUAL_RANGES",
    "AxisSizes",
    "IntegerForm",
    "Precision",
    "PrecisionLimits",
    "QuantisedPart",
    "ShapeRanges",
    "Tolerance",
    "parse_axis",
    "parse_parts",
    "parse_processor",
]

Precision = Literal["fp32", "fp16", "int8"]
"""What a graph computes in; its inputs and outputs are float32 all the same."""

QuantisedPart = Literal["transformer", "cmdtop", "encoder"]
"""A part of the model whose products may be in 8 bits."""
QUANTISED_PARTS: tuple[QuantisedPart, ...] = get_args(QuantisedPart)
"""In the order in which they are tried: what gains most for what it moves comes first."""


@dataclass(frozen=True)
class IntegerForm:
    """Which parts of a graph are in 8 bits, and how many bits their weights use.

    ``weight_bits`` is 8 for processors that add 8-bit products in 32 bits (VNNI, dot products of
    ARM), and 7 for others, whose sums of two products would overflow their 16 bits.
    """

    parts: tuple[QuantisedPart, ...]
    weight_bits: Literal[7, 8]

    def __post_init__(self) -> None:
        """Raises ProfileError for no parts, or parts twice or out of order."""
        if not self.parts or self.parts != tuple(p for p in QUANTISED_PARTS if p in self.parts):
            raise ProfileError(
                f"The parts in 8 bits are {', '.join(self.parts) or 'none'}; expected some of "
                f"{', '.join(QUANTISED_PARTS)}, in that order."
            )


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
    how much AJ int8 may lose, in points of a hundred, and where the figures come from."""

    fp16_p99_px: float = 0.25
    int8_p99_px: float = 1.0
    origin: str = "b0-tiny's, because this variant has no trained weights"
    int8_average_jaccard: float = 0.3

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


def parse_parts(text: str) -> tuple[QuantisedPart, ...]:
    """Parts separated by commas, in the order of ``QUANTISED_PARTS``.

    Raises:
        ProfileError: one of them is none, or none is given.
    """
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in QUANTISED_PARTS:
            raise ProfileError(
                f"{name!r} is no part that can be in 8 bits; expected some of "
                f"{', '.join(QUANTISED_PARTS)}." + did_you_mean(name, QUANTISED_PARTS)
            )
    return tuple(part for part in QUANTISED_PARTS if part in asked)


def parse_processor(text: str) -> Literal[7, 8]:
    """``vnni`` or ``any`` as the number of bits that weights may use there.

    Raises:
        ProfileError: it is neither.
    """
    if text not in ("vnni", "any"):
        raise ProfileError(f"--for-cpu {text!r}: expected vnni or any.")
    return 8 if text == "vnni" else 7
