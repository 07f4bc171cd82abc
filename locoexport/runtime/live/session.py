"""The three files of a live export, open: grids of a frame, supports of points, an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.interface import (
    LARGEST_WINDOW,
    MEMORY_INPUT,
    MEMORY_OUTPUT,
    FileRole,
    grid_names,
    support_names,
)
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import MachineError, ModelFileError, UsageError
from locoexport.runtime.session.placement import PlacedNode, count_placed, placed_nodes
from locoexport.runtime.session.providers import ORT_ERRORS
from locoexport.runtime.session.signature import Signature, check_sizes, fixed_size
from locoexport.runtime.session.single import OpenedFile, RunStyle, one_line, run_stoppable
from locoexport.runtime.session.split import open_parts, shapes_of_parts
from locoexport.runtime.session.split_files import find_live_files

__all__ = ["Grids", "LiveAnswer", "LiveSession", "Supports", "open_live"]

Array = NDArray[np.float32]
Grids = Mapping[str, Array]
"""Of one frame, by ``contract.interface.grid_names``: float32 (1, 1, h, w, channels)."""
Supports = Mapping[str, Array]
"""Of points, by ``contract.interface.support_names``: float32 (1, points, 49, channels)."""

_STYLES: Mapping[FileRole, RunStyle] = {
    "encoder": RunStyle(spinning=False),
    "query": RunStyle(spinning=False, blocked_layout=False),
    "live": RunStyle(spinning=False, blocked_layout=False),
}
"""Measured with b0-tiny at 64 points on two threads: the live file 40 ms spinning and 25 ms so; the
encoder 8 ms with and without spinning, and 17 ms without its blocked layout."""
_MOST_CHANNELS = 8192
"""Numbers of a point in a frame, or of a cell; those of published variants are below 1000."""


@dataclass(frozen=True, eq=False)
class LiveAnswer:
    """What is said of the newest frame.

    ``tracks_xy`` float32 (points, 2) in pixels of the working resolution; ``occlusion`` and
    ``expected_dist`` float32 (points,) logits; ``memory`` float32 (1, points, W-1, channels).
    """

    tracks_xy: Array
    occlusion: Array
    expected_dist: Array
    memory: Array


def open_live(
    path: str | Path,
    provider: str = "cpu",
    *,
    profile_prefix: str | Path | None = None,
    threads: int | None = None,
    cached: bool = False,
) -> LiveSession:
    """Open the files of a live export; the arguments are those of ``open_session``.

    Raises:
        ModelFileError: a file is missing or damaged, or they are not of one export.
        UsageError, ProviderUnavailableError: see ``open_session``.
    """
    paths = find_live_files(path)
    if paths is None:
        raise ModelFileError(
            f"{path} is not a live export (NAME.encoder.onnx, NAME.query.onnx, NAME.live.onnx); "
            "`locoexport export --live` makes one."
        )
    opened, metadata = open_parts(
        paths,
        provider,
        profile_prefix=profile_prefix,
        threads=threads,
        cached=cached,
        styles=_STYLES,
    )
    return LiveSession(opened, metadata, provider, profiled=profile_prefix is not None)


class LiveSession:
    """Three open files. Calls may come from several threads.

    Attributes:
        resolution_hw: (height, width) that frames are given at.
        window: frames that it looks at, the newest included; None where any number goes.
        memory_channels: how many numbers are kept of a point in a frame.
        support_shapes: (cells, channels) of each support, by name.
        identity: variant, weights and settings: what features and answers are of.
    """

    def __init__(
        self,
        opened: Mapping[FileRole, OpenedFile],
        metadata: ArtifactMetadata,
        provider: str,
        *,
        profiled: bool = False,
    ) -> None:
        """Wrap three ``onnxruntime.InferenceSession``; ``open_live`` is the way to get one.

        Raises:
            ModelFileError: inputs or outputs are not those of a live export.
        """
        self.paths = {role: part.file.path for role, part in opened.items()}
        self.path, self.provider, self.metadata = self.paths["live"], provider, metadata
        self.files_sha256 = {part.file.path: part.file.sha256 for part in opened.values()}
        self.sha256 = "+".join(self.files_sha256.values())
        self.load_note = "; ".join(f"{role}: {part.load_note}" for role, part in opened.items())
        self._sessions = {role: part.session for role, part in opened.items()}
        first_hw, last_hw = metadata.trained.levels
        self._grids = grid_names(first_hw != last_hw)
        self._supports = support_names(first_hw != last_hw)
        self._placed: tuple[PlacedNode, ...] | None = None if profiled else ()
        shapes = shapes_of_parts(opened)
        self._check_kinds(shapes)
        self.signature = self._read_signature(shapes)
        self.resolution_hw = self.signature.resolution_hw
        self.fixed_batch, self.fixed_frames = self.signature.fixed_batch, None
        self.fixed_points = self.signature.fixed_points
        past, self.memory_channels = shapes[MEMORY_INPUT][2:]
        self.window = past + 1 if isinstance(past, int) else None
        self.support_shapes = {name: (shapes[name][2], shapes[name][3]) for name in self._supports}
        self.identity = f"{metadata.variant} {metadata.weights} {metadata.trained}"

    def _check_kinds(self, shapes: Mapping[str, list[Any]]) -> None:
        """Every input and output is there, is float32, and has its rank."""
        names = (VIDEO_INPUT, QUERY_INPUT, *self._grids, *self._supports, *OUTPUT_NAMES)
        ranks = (5, 3, *(5 for _ in self._grids), *(4 for _ in self._supports), 4, 3, 3)
        wanted = dict(zip(names, ranks, strict=True)) | {MEMORY_INPUT: 4, MEMORY_OUTPUT: 4}
        wrong = [n for n, rank in wanted.items() if n not in shapes or len(shapes[n]) != rank]
        wrong += [
            argument.name
            for session in self._sessions.values()
            for argument in (*session.get_inputs(), *session.get_outputs())
            if argument.type != "tensor(float)"
        ]
        if wrong:
            raise ModelFileError(
                f"{self.path} and its two neighbours are not a live export: {wrong[0]} is "
                "missing, or is not float32 of the right rank. Export them again with "
                "`locoexport export "
                "--live`."
            )

    def _read_signature(self, shapes: Mapping[str, list[Any]]) -> Signature:
        """What the files take, held against each other and against this machine."""
        batch, points, past, channels = shapes[MEMORY_INPUT]
        frames_hw = tuple(shapes[VIDEO_INPUT][2:4])
        cells = [size for name in self._supports for size in shapes[name][2:]]
        sizes_fit = all(isinstance(n, int) and 1 <= n <= _MOST_CHANNELS for n in (*cells, channels))
        window_fits = not isinstance(past, int) or 0 <= past < LARGEST_WINDOW
        if frames_hw != self.metadata.resolution_hw or not (sizes_fit and window_fits):
            raise ModelFileError(
                f"{self.path} contradicts itself: its frames, its memory or its supports have "
                f"other sizes than a live export of {self.metadata.resolution_hw[0]}x"
                f"{self.metadata.resolution_hw[1]} has. Export it again."
            )
        if fixed_size(batch) not in (None, 1) or fixed_size(shapes[VIDEO_INPUT][1]) not in (
            None,
            1,
        ):
            raise ModelFileError(
                f"{self.path} takes {batch} clips, or several frames, at a time; live, there is "
                "one of each. Export it again with --batch dynamic --frames dynamic."
            )
        signature = Signature(
            self.metadata.resolution_hw, "float32", fixed_size(batch), None, fixed_size(points)
        )
        check_sizes(self.path, signature)
        return signature

    def encode(self, frame: Array) -> dict[str, Array]:
        """The grids of a frame: float32 (1, 1, height, width, 3) in [-1, 1]."""
        return self._run("encoder", self._grids, {VIDEO_INPUT: frame})

    def sample(self, grids: Grids, points_yx: Array) -> dict[str, Array]:
        """The supports of points, float32 (points, 2) in pixels of the working resolution."""
        queries = np.zeros((1, len(points_yx), 3), np.float32)
        queries[0, :, 1:] = points_yx
        parts = [
            self._run(
                "query", self._supports, {**grids, QUERY_INPUT: _padded(queries[:, at], size)}
            )
            for at, size in self._parts_of(len(points_yx))
        ]
        return {
            name: _put_together([part[name] for part in parts], len(points_yx))
            for name in self._supports
        }

    def follow(
        self, grids: Grids, supports: Supports, query_points_tyx: Array, memory: Array
    ) -> LiveAnswer:
        """Where points are in the frame of those grids.

        A file that is fixed to a number of points is run as often as it takes, and filled up.

        Args:
            grids: of the newest frame.
            supports: of the points, at least one.
            query_points_tyx: float32 (points, 3), t counted from the newest frame: 0 pins a point.
            memory: float32 (1, points, W-1, channels); zeros where a point was not there yet.
        """
        count = len(query_points_tyx)
        of_points = {**supports, QUERY_INPUT: query_points_tyx[None], MEMORY_INPUT: memory}
        outputs = (*OUTPUT_NAMES, MEMORY_OUTPUT)
        parts = []
        for at, size in self._parts_of(count):
            given = {name: _padded(each[:, at], size) for name, each in of_points.items()}
            parts.append(self._run("live", outputs, {**grids, **given}))
        found = {name: _put_together([part[name] for part in parts], count) for name in outputs}
        tracks_xy, occlusion, expected_dist = (found[name] for name in OUTPUT_NAMES)
        return LiveAnswer(
            tracks_xy[0, :, 0], occlusion[0, :, 0], expected_dist[0, :, 0], found[MEMORY_OUTPUT]
        )

    def check_supports(self, supports: Mapping[str, Array]) -> None:
        """Raises UsageError for supports, (points, cells, channels) each, of another model."""
        shapes = {name: each.shape[1:] for name, each in supports.items()}
        if shapes != self.support_shapes:
            raise UsageError(
                f"The features of a point have shapes {shapes}; {self.path} has "
                f"{self.support_shapes}. They are of another model."
            )

    def placed_nodes(self) -> tuple[PlacedNode, ...]:
        """Which node of the files ran on which provider; ends the profile.

        Nothing where it was opened without one.
        """
        if self._placed is None:
            self._placed = tuple(
                node for each in self._sessions.values() for node in placed_nodes(each)
            )
        return self._placed

    def node_placement(self) -> tuple[tuple[str, int], ...]:
        """How many nodes of the three files ran on which provider, most first."""
        return count_placed(self.placed_nodes())

    def _parts_of(self, count: int) -> list[tuple[slice, int]]:
        """The points of each run, and how many the file takes in it."""
        size = self.fixed_points or count
        return [(slice(at, at + size), size) for at in range(0, count, size or 1)]

    def _run(
        self, role: FileRole, outputs: tuple[str, ...], inputs: dict[str, Array]
    ) -> dict[str, Array]:
        try:
            found = run_stoppable(self._sessions[role], outputs, inputs, release=False)
        except ORT_ERRORS as error:
            raise MachineError(
                f"ONNX Runtime failed on {self.provider} while running {self.paths[role]}: "
                f"{one_line(error)}."
            ) from error
        return dict(zip(outputs, found, strict=True))


def _padded(of_points: Array, size: int) -> Array:
    """As many points as a file takes; the points' axis is the second, those added are the first."""
    lacking = size - of_points.shape[1]
    if not lacking:
        return np.ascontiguousarray(of_points)
    return np.concatenate((of_points, np.repeat(of_points[:, :1], lacking, 1)), 1)


def _put_together(parts: list[Array], count: int) -> Array:
    """What runs answered, without what was filled up."""
    return parts[0][:, :count] if len(parts) == 1 else np.concatenate(parts, 1)[:, :count]
