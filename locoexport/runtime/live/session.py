"""The three files of a live export, open: grids of a frame, supports of points, an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.interface import (
    MEMORY_INPUT,
    MEMORY_OUTPUT,
    FileRole,
    grid_names,
    support_names,
)
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import MachineError, ModelFileError
from locoexport.runtime.session.providers import ORT_ERRORS
from locoexport.runtime.session.single import OpenedFile, one_line, run_stoppable
from locoexport.runtime.session.split import open_parts
from locoexport.runtime.session.split_files import find_live_files

__all__ = ["Grids", "LiveAnswer", "LiveSession", "Supports", "open_live"]

Array = NDArray[np.float32]
Grids = Mapping[str, Array]
"""Of one frame, by ``contract.interface.grid_names``: float32 (1, 1, h, w, channels)."""
Supports = Mapping[str, Array]
"""Of points, by ``contract.interface.support_names``: float32 (1, points, 49, channels)."""


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
    path: str | Path, provider: str = "cpu", *, threads: int | None = None, cached: bool = False
) -> LiveSession:
    """Open the files of a live export; the arguments are those of ``open_session``.

    Raises:
        ModelFileError: a file is missing or damaged, or they are not of one export.
        UsageError, ProviderUnavailableError: see ``open_session``.
    """
    paths = find_live_files(path)
    if paths is None:
        raise ModelFileError(
            f"{path} is no live export (NAME.encoder.onnx, NAME.query.onnx, NAME.live.onnx); "
            "`locoexport export --live` makes one."
        )
    opened, metadata = open_parts(paths, provider, threads=threads, cached=cached)
    return LiveSession(opened, metadata, provider)


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
        self, opened: Mapping[FileRole, OpenedFile], metadata: ArtifactMetadata, provider: str
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
        shapes = {
            argument.name: argument.shape
            for session in self._sessions.values()
            for argument in (*session.get_inputs(), *session.get_outputs())
        }
        needed = (VIDEO_INPUT, QUERY_INPUT, *self._grids, *self._supports, *OUTPUT_NAMES)
        missing = [n for n in (*needed, MEMORY_INPUT, MEMORY_OUTPUT) if n not in shapes]
        if missing or len(shapes[MEMORY_INPUT]) != 4 or len(shapes[VIDEO_INPUT]) != 5:
            raise ModelFileError(
                f"{self.path} and its two neighbours are no live export: "
                f"{', '.join(missing) or MEMORY_INPUT} is not as it should be. Export them again."
            )
        self.resolution_hw = metadata.resolution_hw
        _, points, past, channels = shapes[MEMORY_INPUT]
        if not isinstance(channels, int) or tuple(shapes[VIDEO_INPUT][2:4]) != last_hw:
            raise ModelFileError(
                f"{self.path} contradicts itself: its memory or its frames have other sizes than "
                "its metadata says. Export it again."
            )
        self.memory_channels = channels
        self.support_shapes = {
            name: (int(shapes[name][2]), int(shapes[name][3])) for name in self._supports
        }
        self.identity = f"{metadata.variant} {metadata.weights} {metadata.trained}"
        self.window = past + 1 if isinstance(past, int) else None
        self.fixed_points = points if isinstance(points, int) else None

    def encode(self, frame: Array) -> dict[str, Array]:
        """The grids of a frame: float32 (1, 1, height, width, 3) in [-1, 1]."""
        return self._run("encoder", self._grids, {VIDEO_INPUT: frame})

    def sample(self, grids: Grids, points_yx: Array) -> dict[str, Array]:
        """The supports of points, float32 (points, 2) in pixels of the working resolution."""
        queries = np.zeros((1, len(points_yx), 3), np.float32)
        queries[0, :, 1:] = points_yx
        return self._run("query", self._supports, {**grids, QUERY_INPUT: queries})

    def follow(
        self, grids: Grids, supports: Supports, query_points_tyx: Array, memory: Array
    ) -> LiveAnswer:
        """Where points are in the frame of those grids.

        Args:
            grids: of the newest frame.
            supports: of the points.
            query_points_tyx: float32 (points, 3), t counted from the newest frame: 0 pins a point.
            memory: float32 (1, points, W-1, channels); zeros where a point was not there yet.
        """
        given = {**grids, **supports, QUERY_INPUT: query_points_tyx[None], MEMORY_INPUT: memory}
        found = self._run("live", (*OUTPUT_NAMES, MEMORY_OUTPUT), given)
        tracks_xy, occlusion, expected_dist = (found[name] for name in OUTPUT_NAMES)
        return LiveAnswer(
            tracks_xy[0, :, 0], occlusion[0, :, 0], expected_dist[0, :, 0], found[MEMORY_OUTPUT]
        )

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
