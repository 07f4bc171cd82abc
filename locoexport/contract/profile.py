"""Export profiles: what to export and how, read from TOML, overridden by options, checked once.

A profile names a variant of the network, its working resolution, the default opset, which axes
stay dynamic, the tolerances that parity is judged by (with the measured origin of each) and where
weights may be found. The TOML files live in ``export_profiles/`` (``locoexport.profiles``).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

from locoexport.contract.checkpoint_settings import (
    DEFAULT_SETTINGS,
    LARGEST_SIDE,
    NOTHING_SAID,
    CheckpointSettings,
    check_side,
    parse_resolution,
    settings_in,
)
from locoexport.contract.profile_tables import (
    USUAL_LIMITS,
    USUAL_RANGES,
    AxisSizes,
    IntegerForm,
    Precision,
    PrecisionLimits,
    QuantisedPart,
    ShapeRanges,
    Tolerance,
    parse_axis,
)
from locoexport.contract.published_weights import (
    COST_KEYS,
    PUBLISHED_KEYS,
    ProfileCost,
    PublishedFacts,
    parse_cost,
    parse_published_facts,
)
from locoexport.errors import InputError, ProfileError, did_you_mean
from locoexport.machine.limits import PROFILE_BYTES
from locoexport.machine.reading.documents import parse_toml, quote, read_at_most

__all__ = [
    "DEFAULT_PROFILE",
    "LARGEST_SIDE",
    "OPSETS",
    "SCORED_HW",
    "AxisSizes",
    "ExportProfile",
    "InputType",
    "IntegerForm",
    "Precision",
    "PrecisionLimits",
    "Sampling",
    "ShapeRanges",
    "Target",
    "Tolerance",
    "demo_weights_path",
    "load_profile",
    "parse_axis",
    "parse_resolution",
    "profile_names",
]

SCORED_HW = (256, 256)
"""(height, width) that positions are scaled to before they are scored."""

DEFAULT_PROFILE = "b0-tiny"
"""What is exported where nothing is named: the one with trained weights in the package."""
OPSETS = (16, 17, 18, 19, 20)
Sampling = Literal["planar", "gather"]
Target = Literal["cpu", "cuda", "tensorrt"]
"""What a graph is made fast for; every graph runs everywhere."""
InputType = Literal["float32", "uint8"]
"""What a graph takes: frames in [-1, 1] at the working resolution, or frames as a clip has them.

With ``uint8`` frames are of any size, query points and tracks are in their pixels, and the graph
normalises and resizes them itself (bilinear, align_corners False, no antialiasing).
"""
_PACKAGE = "locoexport.profiles"
_TABLE_KEYS = {
    "axes": ("batch", "frames", "points"),
    "precision": ("fp16_p99_px", "int8_p99_px", "int8_average_jaccard", "origin"),
    "tensorrt": ("batch", "frames", "points"),
    "tolerance": ("tracks_px", "logits", "origin"),
    "weights": ("demo", "published", *PUBLISHED_KEYS),
    "cost": COST_KEYS,
}
_SETTINGS = ("refinement_resolutions", "refinements", "softmax_temperature", "gelu")
_KEYS = (
    *("name", "variant", "resolution", "opset", "sampling", "target", "input"),
    *_SETTINGS,
    *_TABLE_KEYS,
)


@dataclass(frozen=True)
class ExportProfile:
    """One export, fully decided.

    ``resolution_hw`` is the initial resolution, (height, width) in pixels, multiples of 8:
    positions are kept in its pixels. ``settings`` are the settings of training that the caller
    gave; ``trained`` is the complete set. ``demo_weights`` names a file
    that the package ships; ``published_weights`` says where the authors' own live. ``without``
    names rewrites that are switched off. ``precision`` is what the graph computes in, within
    ``precision_limits``; of int8 ``quantised_parts`` None lets the export choose by what it
    measures, and ``weight_bits`` None takes what this processor is fast with (``IntegerForm``);
    ``shape_ranges`` go with the target ``tensorrt``. ``published`` and ``cost`` (without options)
    are facts that are told; the graph does not depend on them.
    """

    name: str
    variant: str
    resolution_hw: tuple[int, int]
    opset: int
    sampling: Sampling
    axes: AxisSizes
    tolerance: Tolerance
    demo_weights: str | None
    published_weights: str | None
    target: Target = "cpu"
    input_type: InputType = "float32"
    without: tuple[str, ...] = ()
    precision: Precision = "fp32"
    precision_limits: PrecisionLimits = USUAL_LIMITS
    shape_ranges: ShapeRanges = USUAL_RANGES
    published: PublishedFacts | None = None
    cost: ProfileCost | None = None
    settings: CheckpointSettings = NOTHING_SAID
    quantised_parts: tuple[QuantisedPart, ...] | None = None
    weight_bits: Literal[7, 8] | None = None

    @property
    def integer_form(self) -> IntegerForm | None:
        """The form of int8, where both of its fields are decided."""
        if self.quantised_parts is None or self.weight_bits is None:
            return None
        return IntegerForm(self.quantised_parts, self.weight_bits)

    @property
    def trained(self) -> CheckpointSettings:
        """All settings of training: those given, the profile's resolution, and defaults."""
        complete = self.settings.or_else(DEFAULT_SETTINGS)
        levels = complete.refinement_resolutions or (self.resolution_hw,)
        return replace(complete, resolution_hw=self.resolution_hw, refinement_resolutions=levels)

    @property
    def levels(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(height, width) of the first and of the last level; often the same."""
        return self.trained.levels

    @property
    def working_hw(self) -> tuple[int, int]:
        """(height, width) of the last level: a graph takes frames and points in its pixels."""
        return self.levels[-1]

    @property
    def resizes_frames(self) -> bool:
        """Whether the graph resizes frames, for one level or for each."""
        return self.input_type == "uint8" or self.levels[0] != self.levels[1]

    def __post_init__(self) -> None:
        """Check every field; raises ProfileError naming the first that is wrong."""
        if self.demo_weights is not None and not re.fullmatch(r"[\w-][\w.-]*", self.demo_weights):
            raise ProfileError(
                f"weights.demo is {quote(self.demo_weights)}; expected the name of a file that the "
                "package ships."
            )
        if self.opset not in OPSETS:
            raise ProfileError(
                f"opset {quote(self.opset)} is not supported; expected one of {_listing(OPSETS)}."
            )
        if self.sampling not in get_args(Sampling):
            raise ProfileError(
                f"sampling {quote(self.sampling)} is unknown; expected "
                f"{_listing(get_args(Sampling))}."
                + did_you_mean(str(self.sampling), get_args(Sampling))
            )
        if self.target not in get_args(Target):
            raise ProfileError(
                f"target {quote(self.target)} is unknown; expected {_listing(get_args(Target))}."
                + did_you_mean(str(self.target), get_args(Target))
            )
        if self.input_type not in get_args(InputType):
            raise ProfileError(
                f"input {quote(self.input_type)} is unknown; expected "
                f"{_listing(get_args(InputType))}."
                + did_you_mean(str(self.input_type), get_args(InputType))
            )
        check_side("resolution", self.resolution_hw)
        for level in self.levels:
            check_side("refinement resolution", level)
        for axis in fields(self.axes):
            size = getattr(self.axes, axis.name)
            if size is not None and size < 1:
                raise ProfileError(
                    f"{axis.name} is {quote(size)}; expected a positive size or 'dynamic'."
                )
        if self.precision not in get_args(Precision):
            raise ProfileError(
                f"precision {self.precision!r} is unknown; expected "
                f"{_listing(get_args(Precision))}."
                + did_you_mean(str(self.precision), get_args(Precision))
            )
        limits = self.precision_limits
        allowed = (limits.fp16_p99_px, limits.int8_p99_px, limits.int8_average_jaccard)
        if not all(0 < limit < math.inf for limit in allowed):
            raise ProfileError("Limits of precision must be positive, finite numbers.")
        for axis in fields(self.shape_ranges):
            low, usual, high = getattr(self.shape_ranges, axis.name)
            if not 1 <= low <= usual <= high:
                raise ProfileError(
                    f"tensorrt.{axis.name} is {quote([low, usual, high])}; expected the smallest, "
                    "the usual and the largest size, in that order."
                )
        if not (0 < self.tolerance.tracks_px < math.inf and 0 < self.tolerance.logits < math.inf):
            raise ProfileError("Tolerances must be positive, finite numbers.")

    def with_options(
        self,
        *,
        opset: int | None = None,
        sampling: str | None = None,
        resolution_hw: tuple[int, int] | None = None,
        axes: AxisSizes | None = None,
        target: str | None = None,
        input_type: str | None = None,
        without: tuple[str, ...] | None = None,
        precision: str | None = None,
        settings: CheckpointSettings | None = None,
        integer_form: IntegerForm | None = None,
        quantised_parts: tuple[QuantisedPart, ...] | None = None,
        weight_bits: Literal[7, 8] | None = None,
    ) -> ExportProfile:
        """This profile with the options that were given; None leaves a field as it is."""
        asked = (settings or NOTHING_SAID).or_else(CheckpointSettings(resolution_hw=resolution_hw))
        given: dict[str, Any] = {
            "opset": opset,
            "sampling": sampling,
            "resolution_hw": asked.resolution_hw,
            "settings": asked.or_else(self.settings),
            "axes": axes,
            "target": target,
            "input_type": input_type,
            "without": without,
            "precision": precision,
            "quantised_parts": integer_form.parts if integer_form else quantised_parts,
            "weight_bits": integer_form.weight_bits if integer_form else weight_bits,
        }
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    @property
    def availability(self) -> Literal["shipped", "published", "neither"]:
        """Where trained weights can be found: in the package, from their authors, or nowhere."""
        if self.demo_weights is not None:
            return "shipped"
        return "neither" if self.published_weights is None else "published"


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that ship with the package, sorted."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in files(_PACKAGE).iterdir()
            if entry.name.endswith(".toml")
        )
    )


def load_profile(name_or_file: str) -> ExportProfile:
    """The profile of that name, or the one in that .toml file.

    Raises:
        ProfileError: there is none, or the file is not a valid profile.
    """
    if name_or_file.endswith(".toml"):
        path = Path(name_or_file)
        if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
            raise ProfileError(f"There is no profile file {path}.")
        try:
            data = read_at_most(path, PROFILE_BYTES, path)
        except InputError as error:
            raise ProfileError(str(error)) from error
        except OSError as error:
            raise ProfileError(f"Cannot read {path}: {error.strerror or error}.") from error
        profile = _parse_profile(data, default_name=path.stem, source=str(path))
        # Whoever wrote the file asked for its resolution; that of a shipped one is a default.
        return profile.with_options(resolution_hw=profile.resolution_hw)
    if name_or_file not in profile_names():
        close = did_you_mean(name_or_file, profile_names())
        expected = f"; expected one of {_listing(profile_names())}, or the path of a .toml file."
        raise ProfileError(
            f"There is no profile {name_or_file!r}{f'.{close}' if close else expected}"
        )
    entry = files(_PACKAGE) / f"{name_or_file}.toml"
    return _parse_profile(entry.read_bytes(), default_name=name_or_file, source=name_or_file)


def demo_weights_path(file_name: str) -> Traversable:
    """The weights file of that name that the package ships; it may not exist."""
    return files(_PACKAGE) / file_name


def _parse_profile(data: bytes, *, default_name: str, source: str) -> ExportProfile:
    document = parse_toml(data, f"Profile {source}")
    _refuse_unknown(document, _KEYS, source)
    try:
        axes, limits, ranges, tolerance, weights = (
            _table(document, name, source)
            for name in ("axes", "precision", "tensorrt", "tolerance", "weights")
        )
        height, width = document["resolution"]
        return ExportProfile(
            name=str(document.get("name", default_name)),
            variant=str(document["variant"]),
            resolution_hw=(_integer(height), _integer(width)),
            opset=_integer(document["opset"]),
            sampling=document["sampling"],
            axes=AxisSizes(
                *(
                    parse_axis(axis, str(axes.get(axis, "dynamic")))
                    for axis in ("batch", "frames", "points")
                )
            ),
            tolerance=Tolerance(
                _number(tolerance["tracks_px"]),
                _number(tolerance["logits"]),
                str(tolerance["origin"]),
            ),
            demo_weights=_optional_text(weights.get("demo")),
            published_weights=_optional_text(weights.get("published")),
            target=document.get("target", "cpu"),
            input_type=document.get("input", "float32"),
            precision_limits=_parse_limits(limits),
            settings=settings_in(
                {key: document[key] for key in _SETTINGS if key in document}, f"Profile {source}"
            ),
            shape_ranges=ShapeRanges(**{name: _range(value) for name, value in ranges.items()}),
            published=parse_published_facts(weights),
            cost=parse_cost(_table(document, "cost", source)),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProfileError(f"Profile {source} is incomplete or malformed: {error!r}.") from error


def _parse_limits(table: Mapping[str, Any]) -> PrecisionLimits:
    if not table:
        return PrecisionLimits()
    return PrecisionLimits(
        _number(table["fp16_p99_px"]),
        _number(table["int8_p99_px"]),
        str(table["origin"]),
        _number(table.get("int8_average_jaccard", USUAL_LIMITS.int8_average_jaccard)),
    )


def _range(value: object) -> tuple[int, int, int]:
    if not isinstance(value, list) or len(value) != 3:
        raise TypeError(f"{quote(value)} is not a list of a smallest, a usual and a largest size")
    low, usual, high = (_integer(size) for size in value)
    return low, usual, high


def _table(document: Mapping[str, Any], name: str, source: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise TypeError(f"{name} is {quote(table)}, not a table")
    _refuse_unknown(table, _TABLE_KEYS[name], f"{source}, [{name}],")
    return table


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], source: str) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ProfileError(
            f"Profile {source} has unknown keys {_listing(unknown)[:500]}; known are "
            f"{_listing(known)}."
        )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{quote(value)} is not a number")
    return float(value)


def _optional_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{quote(value)} is not a text")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{quote(value)} is not an integer")
    return value


def _listing(values: object) -> str:
    return ", ".join(str(value) for value in values)  # type: ignore[attr-defined]
