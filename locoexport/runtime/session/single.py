"""An exported .onnx file opened in ONNX Runtime, checked once, and run on numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.errors import (
    MachineError,
    ModelFileError,
    ProviderUnavailableError,
    UsageError,
)
from locoexport.machine.cores import restricted_threads
from locoexport.machine.interruption import stoppable
from locoexport.runtime.session.integer_sums import check_weight_bits
from locoexport.runtime.session.model_file import ModelFile, openable, read_model_file
from locoexport.runtime.session.optimised_cache import create_cached_session
from locoexport.runtime.session.placement import PlacedNode, count_placed, placed_nodes, short_name
from locoexport.runtime.session.provider_options import RunChoice
from locoexport.runtime.session.providers import (
    ORT_ERRORS,
    PROVIDERS,
    create_session,
    require_provider,
    resolve_provider,
)
from locoexport.runtime.session.signature import (
    check_queries_fit,
    check_video_fits,
    read_metadata,
    read_signature,
)

__all__ = [
    "PROVIDERS",
    "ModelSession",
    "OpenedFile",
    "RawTracks",
    "RunStyle",
    "create_checked_session",
    "one_line",
    "open_session",
    "require_provider",
    "resolve_provider",
    "run_stoppable",
    "session_options",
]

_FATAL_ONLY = 4


@dataclass(frozen=True, eq=False)
class RawTracks:
    """What the graph answers.

    ``tracks_xy`` is float32 (batch, points, frames, 2) in the pixels that the queries were in;
    ``occlusion`` and ``expected_dist`` are float32 (batch, points, frames) logits.
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
    choice: RunChoice | None = None,
    file: ModelFile | None = None,
) -> ModelSession:
    """Open an exported file on exactly the provider that was asked for.

    Args:
        path: an .onnx file written by locoexport.
        provider: a short name of ``PROVIDERS``. There is no fallback to another one.
        profile_prefix: where ONNX Runtime's own profile goes (``PREFIX_<time>.json``); needed
            for ``ModelSession.node_placement``, and it slows every run down.
        threads: of the CPU, inside one operator; None is one for each core that this process may
            use (``machine.cores``).
        require_metadata: False also takes a file with our inputs and outputs but no metadata.
        cached: keep ONNX Runtime's optimised form of the graph for the next start, and start from
            it where it is there (``optimised_cache``). Never together with a profile.
        choice: why it is this provider, for ``ModelSession.choice``; None is the caller's.
        file: the bytes at ``path``, where they were read already.

    Raises:
        UsageError: no such provider, or ``threads`` below 1.
        ProviderUnavailableError: the provider does not work on this machine.
        ModelFileError: the file is missing, damaged, or not one of ours.
    """
    opened = create_checked_session(
        *(Path(path), provider),
        profile_prefix=profile_prefix,
        threads=threads,
        cached=cached,
        file=file,
    )
    return ModelSession(
        *(opened, provider),
        profiled=profile_prefix is not None,
        require_metadata=require_metadata,
        choice=choice or RunChoice(provider, threads),
    )


@dataclass(frozen=True)
class RunStyle:
    """How a session will be run on the CPU; no other provider is told.

    ``spinning``: threads of an operator wait for the next one at full load. Where another thread
    needs the core, or a run takes milliseconds, they are slower for it. ``blocked_layout``:
    convolutions are run in channels by blocks of 8 or 16, which the others wait for.
    """

    spinning: bool = True
    blocked_layout: bool = True


@dataclass(frozen=True)
class OpenedFile:
    """A session, the file whose bytes it was made of, and a line on how it was loaded."""

    session: Any
    file: ModelFile
    load_note: str


def create_checked_session(
    path: Path,
    provider: str,
    *,
    profile_prefix: str | Path | None,
    threads: int | None,
    cached: bool,
    style: RunStyle = RunStyle(),
    file: ModelFile | None = None,
) -> OpenedFile:
    """An ``InferenceSession`` of any .onnx file on exactly that provider.

    Raises:
        UsageError, ProviderUnavailableError, ModelFileError: see ``open_session``.
    """
    resolve_provider(provider)
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1.")
    file = file or read_model_file(path)
    require_provider(provider)

    def options() -> Any:
        return session_options(
            provider, profile_prefix=profile_prefix, threads=threads, style=style
        )

    load_note = "opened without the cache"
    try:
        with openable(file) as found:
            if cached and profile_prefix is None:
                session, load_note = create_cached_session(found, provider, options)
            else:
                session = create_session(found.source, provider, options())
    except ORT_ERRORS as error:
        raise ModelFileError(
            f"ONNX Runtime cannot open {path} on {provider}: {one_line(error)}. If the file was "
            "cut short or is not an ONNX file, export it again with `locoexport export`."
        ) from error
    file.check_unchanged()
    _check_given(path, provider, session.get_providers()[0])
    if getattr(session, "unprotected", False):
        raise ModelFileError(
            f"{path} cannot run on {provider}: none of its nodes has a name that an export gives, "
            "so it is unknown which may compute in bf16. Use openvino:precision=f32."
        )
    # The bytes are not needed any more: a session holds its own copy.
    return OpenedFile(session, replace(file, data=None), load_note)


def _check_given(path: Path, provider: str, given: str) -> None:
    if given != resolve_provider(provider):
        raise ProviderUnavailableError(
            f"ONNX Runtime opened {path} on {short_name(given)} although you chose {provider}, "
            "which works for other models; nothing was run. Try another provider."
        )


class ModelSession:
    """An open model. ``run`` may be called from several threads at once."""

    def __init__(
        self,
        opened: OpenedFile,
        provider: str,
        *,
        profiled: bool = False,
        require_metadata: bool = True,
        choice: RunChoice | None = None,
    ) -> None:
        """Wrap an ``onnxruntime.InferenceSession``; ``open_session`` is the way to get one.

        Raises:
            ModelFileError: its inputs, outputs or metadata are not those of an exported file.
            ProviderUnavailableError: see ``check_weight_bits``.
        """
        path, session = opened.file.path, opened.session
        self.path = path
        self.provider = provider
        self.choice = choice or RunChoice(provider)
        """Why it is this provider."""
        self.load_note = opened.load_note
        self.sha256 = opened.file.sha256
        """Of the bytes that were opened."""
        self.size_bytes = opened.file.size_bytes
        """Of the file."""
        self._session = session
        self._profiled = profiled
        self._placed: tuple[PlacedNode, ...] | None = None
        self._metadata = read_metadata(path, session, required=require_metadata)
        if self._metadata is not None:
            check_weight_bits(path, self._metadata, provider)
        self.signature = read_signature(path, session, self._metadata)
        self.resolution_hw = self.signature.resolution_hw
        self.fixed_batch = self.signature.fixed_batch
        self.fixed_frames = self.signature.fixed_frames
        self.fixed_points = self.signature.fixed_points

    @property
    def files_sha256(self) -> dict[Path, str]:
        """The SHA-256 of the bytes that were opened, by file."""
        return {self.path: self.sha256}

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
        video: NDArray[Any],
        query_points_tyx: NDArray[np.float32],
        *,
        release_memory: bool = False,
    ) -> RawTracks:
        """Track points through a video.

        Args:
            video: float32 (batch, frames, height, width, 3) in [-1, 1], at ``resolution_hw``; of a
                file that takes ``uint8``, such frames of any size.
            query_points_tyx: float32 (batch, points, 3): frame index, then y and x in pixels of
                the video.
            release_memory: give the memory of this run back to the operating system after it.
                Kept, it makes runs of equal sizes faster, but runs of many sizes leave holes in
                it, and the process grows by a third and more beyond what any of them needs.

        Raises:
            VideoError: the video's type or shape does not fit the model.
            QueryError: the points' type or shape does not fit, or one of them is not finite.
            MachineError: ONNX Runtime fails while it runs (mostly because memory runs out).
            ModelFileError: the outputs have other shapes than those of an exported file.
        """
        check_video_fits(self, video)
        check_queries_fit(self, query_points_tyx, batch=video.shape[0])
        release = release_memory and self.provider == "cpu"
        inputs = {VIDEO_INPUT: video, QUERY_INPUT: query_points_tyx}
        try:
            outputs = run_stoppable(self._session, OUTPUT_NAMES, inputs, release=release)
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
                    f"{self.path}: output {name} has shape {output.shape}; expected {shape}: "
                    "the file is not a correct export."
                )
        return RawTracks(*outputs)

    def placed_nodes(self) -> tuple[PlacedNode, ...]:
        """Which node ran on which provider, from the runtime's own profile.

        Ends the profile: later runs are not in it.

        Raises:
            UsageError: the session was opened without a profile prefix, or nothing was run yet.
        """
        if self._placed is None:
            if not self._profiled:
                raise UsageError("Open the session with profile_prefix to learn node placement.")
            placed = placed_nodes(self._session)
            if not placed:
                raise UsageError("Run the model before asking where its nodes ran.")
            self._placed = placed
        return self._placed

    def node_placement(self) -> tuple[tuple[str, int], ...]:
        """How many nodes ran on which provider, most first; see ``placed_nodes``."""
        return count_placed(self.placed_nodes())

    def prepare(self, video: NDArray[Any], *, release_memory: bool = False) -> NDArray[Any]:
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


def session_options(
    provider: str,
    *,
    profile_prefix: str | Path | None = None,
    threads: int | None = None,
    style: RunStyle = RunStyle(),
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
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL
    if provider == "cpu" and not style.blocked_layout:
        options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED
    if provider == "cpu" and not style.spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Warnings are about nodes placed on the CPU, which node_placement() reports. Errors are raised
    # as well, and what is logged of them goes to the terminal with names of nodes as they are.
    options.log_severity_level = _FATAL_ONLY
    # ONNX Runtime takes all of the machine's cores and pins a thread to each, whatever this process
    # may use. Where it may use all, that choice stays. Bits are equal with any number.
    threads = threads or restricted_threads()
    if threads is not None:
        options.intra_op_num_threads = threads
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_prefix)
    return options


def run_stoppable(
    session: Any, outputs: Sequence[str], inputs: dict[str, Any], *, release: bool = False
) -> list[Any]:
    """``session.run`` that a signal can end; ``release``: its memory is given back after it.

    Raises:
        ORT_ERRORS: it fails, or was told to stop between two nodes.
    """
    options = onnxruntime.RunOptions()
    if release:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    with stoppable(lambda: setattr(options, "terminate", True)):
        found: list[Any] = session.run(list(outputs), inputs, options)
    return found


def one_line(error: Exception) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split()).rstrip(".")
