"""What goes into a graph and what comes out: the single file, the three of a split, and live ones.

A split export is three files that together are the single one: the encoder (frames → grids), the
query sampler (grids + query points → supports) and the tracker (grids + supports + query points →
tracks). A live export has the same encoder and query sampler, and in the tracker's place a file
for the newest frame alone: its grids, supports, query points and a memory of earlier answers →
tracks, and the memory for the next frame. All tensors are float32, but for the frames of a file
that takes them as a clip has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.contract.profile import AxisSizes, InputType
from locoexport.errors import UsageError

__all__ = [
    "FIRST_GRID_NAMES",
    "FIRST_LEVEL",
    "FIRST_SUPPORT_NAMES",
    "GRID_NAMES",
    "LIVE_ROLES",
    "MEMORY_INPUT",
    "MEMORY_OUTPUT",
    "SPLIT_ROLES",
    "SUPPORT_NAMES",
    "FileRole",
    "GraphInterface",
    "GridShapes",
    "grid_names",
    "interface_of",
    "support_names",
]

FileRole = Literal["whole", "encoder", "query", "tracker", "live"]
"""Which file of an export: the single one, one of a split's three, or the newest frame's."""
SPLIT_ROLES: tuple[FileRole, ...] = ("encoder", "query", "tracker")
LIVE_ROLES: tuple[FileRole, ...] = ("encoder", "query", "live")

LiveWindow = int | Literal["open"]
"""How many of the newest frames a live export looks at; ``open`` is any number."""
LARGEST_WINDOW = 256

MEMORY_INPUT = "memory"
"""(batch, points, past, channels): what is kept of each point in the frames before, oldest first;
zeros for a frame in which the point was not there yet."""
MEMORY_OUTPUT = "next_memory"
"""The same for the next frame: the oldest is left out, this one is the last."""

GRID_NAMES = ("grid_hires", "grid_lowres", "grid_highest")
"""(batch, frames, h, w, channels): normalised features of every frame, a grid each."""
SUPPORT_NAMES = ("support_hires", "support_lowres", "support_highest")
"""(batch, points, 49, channels): the 7×7 features around each query point, dx fastest."""

FIRST_LEVEL = "first_"
"""How names of the first level begin, where it is not the last one as well."""
FIRST_GRID_NAMES = (f"{FIRST_LEVEL}grid_hires", f"{FIRST_LEVEL}grid_lowres")
FIRST_SUPPORT_NAMES = (f"{FIRST_LEVEL}support_hires", f"{FIRST_LEVEL}support_lowres")
"""Initial tracks read two of the first level's three grids."""

Shape = tuple[int | str, ...]
GridShapes = tuple[tuple[int, int, int], ...]
"""(h, w, channels) of each grid, in the order of ``GRID_NAMES``, then of ``FIRST_GRID_NAMES``
where the first level is another."""

_SUPPORT_CELLS = 49


@dataclass(frozen=True)
class GraphInterface:
    """Inputs and outputs by name, in order: sizes, and names of dynamic axes.

    ``types`` are those of tensors that are not float32.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    types: Mapping[str, InputType] = field(default_factory=dict)

    def type_of(self, name: str) -> InputType:
        """The type of a tensor's elements."""
        return self.types.get(name, "float32")

    @property
    def shapes(self) -> dict[str, Shape]:
        """All of them."""
        return {**self.inputs, **self.outputs}

    def dynamic_axes(self) -> dict[str, dict[int, str]]:
        """The axes left open, as torch's exporter wants them: by tensor, by dimension."""
        return {
            name: {i: size for i, size in enumerate(shape) if isinstance(size, str)}
            for name, shape in self.shapes.items()
        }


def parse_window(text: str) -> LiveWindow:
    """The frames that a live export looks at, or ``open``; raises UsageError for anything else."""
    if text == "open":
        return "open"
    if re.fullmatch(r"[0-9]{1,4}", text) is None or not 1 <= int(text) <= LARGEST_WINDOW:
        raise UsageError(
            f"--live is {text!r}; it is a number of frames from 1 to {LARGEST_WINDOW}, or open."
        )
    return int(text)


def fixed_window(window: LiveWindow | None) -> int | None:
    """The number of frames; None where it is open, or nothing is live."""
    return window if isinstance(window, int) else None


def grid_names(two_levels: bool) -> tuple[str, ...]:
    """What the encoder of a split gives."""
    return (*GRID_NAMES, *FIRST_GRID_NAMES) if two_levels else GRID_NAMES


def support_names(two_levels: bool) -> tuple[str, ...]:
    """What the query sampler of a split gives."""
    return (*SUPPORT_NAMES, *FIRST_SUPPORT_NAMES) if two_levels else SUPPORT_NAMES


def interface_of(
    role: FileRole,
    axes: AxisSizes,
    resolution_hw: tuple[int, int],
    grids: GridShapes = (),
    input_type: InputType = "float32",
    *,
    memory: tuple[int | None, int] = (None, 0),
) -> GraphInterface:
    """The interface of a file; ``grids`` are needed for the files of a split alone.

    A file that takes ``uint8`` frames takes any height and width, and is always a single one.
    ``memory`` is how many frames a live file remembers (None for any number), and how many numbers
    of each point in a frame.
    """
    batch: int | str = axes.batch or "batch"
    frames: int | str = axes.frames or "frames"
    points: int | str = axes.points or "points"
    if role == "live":
        frames = 1
    size_hw: tuple[int | str, int | str] = resolution_hw
    types: dict[str, InputType] = {}
    if input_type == "uint8":
        size_hw, types = ("height", "width"), {VIDEO_INPUT: input_type}
    video: dict[str, Shape] = {VIDEO_INPUT: (batch, frames, *size_hw, 3)}
    queries: dict[str, Shape] = {QUERY_INPUT: (batch, points, 3)}
    tracks: dict[str, Shape] = {
        OUTPUT_NAMES[0]: (batch, points, frames, 2),
        OUTPUT_NAMES[1]: (batch, points, frames),
        OUTPUT_NAMES[2]: (batch, points, frames),
    }
    if role == "whole":
        return GraphInterface(video | queries, tracks, types)
    two_levels = len(grids) > len(GRID_NAMES)
    features: dict[str, Shape] = {
        name: (batch, frames, *shape)
        for name, shape in zip(grid_names(two_levels), grids, strict=True)
    }
    supports: dict[str, Shape] = {
        name: (batch, points, _SUPPORT_CELLS, shape[2])
        for name, shape in zip(support_names(two_levels), grids, strict=True)
    }
    if role == "encoder":
        return GraphInterface(video, features)
    if role == "query":
        return GraphInterface(features | queries, supports)
    if role == "live":
        past, channels = memory
        shape: Shape = (batch, points, "past" if past is None else past, channels)
        kept: dict[str, Shape] = {MEMORY_INPUT: shape}
        return GraphInterface(features | supports | queries | kept, tracks | {MEMORY_OUTPUT: shape})
    return GraphInterface(features | supports | queries, tracks)
