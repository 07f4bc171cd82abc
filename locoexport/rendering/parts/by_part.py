"""Values of the parts of a network → JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locoexport.inspection.parts import Part

__all__ = ["by_part_document"]


def by_part_document(values: Mapping[Part, float]) -> list[dict[str, Any]]:
    """An object for each part, with its ``value``, in the order of ``values``."""
    return [asdict(part) | {"value": value} for part, value in values.items()]
