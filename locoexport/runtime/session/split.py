"""The three files of a split export as one model, which encodes frames once for many questions.

``NAME.encoder.onnx`` makes the grids of some frames, ``NAME.query.onnx`` the features around query
points, ``NAME.tracker.onnx`` the tracks. Together they are the single file. The encoder runs over a
few frames at a time, so that its memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.interface import FileRole, grid_names, support_names
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import MachineError, ModelFileError
from locoexport.runtime.session.model_file import ModelFile
from locoexport.runtime.session.placement import PlacedNode, count_placed, placed_nodes
from locoexport.runtime.session.provider_options import RunChoice
from locoexport.runtime.session.providers import ORT_ERRORS
from locoexport.runtime.session.signature import (
    Signature,
    check_queries_fit,
    check_sizes,
    check_video_fits,
    fixed_size,
    read_properties,
)
from locoexport.runtime.session.single import (
    OpenedFile,
    RawTracks,
    RunStyle,
    create_checked_session,
    one_line,
    run_stoppable,
)
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["EncodedFrames", "SplitSession", "open_parts", "open_split", "shapes_of_parts"]

_FRAMES_AT_ONCE = 4
"""Measured with b0-wide: 1 frame 8.6 ms, 2 to 4 frames 8.1 to 8.2, 24 frames 10.4 a frame, on a
quiet machine; about level where its shared cache is busy."""
_SAME = (
    *("version", "profile", "variant", "resolution_hw", "opset", "sampling", "weights"),
    "trained",
)


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
    choice: RunChoice | None = None,
    file: ModelFile | None = None,
) -> SplitSession:
    """Open the three files of a split export; the arguments are those of ``open_session``.

    ``file`` is one of the three, where its bytes were read already.

    Raises:
        ModelFileError: a file is missing or damaged, or they are not of one export.
        UsageError, ProviderUnavailableError: see ``open_session``.
    """
    paths = find_split_files(path)
    if paths is None:
        raise ModelFileError(f"{path} is not a file of a split export (NAME.encoder.onnx, ...).")
    opened, metadata = open_parts(
        *(paths, provider),
        profile_prefix=profile_prefix,
        threads=threads,
        cached=cached,
        read={} if file is None else {file.path: file},
    )
    return SplitSession(opened, metadata, provider, choice or RunChoice(provider, threads))


def open_parts(
    paths: Mapping[FileRole, Path],
    provider: str,
    *,
    profile_prefix: str | Path | None = None,
    threads: int | None = None,
    cached: bool = False,
    styles: Mapping[FileRole, RunStyle] | None = None,
    read: Mapping[Path, ModelFile] | None = None,
) -> tuple[dict[FileRole, OpenedFile], ArtifactMetadata]:
    """Files of one export, by role, and what the last of them says of itself.

    Raises:
        ModelFileError: a file is missing or damaged, or they are not of one export.
        UsageError, ProviderUnavailableError: see ``open_session``.
    """
    opened: dict[FileRole, OpenedFile] = {}
    metadata = {}
    styles, read = styles or {}, read or {}
    for role, file in paths.items():
        prefix = None if profile_prefix is None else f"{profile_prefix}.{role}"
        opened[role] = create_checked_session(
            file,
            provider,
            profile_prefix=prefix,
            threads=threads,
            cached=cached,
            style=styles.get(role, RunStyle()),
            file=read.get(file),
        )
        metadata[role] = _metadata_of(file, role, opened[role].session)
    first = metadata["encoder"]
    for role, found in metadata.items():
        for name in _SAME:
            ours, theirs = getattr(first, name), getattr(found, name)
            if ours != theirs:
                raise ModelFileError(
                    f"{paths[role]} does not belong to {paths['encoder']}: its {name} is {theirs}, "
                    f"not {ours}. Export both again with `locoexport export --split`."
                )
    return opened, metadata[list(paths)[-1]]


def shapes_of_parts(opened: Mapping[FileRole, OpenedFile]) -> dict[str, list[Any]]:
    """The shape of every input and output of the files of one export, by name.

    Raises:
        ModelFileError: a tensor that one of them makes is not of the size that another takes.
    """
    shapes: dict[str, list[Any]] = {}
    for part in opened.values():
        for argument in (*part.session.get_inputs(), *part.session.get_outputs()):
            first = shapes.setdefault(argument.name, list(argument.shape))
            if not _agree(first, argument.shape):
                raise ModelFileError(
                    f"{part.file.path} does not belong to its two neighbours: {argument.name} is "
                    f"{list(argument.shape)} here and {first} there. Export all three again."
                )
    return shapes


class SplitSession:
    """Three open files; the same calls as ``ModelSession``. Calls may come from several threads."""

    def __init__(
        self,
        opened: Mapping[FileRole, OpenedFile],
        metadata: ArtifactMetadata,
        provider: str,
        choice: RunChoice | None = None,
    ) -> None:
        """Wrap three ``onnxruntime.InferenceSession``; ``open_split`` is the way to get one.

        Raises:
            ModelFileError: inputs or outputs are not those of a split export.
        """
        paths = {role: part.file.path for role, part in opened.items()}
        sessions = {role: part.session for role, part in opened.items()}
        self.path, self.provider, self.metadata = paths["tracker"], provider, metadata
        self.choice = choice or RunChoice(provider)
        """Why it is this provider."""
        self.load_note = "; ".join(f"{role}: {part.load_note}" for role, part in opened.items())
        self.files_sha256 = {part.file.path: part.file.sha256 for part in opened.values()}
        """The SHA-256 of the bytes that were opened, by file."""
        self.sha256 = "+".join(self.files_sha256.values())
        """Of the three files, in their order."""
        self.size_bytes = sum(part.file.size_bytes for part in opened.values())
        """Of the three files."""
        self._paths, self._sessions = paths, sessions
        self._placed: tuple[PlacedNode, ...] | None = None
        shapes = shapes_of_parts(opened)
        first_hw, last_hw = metadata.trained.levels
        self._grids = grid_names(first_hw != last_hw)
        self._supports = support_names(first_hw != last_hw)
        needed = (VIDEO_INPUT, QUERY_INPUT, *self._grids, *self._supports, *OUTPUT_NAMES)
        missing = [name for name in needed if name not in shapes]
        if missing:
            raise ModelFileError(
                f"{paths['encoder']} and its two neighbours are not a split export: "
                f"{', '.join(missing)} is missing. Export them again."
            )
        video, queries = shapes[VIDEO_INPUT], shapes[QUERY_INPUT]
        if len(video) != 5 or len(queries) != 3 or not all(isinstance(n, int) for n in video[2:]):
            raise ModelFileError(
                f"{paths['encoder']} is not the encoder of a split export: {VIDEO_INPUT} has shape "
                f"{video} and {QUERY_INPUT} {queries}. Export it again."
            )
        batch, frames, height, width, _ = video
        if metadata.resolution_hw != (height, width):
            raise ModelFileError(
                f"{paths['encoder']} contradicts itself: its metadata says "
                f"{'x'.join(map(str, metadata.resolution_hw))}, its graph takes {height}x{width}. "
                "Export it again."
            )
        self.resolution_hw: tuple[int, int] = (height, width)
        self.fixed_batch, self.fixed_frames = fixed_size(batch), fixed_size(frames)
        self.fixed_points = fixed_size(queries[1])
        self.signature = Signature(
            self.resolution_hw, "float32", self.fixed_batch, self.fixed_frames, self.fixed_points
        )
        check_sizes(self.path, self.signature)

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
            found = self._run("encoder", self._grids, {VIDEO_INPUT: part}, release_memory)
            for name, grid in zip(self._grids, found, strict=True):
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
        check_queries_fit(self, query_points_tyx, batch=len(encoded.grids[self._grids[0]]))
        given = {**encoded.grids, QUERY_INPUT: query_points_tyx}
        supports = self._run("query", self._supports, given, release_memory)
        given |= dict(zip(self._supports, supports, strict=True))
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


def _agree(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether both can be the shape of one tensor, as far as they say."""
    return len(one) == len(other) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int))
        for a, b in zip(one, other, strict=True)
    )


def _metadata_of(path: Path, role: FileRole, session: Any) -> ArtifactMetadata:
    properties = read_properties(path, session)
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
