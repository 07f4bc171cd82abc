"""What an exported file says of itself: names of the graph's inputs and outputs, and metadata.

Standard library only: the exporter writes it, the runtime reads it, neither needs the other. A
file may come from a stranger, so that each value is checked where it is read: what is of another
type, not finite, out of range or too long is refused by the name of its key.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, get_args

from locoexport.contract.checkpoint_settings import (
    DEFAULT_SETTINGS,
    CheckpointSettings,
    from_properties,
    to_properties,
)
from locoexport.contract.profile import LARGEST_SIDE, InputType, Precision, Target
from locoexport.errors import ModelFileError
from locoexport.machine.limits import METADATA_BYTES
from locoexport.machine.reading.documents import parse_json, quote

__all__ = [
    "METADATA_PREFIX",
    "METADATA_SCHEMA",
    "OUTPUT_NAMES",
    "QUERY_INPUT",
    "VIDEO_INPUT",
    "ArtifactMetadata",
    "CostStamp",
    "ExportArtifact",
    "ParityStamp",
    "WeightsOrigin",
]

VIDEO_INPUT = "video_input"
"""float32 (batch, frames, height, width, 3) in [-1, 1]; or uint8, of any height and width."""
QUERY_INPUT = "query_input"
"""float32 (batch, points, 3) as (t, y, x), t a frame index, y and x in pixels."""
OUTPUT_NAMES = ("tracks", "occlusion", "expected_dist")
"""float32 (batch, points, frames, 2) as (x, y); (batch, points, frames) logits; the same."""

METADATA_PREFIX = "locoexport."
METADATA_SCHEMA = "locoexport.artifact/1"

_PARTS = ("whole", "encoder", "query", "tracker")
_LARGEST_COUNT = 2**31


@dataclass(frozen=True)
class WeightsOrigin:
    """Where the weights in a file came from: a checkpoint file, or the deterministic seed.

    ``member`` is the checkpoint's name within the file, where that is a tar.
    """

    file_name: str | None
    sha256: str | None
    member: str | None = None

    @property
    def seeded(self) -> bool:
        """True where the weights are the deterministic untrained ones."""
        return self.file_name is None

    def __str__(self) -> str:
        return "seeded" if self.seeded else f"{self.file_name} sha256:{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> WeightsOrigin:
        """Read what ``str()`` wrote; raises ModelFileError for anything else."""
        if text == "seeded":
            return cls(None, None)
        match = re.fullmatch(r"(.+) sha256:([0-9a-f]{64})", text, flags=re.DOTALL)
        # A name that leads out of its folder would have verify read, and hash, any other file.
        if match is None or match[1] in (".", "..") or set(match[1]) & set("/\\\0"):
            raise ModelFileError(
                f"Metadata locoexport.weights is {quote(text)}; expected 'seeded' or "
                "'FILE sha256:HEX'. The file was not written by this version of locoexport."
            )
        return cls(match[1], match[2])


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
            raise _unreadable("parity", f"shapes are {quote(shapes)}")
        return cls(
            _number("parity", document, "tracks_px"),
            _number("parity", document, "logits"),
            tuple(_sizes("parity", shape) for shape in shapes),
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

        def short(value: object) -> object:
            if isinstance(value, float):
                return float(f"{value:.2e}") if math.isfinite(value) else None
            return value

        return json.dumps({name: short(value) for name, value in asdict(self).items()})

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
            raise _unreadable("cost", "sequences and calibration are texts")
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
class ArtifactMetadata:
    """The ``locoexport.*`` metadata properties of an exported .onnx file.

    ``resolution_hw`` is (height, width) in pixels of the frames that the network works at, the last
    level; ``settings`` hold the initial resolution, both levels, and whatever else the weights'
    state dict cannot say (``trained`` has all of it). ``rewrites`` names every rewrite that was
    applied, in order. ``parity`` is None where the file was exported with ``--no-verify``. ``part``
    is ``whole``, or which file of a split export this is. ``input_type`` is that of the frames:
    ``float32`` at the resolution, or ``uint8`` of any size. Of a file in a smaller ``precision``,
    ``parity`` is that of the float32 graph it was made from, and ``cost`` how far it is from that.
    ``shape_ranges`` are the smallest, usual and largest (batch, frames, points) of a file for
    TensorRT.
    """

    version: str
    profile: str
    variant: str
    resolution_hw: tuple[int, int]
    opset: int
    precision: str
    sampling: str
    rewrites: tuple[str, ...]
    weights: WeightsOrigin
    simplifier: str
    torch_version: str
    parity: ParityStamp | None = None
    target: str = "cpu"
    part: str = "whole"
    input_type: str = "float32"
    cost: CostStamp | None = None
    shape_ranges: tuple[tuple[int, int, int], ...] | None = None
    settings: CheckpointSettings = DEFAULT_SETTINGS

    @property
    def trained(self) -> CheckpointSettings:
        """The settings, complete: a file of one level need not say it."""
        return self.settings.or_else(
            CheckpointSettings(self.resolution_hw, (self.resolution_hw,))
        ).or_else(DEFAULT_SETTINGS)

    def to_properties(self) -> dict[str, str]:
        """The properties as ONNX wants them: strings by prefixed name."""
        height, width = self.resolution_hw
        values = {
            "schema": METADATA_SCHEMA,
            "version": self.version,
            "profile": self.profile,
            "variant": self.variant,
            "resolution": f"{height}x{width}",
            "opset": str(self.opset),
            "precision": self.precision,
            "sampling": self.sampling,
            "target": self.target,
            "part": self.part,
            "input": self.input_type,
            "rewrites": ",".join(self.rewrites),
            "weights": str(self.weights),
            "simplifier": self.simplifier,
            "torch": self.torch_version,
            "parity": "unverified" if self.parity is None else self.parity.to_json(),
        } | to_properties(self.trained)
        if self.weights.member is not None:
            values["weights_member"] = self.weights.member
        if self.cost is not None:
            values["cost"] = self.cost.to_json()
        if self.shape_ranges is not None:
            values["shape_ranges"] = json.dumps([list(sizes) for sizes in self.shape_ranges])
        return {METADATA_PREFIX + name: value for name, value in values.items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> ArtifactMetadata:
        """Read the metadata of an .onnx file.

        Raises:
            ModelFileError: the file is not ours, is of another schema, or a value is malformed.
        """
        values = {
            name.removeprefix(METADATA_PREFIX): value
            for name, value in properties.items()
            if name.startswith(METADATA_PREFIX)
        }
        schema = values.get("schema")
        if schema is None:
            raise ModelFileError(
                "The file carries no locoexport metadata: it was not written by "
                "`locoexport export`. Export it again with locoexport."
            )
        if schema != METADATA_SCHEMA:
            raise ModelFileError(
                f"The file's metadata schema is {quote(schema)}; this version of locoexport reads "
                f"{METADATA_SCHEMA!r}. Export the model again, or install the matching version."
            )
        for name, value in values.items():
            METADATA_BYTES.check(len(value), f"Metadata locoexport.{name}", ModelFileError)
        try:
            resolution_hw = _parse_resolution(values["resolution"])
            return cls(
                version=values["version"],
                profile=values["profile"],
                variant=values["variant"],
                resolution_hw=resolution_hw,
                settings=from_properties(values, resolution_hw),
                opset=_parse_opset(values["opset"]),
                precision=_one_of("precision", values["precision"], get_args(Precision)),
                sampling=values["sampling"],
                # Early files of 0.1.0 say none of these three.
                target=_one_of("target", values.get("target", "cpu"), get_args(Target)),
                part=_one_of("part", values.get("part", "whole"), _PARTS),
                input_type=_one_of("input", values.get("input", "float32"), get_args(InputType)),
                rewrites=tuple(filter(None, values["rewrites"].split(","))),
                weights=replace(
                    WeightsOrigin.parse(values["weights"]), member=values.get("weights_member")
                ),
                simplifier=values["simplifier"],
                torch_version=values["torch"],
                parity=None
                if values["parity"] == "unverified"
                else ParityStamp.parse(values["parity"]),
                cost=CostStamp.parse(values["cost"]) if "cost" in values else None,
                shape_ranges=_parse_ranges(values["shape_ranges"])
                if "shape_ranges" in values
                else None,
            )
        except KeyError as error:
            raise ModelFileError(
                f"The file's locoexport metadata is damaged ({error} is missing); export the model "
                "again."
            ) from error


@dataclass(frozen=True)
class ExportArtifact:
    """A finished export: the file, and what it says of itself."""

    path: Path
    size_bytes: int
    metadata: ArtifactMetadata


def _parse_resolution(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise ModelFileError(
            f"Metadata locoexport.resolution is damaged: resolution {quote(text)} is not HxW, of 1 "
            f"to {LARGEST_SIDE} pixels a side. Export the model again."
        )
    return sides


def _parse_opset(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise ModelFileError(
            f"Metadata locoexport.opset is damaged: {quote(text)} is no number. Export the model "
            "again."
        )
    return int(text)


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ModelFileError(
            f"Metadata locoexport.{name} is {quote(text)}; this version knows {', '.join(known)}."
        )
    return text


def _parse_ranges(text: str) -> tuple[tuple[int, int, int], ...]:
    ranges = parse_json(text, "Metadata locoexport.shape_ranges", ModelFileError, finite=True)
    if not isinstance(ranges, list) or len(ranges) != 3:
        raise _unreadable("shape_ranges", "they are three times (batch, frames, points)")
    smallest, usual, largest = (_sizes("shape_ranges", sizes) for sizes in ranges)
    if not all(low <= mid <= high for low, mid, high in zip(smallest, usual, largest, strict=True)):
        raise _unreadable("shape_ranges", f"{quote(text)} are not in order")
    return smallest, usual, largest


def _document(key: str, text: str) -> dict[str, Any]:
    """The object of a JSON value of the metadata."""
    subject = f"Metadata locoexport.{key} cannot be read: it"
    document = parse_json(text, subject, ModelFileError, finite=True)
    if not isinstance(document, dict):
        raise _unreadable(key, f"{quote(text)} is no object")
    return document


def _number(
    key: str, document: Mapping[str, Any], name: str, least: float = 0.0, most: float = math.inf
) -> float:
    """A finite number from ``least`` to ``most``; json reads 1e999 as infinity."""
    value: Any = document.get(name)
    if type(value) not in (int, float) or not least <= value <= most:
        raise _unreadable(key, f"{name} is {quote(value)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of over 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise _unreadable(key, f"{name} is {quote(value)}")
    return number


def _whole(key: str, value: object, least: int) -> int:
    if type(value) is not int or not least <= value < _LARGEST_COUNT:
        raise _unreadable(key, f"{quote(value)} is no whole number from {least}")
    return value


def _sizes(key: str, value: object) -> tuple[int, int, int]:
    """(batch, frames, points)."""
    if not isinstance(value, list) or len(value) != 3:
        raise _unreadable(key, f"{quote(value)} is not (batch, frames, points)")
    batch, frames, points = (_whole(key, size, 1) for size in value)
    return batch, frames, points


def _unreadable(key: str, reason: str) -> ModelFileError:
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
