"""Points that somebody labelled in frames of a clip, of which each becomes one query."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from locoexport.errors import InputError
from locoexport.machine.reading.documents import quote

__all__ = ["LabelledPoint", "PointList", "first_of_each", "frame_of_name"]

_ROBOFLOW = re.compile(r"(_[A-Za-z0-9]{2,5})?\.rf\.[0-9A-Za-z]{16,}$")
_HASH = re.compile(r"(?=[0-9]*[A-Fa-f])(?<![0-9A-Za-z])[0-9A-Fa-f]{12,}$")

PointList = list[tuple[float, float, float]]
"""Queries as (t, y, x)."""


@dataclass(frozen=True)
class LabelledPoint:
    """A point in a frame.

    Attributes:
        identity: what it is a point of: equal in all frames in which it is the same point.
        frame: counted from 0.
        y: in pixels, pixel centres at .5.
        x: in pixels, pixel centres at .5.
        visible: whether it was seen, and not only guessed behind something.
    """

    identity: Hashable
    frame: int
    y: float
    x: float
    visible: bool = True


def first_of_each(points: Iterable[LabelledPoint]) -> PointList:
    """A query for each identity: where it is first seen; first guessed, where it never is seen.

    They stand in the order in which identities are first named. Points without a place are left
    out.
    """
    chosen: dict[Hashable, LabelledPoint] = {}
    for point in points:
        if not (math.isfinite(point.x) and math.isfinite(point.y)):
            continue
        known = chosen.get(point.identity)
        if known is None or (not point.visible, point.frame) < (not known.visible, known.frame):
            chosen[point.identity] = point
    return [(point.frame, point.y, point.x) for point in chosen.values()]


def frame_of_name(name: str) -> int:
    """The frame's number that ends an image's name, such as 42 of ``labeled-data/a/img0042.png``.

    What Roboflow appends (``_jpg.rf.`` and a hash) is taken off before.

    Raises:
        InputError: there is none, or its digits are those of a hash.
    """
    stem = PurePosixPath(name.replace("\\", "/")).stem if "." in name else name
    stem = _ROBOFLOW.sub("", stem)
    match = re.search(r"([0-9]{1,12})$", stem)
    if match is None or _HASH.search(stem):
        raise InputError(
            f"the frame of the image {quote(name)} is unknown: its name does not end in a number."
        )
    return int(match[1])
