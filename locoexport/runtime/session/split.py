"""The three files of a split export as one model, which encodes frames once for many questions.

``NAME.encoder.onnx`` makes the grids of some frames, ``NAME.query.onnx`` the features around query
points, ``NAME.tracker.onnx`` the tracks. Together they are the single file. The encoder runs over a
few frames at a time, so that its memory does not grow with the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.interface import GRID_NAMES, SUPPORT_NAMES, FileRole
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import MachineError, ModelFileError
from locoexport.runtime.session.placement import PlacedNode, count_placed, placed_nodes
from locoexport.runtime.session.providers import ORT_ERRORS
from locoexport.runtime.session.signature import (
    Signature,
    check_queries_fit,
    check_video_fits,
    fixed_size,
)
from locoexport.runtime.session.single import (
    RawTracks,
    create_checked_session,
    one_line,
    run_stoppable,
)
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["EncodedFrames", "SplitSession", "open_split"]

_FRAMES_AT_ONCE = 4
"""Measured with b0-wide: 1 frame 8.6 ms, 2 to 4 frames 8.1 to 8.2, 24 frames 10.4 a frame, on a
quiet machine; about level where its shared cache is busy."""
_SAME = ("version", "profile", "variant", "resolution_hw", "opset", "sampling", "weights")


@dataclass(frozen=True, eq=False)
class EncodedFrames:
    """What the encoder made of a clip: float32 (batch, frames, h, w, channels), a grid each."""

    grids: dict[str, NDArray[np.float32]]


def open_split(
    path: str | Path,
    provider: str = "cpu",
    *,
    profile_prefix: str | Path | None = None,
    threads: int | None = None,
    cached: bool = False,
) -> SplitSession:
    """Open the three files of a split export; the arguments are those of ``open_session``.

    Raises:
        ModelFileError: a file is missing or damaged, or they are not of one export.
        UsageError, ProviderUnavailableError: see ``open_session``.
    """
    paths = find_split_files(path)
    if paths is None:
        raise ModelFileError(f"{path} is not a file of a split export (NAME.encoder.onnx, ...).")
    sessions: dict[FileRole, Any] = {}
    notes, metadata = [], {}
    for role, file in paths.items():
        prefix = None if profile_prefix is None else f"{profile_prefix}.{role}"
        sessions[role], note = create_checked_session(
            file, provider, profile_prefix=prefix, threads=threads, cached=cached
        )
        notes.append(f"{role}: {note}")
        metadata[role] = _metadata_of(file, role, sessions[role])
    first = metadata["encoder"]
    for role, found in metadata.items():
        for name in _SAME:
            ours, theirs = getattr(first, name), getattr(found, name)
            if ours != theirs:
                raise ModelFileError(
                    f"{paths[role]} does not belong to {paths['encoder']}: its {name} is {theirs}, "
                    f"not {ours}. Export both again with `locoexport export --split`."
                )
    return SplitSession(paths, sessions, metadata["tracker"], provider, "; ".join(notes))


class SplitSession:
    """Three open files; the same calls as ``ModelSession``. Calls may come from several threads."""

    def __init__(
        self,
        paths: dict[FileRole, Path],
        sessions: dict[FileRole, Any],
        metadata: ArtifactMetadata,
        provider: str,
        load_note: str,
    ) -> None:
        """Wrap three ``onnxruntime.InferenceSession``; ``open_split`` is the way to get one.

        Raises:
            ModelFileError: inputs or outputs are not those of a split export.
        """
        self.path, self.provider, self.load_note = paths["tracker"], provider, load_note
        self.metadata = metadata
        self._paths, self._sessions = paths, sessions
        self._placed: tuple[PlacedNode, ...] | None = None
        shapes = {
            argument.name: argument.shape
            for session in sessions.values()
            for argument in (*session.get_inputs(), *session.get_outputs())
        }
        needed = (VIDEO_INPUT, QUERY_INPUT, *GRID_NAMES, *SUPPORT_NAMES, *OUTPUT_NAMES)
        missing = [name for name in needed if name not in shapes]
        if missing:
            raise ModelFileError(
                f"{paths['encoder']} and its two neighbours are not a split export: "
                f"{', '.join(missing)} is missing. Export them again."
            )
        batch, frames, height, width, _ = shapes[VIDEO_INPUT]
        self.resolution_hw: tuple[int, int] = (height, width)
        self.fixed_batch, self.fixed_frames = fixed_size(batch), fixed_size(frames)
        self.fixed_points = fixed_size(shapes[QUERY_INPUT][1])
        self.signature = Signature(
            self.resolution_hw, "float32", self.fixed_batch, self.fixed_frames, self.fixed_points
        )

    @property
    def size_bytes(self) -> int:
        """Of the three files."""
        return sum(path.stat().st_size for path in self._paths.values())

    def prepare(self, video: NDArray[np.float32], *, release_memory: bool = False) -> EncodedFrames:
        """Encode a video: float32 (batch, frames, height, width, 3) in [-1, 1].

        Raises:
            VideoError, MachineError: see ``ModelSession.run``.
        """
        check_video_fits(self, video)
        frames = video.shape[1]
        step = frames if self.fixed_frames is not None else _FRAMES_AT_ONCE
        grids: dict[str, NDArray[np.float32]] = {}
        for start in range(0, frames, step):
            part = np.ascontiguousarray(video[:, start : start + step])
            found = self._run("encoder", GRID_NAMES, {VIDEO_INPUT: part}, release_memory)
            for name, grid in zip(GRID_NAMES, found, strict=True):
                if name not in grids:
                    grids[name] = np.empty((len(video), frames, *grid.shape[2:]), np.float32)
                grids[name][:, start : start + step] = grid
        return EncodedFrames(grids)

    def run_prepared(
        self,
        encoded: EncodedFrames,
        query_points_tyx: NDArray[np.float32],
        *,
        release_memory: bool = False,
    ) -> RawTracks:
        """Track points through frames that were encoded before; see ``ModelSession.run``."""
        check_queries_fit(self, query_points_tyx, batch=len(encoded.grids[GRID_NAMES[0]]))
        given = {**encoded.grids, QUERY_INPUT: query_points_tyx}
        supports = self._run("query", SUPPORT_NAMES, given, release_memory)
        given |= dict(zip(SUPPORT_NAMES, supports, strict=True))
        return RawTracks(*self._run("tracker", OUTPUT_NAMES, given, release_memory))

    def run(
        self,
        video: NDArray[np.float32],
        query_points_tyx: NDArray[np.float32],
        *,
        release_memory: bool = False,
    ) -> RawTracks:
        """Encode and track, as ``ModelSession.run``."""
        encoded = self.prepare(video, release_memory=release_memory)
        return self.run_prepared(encoded, query_points_tyx, release_memory=release_memory)

    def placed_nodes(self) -> tuple[PlacedNode, ...]:
        """Which node of the three files ran on which provider; see ``ModelSession``."""
        if self._placed is None:
            self._placed = tuple(
                node for session in self._sessions.values() for node in placed_nodes(session)
            )
        return self._placed

    def node_placement(self) -> tuple[tuple[str, int], ...]:
        """How many nodes of the three files ran on which provider, most first."""
        return count_placed(self.placed_nodes())

    def _run(
        self,
        role: FileRole,
        outputs: tuple[str, ...],
        inputs: dict[str, NDArray[np.float32]],
        release_memory: bool,
    ) -> list[NDArray[np.float32]]:
        release = release_memory and self.provider == "cpu"
        try:
            return run_stoppable(self._sessions[role], outputs, inputs, release=release)
        except ORT_ERRORS as error:
            raise MachineError(
                f"ONNX Runtime failed on {self.provider} while running {self._paths[role]}: "
                f"{one_line(error)}. If memory ran out, track fewer points or frames at a time."
            ) from error


def _metadata_of(path: Path, role: FileRole, session: Any) -> ArtifactMetadata:
    properties = dict(session.get_modelmeta().custom_metadata_map)
    try:
        metadata = ArtifactMetadata.from_properties(properties)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    if metadata.part != role:
        raise ModelFileError(
            f"{path} says that it is the {metadata.part} file of an export, not the {role}; it was "
            "renamed. Give it its name back, or export it again."
        )
    return metadata
