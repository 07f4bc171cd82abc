"""Which points a live run begins with."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import QueryError
from locoexport.runtime.queries.points import check_queries, parse_points
from locoexport.runtime.queries.sources import feature_queries

__all__ = ["LivePoints"]

_DEFAULT_CORNERS = 64
_NONE = "none"


@dataclass(frozen=True)
class LivePoints:
    """Points of the first frame, as they were written.

    Attributes:
        points: ``grid:N``, ``grid:NxM``, ``corners``, ``corners:N`` or ``none``; None where nothing
            was said.
        queries: ``y,x`` each, in pixels of the frame.
    """

    points: str | None = None
    queries: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether anything was asked for, or nothing explicitly."""
        return self.points is not None or bool(self.queries)

    def collect_yx(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """All of them, float32 (points, 2) as (y, x) in pixels of that frame.

        Raises:
            QueryError: something cannot be read, or lies outside the frame.
        """
        height, width = frame_rgb.shape[:2]
        found = [np.zeros((0, 3), np.float32)]
        if self.points is not None and self.points != _NONE:
            found.append(self._named_tyx(frame_rgb))
        if self.queries:
            asked = np.array([_parse_place(text) for text in self.queries], np.float32)
            asked_tyx = np.concatenate((np.zeros((len(asked), 1), np.float32), asked), axis=1)
            found.append(check_queries(asked_tyx, None, height, width))
        return np.concatenate(found)[:, 1:].astype(np.float32)

    def _named_tyx(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.points is not None
        corners = re.fullmatch(r"corners(?::([0-9]{1,6}))?", self.points)
        if corners is not None:
            return feature_queries(frame_rgb, int(corners[1] or _DEFAULT_CORNERS))
        try:
            grid = parse_points(self.points)
        except QueryError as error:
            raise QueryError(
                f"{str(error).rstrip('.')}. Here corners, corners:N and none are points too."
            ) from error
        return grid.queries(*frame_rgb.shape[:2])


def _parse_place(text: str) -> tuple[float, float]:
    try:
        y, x = (float(number) for number in text.split(","))
    except ValueError:
        raise QueryError(
            f"A point of the first frame is y,x in its pixels, like 120.5,64; not {text!r}."
        ) from None
    return y, x
