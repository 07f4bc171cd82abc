"""An exported .onnx file opened in ONNX Runtime, checked once, and run on numpy arrays."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from locoexport.artifact import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import (
    MachineError,
    ModelFileError,
    ProviderUnavailableError,
    QueryError,
    UsageError,
    VideoError,
)
from locoexport.files import is_file
from locoexport.runtime.model_cache import create_cached_session
from locoexport.runtime.providers import (
    ORT_ERRORS,
    PROVIDERS,
    create_session,
    require_provider,
    resolve_provider,
)

__all__ = [
    "PROVIDERS",
    "ModelSession",
    "RawTracks",
    "check_queries_fit",
    "check_video_fits",
    "create_checked_session",
    "one_line",
    "open_session",
    "place_nodes",
    "releasing",
    "require_provider",
    "resolve_provider",
    "session_options",
]

_RANKS = {VIDEO_INPUT: 5, QUERY_INPUT: 3, **dict(zip(OUTPUT_NAMES, (4, 3, 3), strict=True))}
_ERRORS_ONLY = 3


@dataclass(frozen=True, eq=False)
class RawTracks:
    """What the graph answers, at the model's resolution.

    ``tracks_xy`` is float32 (batch, points, frames, 2) in the model's pixels; ``occlusion`` and
    ``expected_dist`` are float32 (batch, points, frames) logits.
    """

    tracks_xy: NDArray[np.float32]
    occlusion: NDArray[np.float32]
    expected_dist: NDArray[np.float32]


def open_session(
    path: str | Path,
    provider: str = "cpu",
    *,
    profile_prefix: str | Path | None = None,
    threads: int | None = None,
    require_metadata: bool = True,
    cached: bool = False,
) -> ModelSession:
    """Open an exported file on exactly the provider that was asked for.

    Args:
        path: an .onnx file written by locoexport.
        provider: a short name of ``PROVIDERS``. There is no fallback to another one.
        profile_prefix: where ONNX Runtime's own profile goes (``PREFIX_<time>.json``); needed
            for ``ModelSession.node_placement``, and it slows every run down.
        threads: of the CPU, inside one operator; None leaves it to ONNX Runtime (all cores).
        require_metadata: False also takes a file with our inputs and outputs but no metadata.
        cached: keep ONNX Runtime's optimised form of the graph for the next start, and start from
            it where it is there (``runtime.model_cache``). Never together with a profile.

    Raises:
        UsageError: no such provider, or ``threads`` below 1.
        ProviderUnavailableError: the provider does not work on this machine.
        ModelFileError: the file is missing, damaged, or not one of ours.
    """
    path = Path(path)
    session, load_note = create_checked_session(
        path, provider, profile_prefix=profile_prefix, threads=threads, cached=cached
    )
    return ModelSession(
        path,
        session,
        provider,
        profiled=profile_prefix is not None,
        require_metadata=require_metadata,
        load_note=load_note,
    )


def create_checked_session(
    path: Path,
    provider: str,
    *,
    profile_prefix: str | Path | None,
    threads: int | None,
    cached: bool,
) -> tuple[Any, str]:
    """An ``InferenceSession`` of any .onnx file on exactly that provider, and how it was loaded.

    Raises:
        UsageError, ProviderUnavailableError, ModelFileError: see ``open_session``.
    """
    resolve_provider(provider)
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1.")
    if not is_file(path):
        raise ModelFileError(f"There is no model file {path}.")
    require_provider(provider)

    def options() -> Any:
        return session_options(provider, profile_prefix=profile_prefix, threads=threads)

    load_note = "opened without the cache"
    try:
        if cached and profile_prefix is None:
            session, load_note = create_cached_session(path, provider, options)
        else:
            session = create_session(str(path), provider, options())
    except ORT_ERRORS as error:
        raise ModelFileError(
            f"ONNX Runtime cannot open {path} on {provider}: {one_line(error)}. If the file was "
            "cut short or is no ONNX file, export it again with `locoexport export`."
        ) from error
    _check_given(path, provider, session.get_providers()[0])
    return session, load_note


def _check_given(path: Path, provider: str, given: str) -> None:
    if given != PROVIDERS[provider]:
        raise ProviderUnavailableError(
            f"ONNX Runtime opened {path} on {_short_name(given)} though {provider} was asked for "
            f"and works for other models; nothing was run. Try another provider."
        )


class ModelSession:
    """An open model. ``run`` may be called from several threads at once."""

    def __init__(
        self,
        path: Path,
        session: Any,
        provider: str,
        *,
        profiled: bool = False,
        require_metadata: bool = True,
        load_note: str = "",
    ) -> None:
        """Wrap an ``onnxruntime.InferenceSession``; ``open_session`` is the way to get one.

        Raises:
            ModelFileError: its inputs, outputs or metadata are not those of an exported file.
        """
        self.path = path
        self.provider = provider
        self.load_note = load_note
        self._session = session
        self._profiled = profiled
        self._placement: tuple[tuple[str, int], ...] | None = None
        self._metadata = self._read_metadata(require_metadata)
        video_shape, query_shape = self._read_signature()
        self.resolution_hw = self._read_resolution(video_shape)
        self.fixed_batch = _fixed(video_shape[0], query_shape[0])
        self.fixed_frames = _fixed(video_shape[1])
        self.fixed_points = _fixed(query_shape[1])

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return self.path.stat().st_size

    @property
    def metadata(self) -> ArtifactMetadata:
        """What the file says of itself.

        Raises:
            ModelFileError: it was opened with ``require_metadata=False`` and carries none.
        """
        if self._metadata is None:
            raise ModelFileError(f"{self.path} carries no locoexport metadata.")
        return self._metadata

    def run(
        self,
        video: NDArray[np.float32],
        query_points_tyx: NDArray[np.float32],
        *,
        release_memory: bool = False,
    ) -> RawTracks:
        """Track points through a video.

        Args:
            video: float32 (batch, frames, height, width, 3) in [-1, 1], at ``resolution_hw``.
            query_points_tyx: float32 (batch, points, 3): frame index, then y and x in pixels of
                that resolution.
            release_memory: give the memory of this run back to the operating system after it.
                Kept, it makes runs of equal sizes faster, but runs of many sizes leave holes in
                it, and the process grows by a third and more beyond what any of them needs.

        Raises:
            VideoError: the video's type or shape does not fit the model.
            QueryError: the points' type or shape does not fit, or one of them is not finite.
            MachineError: ONNX Runtime fails while it runs (mostly for want of memory).
            ModelFileError: the outputs have other shapes than those of an exported file.
        """
        check_video_fits(self, video)
        check_queries_fit(self, query_points_tyx, batch=video.shape[0])
        try:
            outputs = self._session.run(
                list(OUTPUT_NAMES),
                {VIDEO_INPUT: video, QUERY_INPUT: query_points_tyx},
                releasing() if release_memory and self.provider == "cpu" else None,
            )
        except ORT_ERRORS as error:
            raise MachineError(
                f"ONNX Runtime failed on {self.provider} while running {self.path} on a video of "
                f"shape {video.shape} with {query_points_tyx.shape[1]} points: "
                f"{one_line(error)}. If memory ran out, track fewer points or frames at a time."
            ) from error
        batch, frames, points = *video.shape[:2], query_points_tyx.shape[1]
        shapes = ((batch, points, frames, 2), (batch, points, frames), (batch, points, frames))
        for name, output, shape in zip(OUTPUT_NAMES, outputs, shapes, strict=True):
            if output.shape != shape:
                raise ModelFileError(
                    f"{self.path}: output {name} has shape {output.shape} where {shape} is due; "
                    "the file is not a correct export."
                )
        return RawTracks(*outputs)

    def node_placement(self) -> tuple[tuple[str, int], ...]:
        """How many nodes ran on which provider, most first, from ONNX Runtime's own profile.

        Ends the profile: later runs are not in it.

        Raises:
            UsageError: the session was opened without a profile prefix, or nothing was run yet.
        """
        if self._placement is None:
            if not self._profiled:
                raise UsageError("Open the session with profile_prefix to learn node placement.")
            placement = place_nodes(self._session)
            if not placement:
                raise UsageError("Run the model before asking where its nodes ran.")
            self._placement = placement
        return self._placement

    def _read_metadata(self, required: bool) -> ArtifactMetadata | None:
        properties = dict(self._session.get_modelmeta().custom_metadata_map)
        try:
            return ArtifactMetadata.from_properties(properties)
        except ModelFileError as error:
            if not required:
                return None
            raise ModelFileError(f"{self.path}: {error}") from error

    def _read_signature(self) -> tuple[list[Any], list[Any]]:
        """Shapes of the two inputs, after a check of all names, types and ranks."""
        arguments = {
            argument.name: argument
            for argument in (*self._session.get_inputs(), *self._session.get_outputs())
        }
        inputs = {argument.name for argument in self._session.get_inputs()}
        if self._metadata is not None and self._metadata.part != "whole":
            raise ModelFileError(
                f"{self.path} is the {self._metadata.part} file of a split export, which needs its "
                "two neighbours beside it; this command takes a single file."
            )
        if inputs != {VIDEO_INPUT, QUERY_INPUT} or not arguments.keys() >= set(OUTPUT_NAMES):
            raise ModelFileError(
                f"{self.path} is not an exported tracker: its inputs are "
                f"{', '.join(sorted(inputs)) or 'none'} and its outputs "
                f"{', '.join(sorted(arguments.keys() - inputs)) or 'none'}, where "
                f"{VIDEO_INPUT}, {QUERY_INPUT} and {', '.join(OUTPUT_NAMES)} are due."
            )
        for name, rank in _RANKS.items():
            argument = arguments[name]
            if argument.type != "tensor(float)" or len(argument.shape) != rank:
                raise ModelFileError(
                    f"{self.path} is not an exported tracker: {name} is {argument.type} of shape "
                    f"{argument.shape}, where float32 of rank {rank} is due."
                )
        return list(arguments[VIDEO_INPUT].shape), list(arguments[QUERY_INPUT].shape)

    def _read_resolution(self, video_shape: list[Any]) -> tuple[int, int]:
        height, width, channels = video_shape[2:]
        if not isinstance(height, int) or not isinstance(width, int) or channels != 3:
            raise ModelFileError(
                f"{self.path}: {VIDEO_INPUT} has shape {video_shape}; height and width must be "
                "fixed and there must be 3 channels."
            )
        stated = self._metadata.resolution_hw if self._metadata else (height, width)
        if stated != (height, width):
            raise ModelFileError(
                f"{self.path} contradicts itself: its metadata says {stated[0]}x{stated[1]}, "
                f"its graph takes {height}x{width}. Export it again."
            )
        return height, width

    def prepare(
        self, video: NDArray[np.float32], *, release_memory: bool = False
    ) -> NDArray[np.float32]:
        """What ``run_prepared`` takes: here the video itself; a split export encodes it."""
        return video

    def run_prepared(
        self,
        prepared: Any,
        query_points_tyx: NDArray[np.float32],
        *,
        release_memory: bool = False,
    ) -> RawTracks:
        """``run`` on what ``prepare`` gave."""
        return self.run(prepared, query_points_tyx, release_memory=release_memory)


class _Fitted(Protocol):
    """What the checks of inputs read of a model."""

    path: Path
    resolution_hw: tuple[int, int]
    fixed_batch: int | None
    fixed_frames: int | None
    fixed_points: int | None


def check_video_fits(model: _Fitted, video: NDArray[np.float32]) -> None:
    """Raises VideoError where type or shape are not what the model takes."""
    height, width = model.resolution_hw
    wanted = (
        model.fixed_batch or "batch",
        model.fixed_frames or "frames",
        height,
        width,
        3,
    )
    fits = video.ndim == 5 and all(
        have == want if isinstance(want, int) else have > 0
        for have, want in zip(video.shape, wanted, strict=True)
    )
    if video.dtype != np.float32 or not fits:
        raise VideoError(
            f"{model.path} takes a float32 video of shape "
            f"({', '.join(map(str, wanted))}), not {video.dtype} of shape {video.shape}."
        )


def check_queries_fit(model: _Fitted, points: NDArray[np.float32], *, batch: int) -> None:
    """Raises QueryError where type or shape are not what the model takes, or one is not finite."""
    wanted = (batch, model.fixed_points or "points", 3)
    fits = points.ndim == 3 and all(
        have == want if isinstance(want, int) else have > 0
        for have, want in zip(points.shape, wanted, strict=True)
    )
    if points.dtype != np.float32 or not fits:
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


def session_options(
    provider: str, *, profile_prefix: str | Path | None = None, threads: int | None = None
) -> Any:
    """ONNX Runtime's options for a session on ``provider``; see ``open_session``."""
    options = onnxruntime.SessionOptions()
    if provider == "cpu":
        # Planning which tensor may take the place of which other is 0.54 s of the 0.6 s that an
        # optimised b0-tiny needs to load; the arena reuses memory all the same: peak +2 %, equal
        # speed and bits. A memory pattern is one more block beside the arena: at 48 frames and 64
        # points 1.9 GB in place of 1.1 GB, and no faster.
        options.enable_mem_reuse = False
        options.enable_mem_pattern = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Warnings here are about nodes placed on the CPU; node_placement() reports those.
    options.log_severity_level = _ERRORS_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_prefix)
    return options


def releasing() -> Any:
    """Run options that give a run's memory back to the operating system after it."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _fixed(*dimensions: Any) -> int | None:
    """The fixed size among dimensions that must agree; None where all are dynamic."""
    return next((size for size in dimensions if isinstance(size, int)), None)


def place_nodes(session: Any) -> tuple[tuple[str, int], ...]:
    """How many nodes of a profiled session ran on which provider; ends the profile."""
    profile = Path(session.end_profiling())
    with open(profile, encoding="utf-8") as file:
        events = json.load(file)
    # A node in a Loop, or of a session run twice, has one event a run: count names, not events.
    nodes = {
        (event["args"]["provider"], event["name"], event["args"].get("node_index"))
        for event in events
        if event.get("name", "").endswith("_kernel_time") and "provider" in event.get("args", {})
    }
    counts = Counter(_short_name(provider) for provider, _, _ in nodes)
    return tuple(counts.most_common())


def _short_name(provider: str) -> str:
    return next((short for short, name in PROVIDERS.items() if name == provider), provider)


def one_line(error: Exception) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split()).rstrip(".")
