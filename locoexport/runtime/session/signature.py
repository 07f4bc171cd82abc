"""What an open file takes, read once from its graph and metadata, and checks against arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.metadata import (
    METADATA_PREFIX,
    METADATA_SCHEMA,
    OUTPUT_NAMES,
    QUERY_INPUT,
    VIDEO_INPUT,
    ArtifactMetadata,
)
from locoexport.contract.profile import LARGEST_SIDE, InputType
from locoexport.errors import ModelFileError, QueryError, VideoError
from locoexport.machine.hardware import read_memory

__all__ = [
    "Signature",
    "check_queries_fit",
    "check_sizes",
    "check_video_fits",
    "fixed_size",
    "read_metadata",
    "read_properties",
    "read_signature",
]

_RANKS = {VIDEO_INPUT: 5, QUERY_INPUT: 3, **dict(zip(OUTPUT_NAMES, (4, 3, 3), strict=True))}
_FEWEST_FRAMES = 2
_TYPES: dict[str, InputType] = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


@dataclass(frozen=True)
class Signature:
    """What a file takes.

    Attributes:
        resolution_hw: (height, width) that the network works at.
        input_type: ``float32``: frames in [-1, 1] of exactly that resolution, points in its pixels;
            ``uint8``: frames of any size, points in their pixels.
        fixed_batch: None where any number goes; the others alike.
        fixed_frames: frames.
        fixed_points: query points.
    """

    resolution_hw: tuple[int, int]
    input_type: InputType
    fixed_batch: int | None
    fixed_frames: int | None
    fixed_points: int | None


class _Fitted(Protocol):
    """What the checks of arrays read of a model."""

    path: Path
    signature: Signature


def read_metadata(path: Path, session: Any, *, required: bool) -> ArtifactMetadata | None:
    """What the file says of itself; None where it carries nothing and need not.

    Raises:
        ModelFileError: it carries none though it has to.
    """
    properties = read_properties(path, session)
    if not required and properties.get(f"{METADATA_PREFIX}schema") != METADATA_SCHEMA:
        return None
    try:
        return ArtifactMetadata.from_properties(properties)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def read_properties(path: Path, session: Any) -> dict[str, str]:
    """The metadata properties of the file at ``path``, open as ``session``.

    Raises:
        ModelFileError: they are no text.
    """
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except Exception as error:  # what the file holds is turned into text only now
        raise ModelFileError(f"{path}: its metadata cannot be read ({error}).") from error


def check_sizes(path: Path, signature: Signature) -> None:
    """Hold what a file asks for against this machine, before anything is made for it.

    A stranger's file may say any size, as a whole or of an axis. What its smallest run would be
    given and give back must fit into the memory that this machine has; what the graph itself
    needs cannot be known before it runs.

    Args:
        path: of the file.
        signature: what it says.

    Raises:
        ModelFileError: a size is below 1, a side above ``LARGEST_SIDE``, or all too much together.
    """
    height, width = signature.resolution_hw
    batch, frames, points = (
        fixed or least
        for fixed, least in (
            (signature.fixed_batch, 1),
            (signature.fixed_frames, _FEWEST_FRAMES),
            (signature.fixed_points, 1),
        )
    )
    fixed = (signature.fixed_batch, signature.fixed_frames, signature.fixed_points)
    if min(height, width, *(1 if size is None else size for size in fixed)) < 1:
        raise ModelFileError(
            f"{path} takes {_told(signature)}; every size is at least 1. It is not a correct "
            "export."
        )
    if max(height, width) > LARGEST_SIDE:
        raise ModelFileError(
            f"{path} works at {height}x{width} pixels; exported files have at most {LARGEST_SIDE} "
            "a side. It is not a correct export."
        )
    needed = 4 * batch * (frames * height * width * 3 + points * frames * 4 + points * 3)
    memory = read_memory()
    there = memory.total if memory.limit is None else min(memory.total, memory.limit)
    if needed > there:
        raise ModelFileError(
            f"{path} takes {_told(signature)}: the arrays of one call alone would need "
            f"{needed / 1e9:,.1f} GB, and this machine has {there / 1e9:.1f} GB. Export it with "
            "smaller sizes."
        )


def _told(signature: Signature) -> str:
    height, width = signature.resolution_hw
    return (
        f"{signature.fixed_batch or 'any number of'} videos of "
        f"{signature.fixed_frames or 'any number of'} frames of {height}x{width} pixels, and "
        f"{signature.fixed_points or 'any number of'} points"
    )


def read_signature(path: Path, session: Any, metadata: ArtifactMetadata | None) -> Signature:
    """What the single file at ``path``, open as ``session``, takes.

    Raises:
        ModelFileError: its inputs, outputs or metadata are not those of an exported file.
    """
    arguments = {
        argument.name: argument for argument in (*session.get_inputs(), *session.get_outputs())
    }
    _check_names(path, session, arguments.keys(), metadata)
    video, queries = arguments[VIDEO_INPUT], arguments[QUERY_INPUT]
    for name, rank in _RANKS.items():
        argument = arguments[name]
        allowed = tuple(_TYPES) if argument is video else ("tensor(float)",)
        if argument.type not in allowed or len(argument.shape) != rank:
            raise ModelFileError(
                f"{path} is not an exported tracker: {name} is {argument.type} of shape "
                f"{argument.shape}; expected float32 of rank {rank}."
            )
    input_type = _TYPES[video.type]
    if metadata is not None and metadata.input_type != input_type:
        raise ModelFileError(
            f"{path} contradicts itself: its metadata says that it takes {metadata.input_type} "
            f"frames, its graph takes {input_type}. Export it again."
        )
    read = _read_working_resolution if input_type == "uint8" else _read_resolution
    signature = Signature(
        resolution_hw=read(path, list(video.shape), metadata),
        input_type=input_type,
        fixed_batch=fixed_size(video.shape[0], queries.shape[0]),
        fixed_frames=fixed_size(video.shape[1]),
        fixed_points=fixed_size(queries.shape[1]),
    )
    check_sizes(path, signature)
    return signature


def fixed_size(*dimensions: Any) -> int | None:
    """The fixed size among dimensions that must agree; None where all are dynamic."""
    return next((size for size in dimensions if isinstance(size, int)), None)


def check_video_fits(model: _Fitted, video: NDArray[Any]) -> None:
    """Raises VideoError where type or shape are not what the model takes."""
    takes = model.signature
    height, width = takes.resolution_hw
    any_size = takes.input_type == "uint8"
    wanted = (
        takes.fixed_batch or "batch",
        takes.fixed_frames or "frames",
        "height" if any_size else height,
        "width" if any_size else width,
        3,
    )
    if video.dtype != np.dtype(takes.input_type) or not _shape_fits(video.shape, wanted):
        raise VideoError(
            f"{model.path} takes a {takes.input_type} video of shape "
            f"({', '.join(map(str, wanted))}), not {video.dtype} of shape {video.shape}."
        )


def check_queries_fit(model: _Fitted, points: NDArray[np.float32], *, batch: int) -> None:
    """Raises QueryError where type or shape are not what the model takes, or one is not finite."""
    wanted = (batch, model.signature.fixed_points or "points", 3)
    if points.dtype != np.float32 or not _shape_fits(points.shape, wanted):
        raise QueryError(
            f"{model.path} takes float32 query points of shape "
            f"({', '.join(map(str, wanted))}), not {points.dtype} of shape {points.shape}."
        )
    bad = np.argwhere(~np.isfinite(points).all(axis=2))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise QueryError(
            f"Query point {index[1]} of batch entry {index[0]} is "
            f"{tuple(float(v) for v in points[index])} (t, y, x); all three must be finite."
        )


def _shape_fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        have == want if isinstance(want, int) else have > 0
        for have, want in zip(shape, wanted, strict=True)
    )


def _check_names(path: Path, session: Any, names: Any, metadata: ArtifactMetadata | None) -> None:
    inputs = {argument.name for argument in session.get_inputs()}
    if metadata is not None and metadata.part != "whole":
        raise ModelFileError(
            f"{path} is the {metadata.part} file of a split export, which needs its "
            "two neighbours beside it; this command takes a single file."
        )
    if inputs != {VIDEO_INPUT, QUERY_INPUT} or not names >= set(OUTPUT_NAMES):
        raise ModelFileError(
            f"{path} is not an exported tracker: its inputs are "
            f"{', '.join(sorted(inputs)) or 'none'} and its outputs "
            f"{', '.join(sorted(names - inputs)) or 'none'}; expected "
            f"{VIDEO_INPUT}, {QUERY_INPUT} and {', '.join(OUTPUT_NAMES)}."
        )


def _read_resolution(
    path: Path, shape: list[Any], metadata: ArtifactMetadata | None
) -> tuple[int, int]:
    """Of a file that takes frames at the working resolution: its graph fixes it."""
    height, width, channels = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int) or channels != 3:
        raise ModelFileError(
            f"{path}: {VIDEO_INPUT} has shape {shape}; height and width must be "
            "fixed and there must be 3 channels."
        )
    stated = metadata.resolution_hw if metadata else (height, width)
    if stated != (height, width):
        raise ModelFileError(
            f"{path} contradicts itself: its metadata says {stated[0]}x{stated[1]}, "
            f"its graph takes {height}x{width}. Export it again."
        )
    return height, width


def _read_working_resolution(
    path: Path, shape: list[Any], metadata: ArtifactMetadata | None
) -> tuple[int, int]:
    """Of a file that takes frames of any size: only its metadata tells it."""
    if metadata is None:
        raise ModelFileError(
            f"{path} takes uint8 frames but carries no locoexport metadata, so its working "
            "resolution is unknown. Export it again with locoexport."
        )
    if any(isinstance(size, int) for size in shape[2:4]) or shape[4] != 3:
        raise ModelFileError(
            f"{path}: {VIDEO_INPUT} has shape {shape}; where frames are uint8, height and width "
            "must be open and there must be 3 channels."
        )
    return metadata.resolution_hw
