"""What weights were trained with and their state dict cannot say.

Tensors of the same names and shapes are another network under another number of refinements,
softmax temperature, form of GELU, initial resolution or levels. These five are told by an option, a
profile, a Lightning checkpoint's ``hyper_parameters``, or a JSON or TOML file beside the weights;
metadata of an exported file keeps them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeGuard, get_args

from locoexport.errors import LocoExportError, ModelFileError, ProfileError
from locoexport.machine.reading.documents import quote

__all__ = [
    "DEFAULT_SETTINGS",
    "LARGEST_SIDE",
    "MOST_REFINEMENTS",
    "NOTHING_SAID",
    "CheckpointSettings",
    "Gelu",
    "Levels",
    "agree",
    "check_side",
    "from_properties",
    "parse_levels",
    "parse_resolution",
    "settings_in",
    "to_properties",
]

Gelu = Literal["erf", "tanh"]
"""The transformer's activation: exact, as in PyTorch, or the tanh form, as in JAX."""
Levels = tuple[tuple[int, int], ...]
"""(height, width) of the first level and, where it is another, of the last one."""

LARGEST_SIDE = 4096
"""Pixels of a side that a network may work at."""
MOST_REFINEMENTS = 32
_STEP = 8
_LEAST_SIDE = 32
_TEMPERATURES = (1e-3, 1e4)

_NAMES = {
    "resolution_hw": "initial resolution",
    "refinement_resolutions": "refinement resolutions",
    "refinements": "refinements",
    "softmax_temperature": "softmax temperature",
    "gelu": "GELU",
}
_KEYS = {
    "initial_resolution": "resolution_hw",
    "refinement_resolutions": "refinement_resolutions",
    "num_pips_iter": "refinements",
    "refinements": "refinements",
    "softmax_temperature": "softmax_temperature",
    "gelu": "gelu",
    "extra_convs": "extra_convs",
}
"""Keys of the published code's arguments, and ours, by field. ``resolution`` is none of them: it
is what a profile exports at, and much else in other people's files."""
_CLOSE = 0.85
_DEEPEST = 4


@dataclass(frozen=True)
class CheckpointSettings:
    """The five settings; None is one that nothing said.

    ``resolution_hw`` is the initial resolution, (height, width) in pixels, and
    ``refinement_resolutions`` one or two levels (``check_side`` says which a network can work
    at). ``refinements`` counts from 1; ``softmax_temperature`` sharpens the heatmaps.
    """

    resolution_hw: tuple[int, int] | None = None
    refinement_resolutions: Levels | None = None
    refinements: int | None = None
    softmax_temperature: float | None = None
    gelu: Gelu | None = None

    def __post_init__(self) -> None:
        """Check every setting; raises ProfileError naming the first that is wrong."""
        _check_levels(self.refinement_resolutions)
        count = self.refinements
        if count is not None and not (_is_whole(count) and 1 <= count <= MOST_REFINEMENTS):
            raise ProfileError(
                f"refinements is {quote(count)}; expected a whole number from 1 to "
                f"{MOST_REFINEMENTS}."
            )
        low, high = _TEMPERATURES
        heat = self.softmax_temperature
        if heat is not None and not (_is_number(heat) and low <= heat <= high):
            raise ProfileError(
                f"softmax temperature is {quote(heat)}; expected a number from {low:g} to {high:g}."
            )
        if self.gelu is not None and self.gelu not in get_args(Gelu):
            raise ProfileError(
                f"GELU is {quote(self.gelu)}; expected {' or '.join(get_args(Gelu))}."
            )

    @property
    def levels(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first and the last level of complete settings."""
        assert self.resolution_hw is not None
        levels = self.refinement_resolutions or (self.resolution_hw,)
        return levels[0], levels[-1]

    def or_else(self, other: CheckpointSettings) -> CheckpointSettings:
        """These, and what they leave open from ``other``."""
        return replace(
            self,
            **{name: getattr(other, name) for name in _NAMES if getattr(self, name) is None},
        )

    def unsaid(self) -> tuple[str, ...]:
        """Names, for people, of what nothing said."""
        return tuple(name for field, name in _NAMES.items() if getattr(self, field) is None)

    def describe(self) -> Mapping[str, str]:
        """What is said, by name for people."""
        return {
            name: _shown(getattr(self, field))
            for field, name in _NAMES.items()
            if getattr(self, field) is not None
        }


def to_properties(trained: CheckpointSettings) -> dict[str, str]:
    """Complete settings as the metadata of a file keeps them, by name without prefix."""
    return {
        "initial_resolution": _shown(trained.resolution_hw),
        "refinement_resolutions": _shown(trained.refinement_resolutions),
        "refinements": str(trained.refinements),
        "softmax_temperature": repr(trained.softmax_temperature),
        "gelu": str(trained.gelu),
    }


def from_properties(
    values: Mapping[str, str], resolution_hw: tuple[int, int]
) -> CheckpointSettings:
    """What ``to_properties`` wrote; ``resolution_hw`` is that of the file's frames.

    Files before settings were kept have one level, the published settings, and say none of them.

    Raises:
        ModelFileError: a value is malformed, or the last level is not that of the frames.
    """
    said: dict[str, Any] = {"resolution_hw": resolution_hw}
    name = "resolution"
    try:
        for name, (field, parse) in _PROPERTIES.items():
            if name in values:
                said[field] = parse(values[name])
        settings = CheckpointSettings(**said).or_else(DEFAULT_SETTINGS)
    except (ProfileError, ValueError) as error:
        raise ModelFileError(
            f"Metadata locoexport.{name} is damaged ({error}). Export the model again."
        ) from error
    levels = said.get("refinement_resolutions") or (resolution_hw,)
    if levels[-1] != resolution_hw:
        raise ModelFileError(
            f"Metadata contradicts itself: locoexport.resolution is {_shown(resolution_hw)}, the "
            f"last of locoexport.refinement_resolutions {_shown(levels[-1])}. Export the model "
            "again."
        )
    if settings.resolution_hw == resolution_hw and levels == (resolution_hw,):
        # One level at the resolution of the frames goes without saying.
        return replace(settings, resolution_hw=None, refinement_resolutions=None)
    return replace(settings, refinement_resolutions=levels)


def agree(
    ours: CheckpointSettings,
    theirs: CheckpointSettings,
    *,
    who: str,
    whose: str,
    error: type[LocoExportError] = ProfileError,
) -> CheckpointSettings:
    """Both together, where they do not contradict one another.

    Args:
        ours: said by ``who``.
        theirs: said by ``whose``.
        who: for the message, like "--refinements and its like".
        whose: the same.
        error: what is raised.

    Raises:
        LocoExportError: of type ``error``: they do; it names both.
    """
    for field, name in _NAMES.items():
        left, right = getattr(ours, field), getattr(theirs, field)
        if left is None or right is None or left == right:
            continue
        raise error(
            f"{who} says {name} {_shown(left)}, {whose} {_shown(right)}. Weights are one network "
            "with one of them and another with the other: leave out the one that is wrong."
        )
    return ours.or_else(theirs)


def settings_in(document: object, source: str) -> CheckpointSettings:
    """What a document says anywhere in it, down to four levels of tables.

    Args:
        document: ``hyper_parameters``, or what a JSON or TOML file holds. Keys are those of the
            published code's arguments (``num_pips_iter``, ``initial_resolution``, ...) or ours.
        source: what a message calls it.

    Raises:
        ProfileError: a value is of no use, contradicts another, or a key is nearly a known one.
    """
    said: dict[str, Any] = {}
    for key, value in _entries(document, _DEEPEST):
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, 1, _CLOSE)
            if close:
                raise ProfileError(
                    f"{source} has a key {quote(key)}, which is unknown; did you mean {close[0]!r}?"
                )
            continue
        field, read = _KEYS[key], _read(key, value, source)
        if read is None:
            continue
        if said.setdefault(field, read) != read:
            raise ProfileError(
                f"{source} contradicts itself: {_NAMES[field]} is {_shown(said[field])} and "
                f"{_shown(read)}. Keep only one of them."
            )
    try:
        return CheckpointSettings(**said)
    except ProfileError as error:
        raise ProfileError(f"{source}: {error}") from error


def parse_resolution(text: str) -> tuple[int, int]:
    """``HxW`` as (height, width); raises ProfileError for anything else."""
    match = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", text)
    if match is None:
        raise ProfileError(f"resolution {text!r} is not HEIGHTxWIDTH, for example 256x256.")
    return int(match[1]), int(match[2])


def parse_levels(text: str) -> Levels:
    """``HxW[,HxW]`` as levels; raises ProfileError for anything else."""
    levels = tuple(parse_resolution(part.strip()) for part in text.split(","))
    _check_levels(levels)
    return levels


def check_side(name: str, size_hw: tuple[int, int]) -> None:
    """Raises ProfileError unless a network can work at that resolution; ``name`` is for it."""
    sides = tuple(size_hw)
    if len(sides) != 2 or not all(
        _is_whole(side) and side % _STEP == 0 and _LEAST_SIDE <= side <= LARGEST_SIDE
        for side in sides
    ):
        raise ProfileError(
            f"{name} {'x'.join(quote(side) for side in sides)}: both sides must be multiples of "
            f"{_STEP} from {_LEAST_SIDE} to {LARGEST_SIDE}."
        )


def _check_levels(levels: Levels | None) -> None:
    if levels is None:
        return
    if not 1 <= len(levels) <= 2:
        raise ProfileError(
            f"refinement resolutions are {len(levels)} levels; expected one or two: only the first "
            "and the last of several are ever computed, so name these."
        )


def _entries(document: object, depth: int) -> Iterator[tuple[str, Any]]:
    """Every key and value of a document and of the tables in it."""
    if not isinstance(document, Mapping) or depth == 0:
        return
    for key, value in document.items():
        if isinstance(key, str):
            yield key, value
        yield from _entries(value, depth - 1)


def _read(key: str, value: Any, source: str) -> Any:
    """A value as the field of that key has it; None where it says nothing.

    Of a checkpoint's pickle whatever is not plain is a stand-in, which nothing can be read from.
    """
    if not isinstance(value, bool | int | float | str | list | tuple):
        return None
    if key == "extra_convs":
        if value is False:
            return None
        raise ProfileError(
            f"{source} says extra_convs = {quote(value)}: that option of the published code adds "
            "convolutions to the backbone, with which its own forward pass fails. No variant here "
            "has them."
        )
    if key == "initial_resolution":
        return parse_resolution(value) if isinstance(value, str) else _size(key, value, source)
    if key == "refinement_resolutions":
        if isinstance(value, str):
            return parse_levels(value)
        if not isinstance(value, list | tuple) or not value:
            raise ProfileError(f"{source}: {key} is {quote(value)}; expected a list of [H, W].")
        levels = tuple(_size(key, level, source) for level in value)
        return levels if len(levels) < 2 else (levels[0], levels[-1])
    if key == "softmax_temperature" and _is_number(value):
        return float(value)
    return value


def _size(key: str, value: Any, source: str) -> tuple[int, int]:
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2
        or not all(_is_whole(side) for side in value)
    ):
        raise ProfileError(f"{source}: {key} is {quote(value)}; expected [HEIGHT, WIDTH].")
    return int(value[0]), int(value[1])


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    """A setting as a person writes it."""
    if not isinstance(value, tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    levels = value if isinstance(value[0], tuple) else (value,)
    return ",".join(f"{height}x{width}" for height, width in levels)


NOTHING_SAID = CheckpointSettings()
DEFAULT_SETTINGS = CheckpointSettings(refinements=4, softmax_temperature=20.0, gelu="erf")
"""What the published PyTorch code has by default; levels follow the initial resolution."""

_PROPERTIES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "initial_resolution": ("resolution_hw", parse_resolution),
    "refinement_resolutions": ("refinement_resolutions", parse_levels),
    "refinements": ("refinements", int),
    "softmax_temperature": ("softmax_temperature", float),
    "gelu": ("gelu", str),
}
assert set(_NAMES) == {field.name for field in fields(CheckpointSettings)}
