"""What an exported file says of itself: names of the graph's inputs and outputs, and metadata.

Standard library only: the exporter writes it, the runtime reads it, neither needs the other. A
file may come from a stranger, so that each value is checked where it is read: what is of another
type, not finite, out of range or too long is refused by the name of its key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from locoexport.contract.checkpoint_settings import (
    DEFAULT_SETTINGS,
    CheckpointSettings,
    from_properties,
    to_properties,
)
from locoexport.contract.profile import LARGEST_SIDE, InputType, Precision, Target
from locoexport.contract.profile_tables import IntegerForm, parse_parts
from locoexport.contract.stamps import (
    CostStamp,
    ParityStamp,
    TuningStamp,
    read_sizes,
    unreadable,
)
from locoexport.errors import ModelFileError, ProfileError
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
    "TuningStamp",
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

_PARTS = ("whole", "encoder", "query", "tracker", "live")


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
class ArtifactMetadata:
    """The ``locoexport.*`` metadata properties of an exported .onnx file.

    ``resolution_hw`` is (height, width) in pixels of the frames that the network works at, the last
    level; ``settings`` hold the initial resolution, both levels, and whatever else the weights'
    state dict cannot say (``trained`` has all of it). ``rewrites`` names every rewrite that was
    applied, in order. ``parity`` is None where the file was exported with ``--no-verify``. ``part``
    is ``whole``, or which file of a split export this is. ``input_type`` is that of the frames:
    ``float32`` at the resolution, or ``uint8`` of any size. Of a file in a smaller ``precision``,
    ``parity`` is that of the float32 graph it was made from, and ``cost`` how far it is from that.
    ``integer_form`` says which parts of an int8 file are in 8 bits (files of 0.1.0 do not say), and
    ``tuning`` how a file that ``locoexport tune`` chose runs fastest.
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
    integer_form: IntegerForm | None = None
    tuning: TuningStamp | None = None

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
        if self.integer_form is not None:
            values["int8_parts"] = ",".join(self.integer_form.parts)
            values["int8_weight_bits"] = str(self.integer_form.weight_bits)
        if self.tuning is not None:
            values["tuning"] = self.tuning.to_json()
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
                integer_form=_parse_form(values) if "int8_parts" in values else None,
                tuning=TuningStamp.parse(values["tuning"]) if "tuning" in values else None,
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


def _parse_form(values: Mapping[str, str]) -> IntegerForm:
    try:
        parts = parse_parts(values["int8_parts"])
    except ProfileError as error:
        raise unreadable("int8_parts", str(error).rstrip(".")) from error
    bits = values["int8_weight_bits"]
    if bits not in ("7", "8"):
        raise unreadable("int8_weight_bits", f"{quote(bits)} is not 7 or 8")
    return IntegerForm(parts, 7 if bits == "7" else 8)


def _parse_opset(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise ModelFileError(
            f"Metadata locoexport.opset is damaged: {quote(text)} is not a number. Export the "
            "model again."
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
        raise unreadable("shape_ranges", "they are three times (batch, frames, points)")
    smallest, usual, largest = (read_sizes("shape_ranges", sizes) for sizes in ranges)
    if not all(low <= mid <= high for low, mid, high in zip(smallest, usual, largest, strict=True)):
        raise unreadable("shape_ranges", f"{quote(text)} are not in order")
    return smallest, usual, largest
