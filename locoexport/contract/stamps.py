"""What a file's metadata keep as JSON: how it was proven, and what a smaller precision cost.

Standard library only. A file may come from a stranger: what is of another type, not finite or out
of range is refused by the name of its key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Context, Decimal
from typing import Any

from locoexport.errors import ModelFileError
from locoexport.machine.reading.documents import parse_json, quote

__all__ = ["CostStamp", "ParityStamp", "TuningStamp", "read_sizes", "unreadable"]

_LARGEST_COUNT = 2**31


@dataclass(frozen=True)
class ParityStamp:
    """The proof an exported file carries: worst errors against torch, and where it was tried.

    ``shapes`` holds (batch, frames, points). ``apart_points`` were not held to the tolerance (ties
    and unstable points); ``apart_px`` is the largest error among them.
    """

    tracks_px: float
    logits: float
    shapes: tuple[tuple[int, int, int], ...]
    apart_points: int = 0
    apart_px: float = 0.0

    def to_json(self) -> str:
        """One line of JSON; two significant digits, rounded up, so that the bytes are stable."""
        return json.dumps(
            {
                "tracks_px": _round_up(self.tracks_px),
                "logits": _round_up(self.logits),
                "shapes_batch_frames_points": [list(shape) for shape in self.shapes],
                "apart_points": self.apart_points,
                "apart_px": _round_up(self.apart_px),
            }
        )

    @classmethod
    def parse(cls, text: str) -> ParityStamp:
        """Read what ``to_json`` wrote; raises ModelFileError for anything else."""
        document = _document("parity", text)
        shapes = document.get("shapes_batch_frames_points")
        if not isinstance(shapes, list):
            raise unreadable("parity", f"shapes are {quote(shapes)}")
        return cls(
            _number("parity", document, "tracks_px"),
            _number("parity", document, "logits"),
            tuple(read_sizes("parity", shape) for shape in shapes),
            _whole("parity", document.get("apart_points"), 0),
            _number("parity", document, "apart_px"),
        )


@dataclass(frozen=True)
class CostStamp:
    """The cost that a file of a smaller precision carries in its metadata (``locoexport.cost``).

    ``limit_px`` is what the profile allowed ``p99_px`` to be, which ``verify`` holds the file to;
    early files of 0.1.0 do not say.
    """

    p50_px: float
    p99_px: float
    max_px: float
    flip_share: float
    average_jaccard_change: float
    pts_within_thresh_change: float
    sequences: str
    calibration: str | None
    limit_px: float | None = None

    def to_json(self) -> str:
        """One line; three significant digits, null for what is not finite."""

        return _shortened(asdict(self))

    @classmethod
    def parse(cls, text: str) -> CostStamp:
        """Read what ``to_json`` wrote; raises ModelFileError for anything else."""
        document = _document("cost", text)

        def measured(name: str, least: float = 0.0) -> float:
            # null: it was not finite, and no comparison with NaN is true.
            found = document.get(name, "nothing")
            return math.nan if found is None else _number("cost", document, name, least)

        sequences, calibration = document.get("sequences"), document.get("calibration", 0)
        if not isinstance(sequences, str) or not isinstance(calibration, str | None):
            raise unreadable("cost", "sequences and calibration are texts")
        limited = document.get("limit_px") is not None
        return cls(
            measured("p50_px"),
            measured("p99_px"),
            measured("max_px"),
            _number("cost", document, "flip_share", most=1.0),  # verify allows as many
            measured("average_jaccard_change", -math.inf),
            measured("pts_within_thresh_change", -math.inf),
            sequences,
            calibration,
            _number("cost", document, "limit_px") if limited else None,
        )


@dataclass(frozen=True)
class TuningStamp:
    """How ``locoexport tune`` says a file is fastest, and its evidence (``locoexport.tuning``).

    ``provider`` is as ``--provider`` takes it, ``threads`` None where the usual number is best.
    Times are of one call of ``frames`` by ``points`` on ``machine``; ``ratio`` is how many times as
    fast as the float32 file on the CPU, as the median, 10th and 90th percentile of runs in turn.
    Distances are from the float32 file, in pixels of 256×256, and AJ in points of a hundred.
    ``limit_aj`` is None where none was given.
    """

    provider: str
    threads: int | None
    machine: str
    frames: int
    points: int
    latency_ms: float
    ratio: float
    ratio_p10: float
    ratio_p90: float
    p50_px: float
    p99_px: float
    flip_share: float
    average_jaccard_change: float
    sequences: str
    limit_px: float
    limit_aj: float | None = None

    def to_json(self) -> str:
        """One line; three significant digits."""
        return _shortened(asdict(self))

    @classmethod
    def parse(cls, text: str) -> TuningStamp:
        """Read what ``to_json`` wrote; raises ModelFileError for anything else."""
        document = _document("tuning", text)
        texts = [document.get(name) for name in ("provider", "machine", "sequences")]
        if not all(isinstance(value, str) for value in texts):
            raise unreadable("tuning", "provider, machine and sequences are texts")
        threads = document.get("threads")

        def number(name: str, least: float = 0.0, most: float = math.inf) -> float:
            return _number("tuning", document, name, least, most)

        return cls(
            provider=str(texts[0]),
            threads=None if threads is None else _whole("tuning", threads, 1),
            machine=str(texts[1]),
            frames=_whole("tuning", document.get("frames"), 1),
            points=_whole("tuning", document.get("points"), 1),
            latency_ms=number("latency_ms"),
            ratio=number("ratio"),
            ratio_p10=number("ratio_p10"),
            ratio_p90=number("ratio_p90"),
            p50_px=number("p50_px"),
            p99_px=number("p99_px"),
            flip_share=number("flip_share", most=1.0),
            average_jaccard_change=number("average_jaccard_change", -math.inf),
            sequences=str(texts[2]),
            limit_px=number("limit_px"),
            limit_aj=None if document.get("limit_aj") is None else number("limit_aj"),
        )


def _shortened(values: Mapping[str, object]) -> str:
    """One line of JSON: three significant digits, null for what is not finite."""

    def short(value: object) -> object:
        if isinstance(value, float):
            return float(f"{value:.2e}") if math.isfinite(value) else None
        return value

    return json.dumps({name: short(value) for name, value in values.items()})


def _document(key: str, text: str) -> dict[str, Any]:
    """The object of a JSON value of the metadata."""
    subject = f"Metadata locoexport.{key} cannot be read: it"
    document = parse_json(text, subject, ModelFileError, finite=True)
    if not isinstance(document, dict):
        raise unreadable(key, f"{quote(text)} is not an object")
    return document


def _number(
    key: str, document: Mapping[str, Any], name: str, least: float = 0.0, most: float = math.inf
) -> float:
    """A finite number from ``least`` to ``most``; json reads 1e999 as infinity."""
    value: Any = document.get(name)
    if type(value) not in (int, float) or not least <= value <= most:
        raise unreadable(key, f"{name} is {quote(value)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of over 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise unreadable(key, f"{name} is {quote(value)}")
    return number


def _whole(key: str, value: object, least: int) -> int:
    if type(value) is not int or not least <= value < _LARGEST_COUNT:
        raise unreadable(key, f"{quote(value)} is not a whole number from {least}")
    return value


def read_sizes(key: str, value: object) -> tuple[int, int, int]:
    """(batch, frames, points)."""
    if not isinstance(value, list) or len(value) != 3:
        raise unreadable(key, f"{quote(value)} is not (batch, frames, points)")
    batch, frames, points = (_whole(key, size, 1) for size in value)
    return batch, frames, points


def unreadable(key: str, reason: str) -> ModelFileError:
    """The error of a value of the metadata that is not what it should be."""
    return ModelFileError(
        f"Metadata locoexport.{key} cannot be read ({reason}); export the model again."
    )


def _round_up(value: float) -> float:
    """Two significant digits, never below ``value``; what is rounded already stays."""
    if not math.isfinite(value):
        return value
    nearest = Decimal(f"{value:.1e}")
    if float(nearest) < value:
        nearest = nearest.next_plus(Context(prec=2))
    return float(nearest)
