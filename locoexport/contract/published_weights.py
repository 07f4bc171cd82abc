"""What is known of a profile's weights that others published, and what its network costs.

These facts stand in the profile's TOML, so that ``locoexport profiles`` needs neither torch nor
onnx to tell them. A profile of a user's own may leave all of them out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "COSTED_CALL",
    "COST_KEYS",
    "PUBLISHED_KEYS",
    "OtherWeights",
    "ProfileCost",
    "PublishedFacts",
    "parse_cost",
    "parse_published_facts",
]

COSTED_CALL = "24 frames, 64 points"
"""The call whose operations ``ProfileCost.gflop_24x64`` counts, of one clip."""

PUBLISHED_KEYS = ("licence", "reports", "reports_source", "aliases", "others")
COST_KEYS = ("parameters", "file_bytes", "gflop_24x64")
_OTHER_KEYS = ("name", "where", "licence", "reports", "reports_source")


@dataclass(frozen=True)
class OtherWeights:
    """Weights of the same network that ``--checkpoint published`` does not take: retrained ones.

    ``licence`` and ``reports`` are None where their authors state none.
    """

    name: str
    where: str
    licence: str | None = None
    reports: str | None = None
    reports_source: str | None = None


@dataclass(frozen=True)
class PublishedFacts:
    """What the authors say of the weights that a profile's ``published_weights`` names.

    ``licence`` and ``reports`` (accuracy, as published; ``reports_source`` says where that was
    read) are None where they are not stated. ``aliases`` are names that their authors give to this
    variant, by which a file is found in a repository.
    """

    licence: str | None = None
    reports: str | None = None
    reports_source: str | None = None
    aliases: tuple[str, ...] = ()
    others: tuple[OtherWeights, ...] = ()


@dataclass(frozen=True)
class ProfileCost:
    """What the profile's network costs as it is exported without options.

    ``parameters`` counts what was trained, ``file_bytes`` the float32 file, and ``gflop_24x64`` the
    1e9 floating-point operations of its convolutions and matrix products, two to a multiply-add, in
    one call of 24 frames and 64 points at the profile's own resolution.
    """

    parameters: int
    file_bytes: int
    gflop_24x64: float

    def __post_init__(self) -> None:
        """Refuse what is no amount; raises ValueError."""
        if not (self.parameters > 0 and self.file_bytes > 0 and 0 < self.gflop_24x64 < math.inf):
            raise ValueError("[cost] must hold amounts above 0")


def parse_published_facts(table: Mapping[str, Any]) -> PublishedFacts | None:
    """The facts in a profile's table ``weights``; None where it has none.

    Raises:
        TypeError, ValueError, KeyError: a value of another kind, an unknown key, a missing one.
    """
    if not any(key in table for key in PUBLISHED_KEYS):
        return None
    aliases = table.get("aliases", [])
    others = table.get("others", [])
    if not isinstance(aliases, list) or not isinstance(others, list):
        raise TypeError("weights.aliases and weights.others are lists")
    return PublishedFacts(
        licence=_text(table.get("licence")),
        reports=_text(table.get("reports")),
        reports_source=_text(table.get("reports_source")),
        aliases=tuple(_required_text(alias) for alias in aliases),
        others=tuple(_parse_other(other) for other in others),
    )


def parse_cost(table: Mapping[str, Any]) -> ProfileCost | None:
    """The table ``cost`` of a profile; None where it is empty.

    Raises:
        TypeError, ValueError, KeyError: as ``parse_published_facts``.
    """
    if not table:
        return None
    parameters, file_bytes = table["parameters"], table["file_bytes"]
    gflop = table["gflop_24x64"]
    for name, value in (("parameters", parameters), ("file_bytes", file_bytes)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"cost.{name} is not an integer")
    if isinstance(gflop, bool) or not isinstance(gflop, int | float):
        raise TypeError("cost.gflop_24x64 is not a number")
    return ProfileCost(parameters, file_bytes, float(gflop))


def _parse_other(table: object) -> OtherWeights:
    if not isinstance(table, dict):
        raise TypeError("weights.others holds something that is not a table")
    unknown = sorted(set(table) - set(_OTHER_KEYS))
    if unknown:
        raise ValueError(f"weights.others has unknown keys, {', '.join(unknown)[:200]}")
    return OtherWeights(
        _required_text(table["name"]),
        _required_text(table["where"]),
        _text(table.get("licence")),
        _text(table.get("reports")),
        _text(table.get("reports_source")),
    )


def _text(value: object) -> str | None:
    return None if value is None else _required_text(value)


def _required_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("everything about published weights must be text")
    return value
