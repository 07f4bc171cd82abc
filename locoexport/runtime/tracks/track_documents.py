"""Tracks as JSON: the arrays of a .npz by name, as lists."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.limits import TRACKS_BYTES
from locoexport.machine.reading.documents import read_json

__all__ = ["plain_values", "read_document", "write_document"]

_TYPES = {
    "fps": np.float64,
    "time_s": np.float64,
    "query_points_tyx": np.float32,
    "confidence": np.float32,
    "object_ids": np.int64,
    "frames_repeated": np.int64,
}


def write_document(path: Path, schema: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name, and the schema; null stands for NaN."""
    document = {"schema": schema, **{name: plain_values(each) for name, each in arrays.items()}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, allow_nan=False)
        file.write("\n")


def read_document(path: Path, schemas: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays of tracks in a document of one of those schemas; the first is named in errors.

    Raises:
        InputError: it is none, or too large.
        LookupError, ValueError, TypeError, OverflowError: it is malformed.
    """
    document = read_json(path, limit=TRACKS_BYTES)
    if not isinstance(document, dict) or document.get("schema") not in schemas:
        raise InputError(f"it is not a document of the schema {next(iter(schemas))}.")
    visible = np.array(document["visible"])
    points, frames = visible.shape if visible.ndim == 2 else (0, 0)
    arrays = {
        name: np.array(document[name], kind) for name, kind in _TYPES.items() if name in document
    }
    # Of no points or no frames a list does not tell the other sides.
    xy = np.array(document["tracks_xy"], np.float32).reshape(points, frames, 2)
    others = {
        name: np.array(document[name]) for name in ("frame_hw", "warnings") if document.get(name)
    }
    return {**arrays, **others, "visible": visible, "tracks_xy": xy}


def plain_values(value: NDArray[Any]) -> Any:
    """Nested lists, or a number; float32s as the shortest float64s that read back the same, None
    for NaN."""
    if value.dtype != np.float32:
        return value.tolist()
    shortest = value.astype(str).astype(np.float64)
    if not np.isnan(shortest).any():
        return shortest.tolist()
    known = shortest.astype(object)
    known[np.isnan(shortest)] = None
    return known.tolist()
