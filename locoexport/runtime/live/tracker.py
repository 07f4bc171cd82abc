"""Points followed frame by frame: the runtime's front door for cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.interface import LARGEST_WINDOW
from locoexport.contract.visibility import visible_from_logits
from locoexport.errors import QueryError, UsageError, VideoError
from locoexport.runtime.live.features import QueryFeatures
from locoexport.runtime.live.points import FollowedPoints
from locoexport.runtime.live.session import LiveSession, open_live
from locoexport.runtime.live.state import LiveState
from locoexport.runtime.video.frames import check_frames, scale_tracks_to_video, to_model_input

__all__ = ["DEFAULT_LIVE_WINDOW", "LiveTracker", "LiveTracks"]

DEFAULT_LIVE_WINDOW = 8
"""Frames that are looked at. docs/live.md: more changes little, fewer loses accuracy."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LiveTracks:
    """Where every point is in one frame.

    Attributes:
        ids: int64 (points,), as ``add`` gave them, in that order.
        xy: float32 (points, 2) as (x, y) in pixels of the frame, pixel centres at .5.
        visible: bool (points,): where the confidence is at least 0.5.
        confidence: float32 (points,) in 0..1.
        frame_index: of the frame, from 0.
        latency_ms: from the call of ``push`` to this answer.
    """

    ids: NDArray[np.int64]
    xy: Array
    visible: NDArray[np.bool_]
    confidence: Array
    frame_index: int
    latency_ms: float

    def __len__(self) -> int:
        """How many points there are."""
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class _Waiting:
    """Points of the next frame to come, (y, x) in its pixels."""

    ids: NDArray[np.int64]
    points_yx: Array


class LiveTracker:
    """Follows points through a stream of frames, each answered as it comes.

    A frame is answered from itself and from what was said of the ``window - 1`` frames before;
    nothing is kept of older frames, so that memory and time are the same for ever. It belongs to
    the thread that made it. To be used in a ``with`` block, or closed.

    ::

        with LiveTracker("model.onnx") as tracker:  # locoexport export --live open
            tracker.add([[120.5, 64.0]])  # y, x in the first frame
            for frame in camera:
                tracks = tracker.push(frame)
    """

    def __init__(
        self,
        model: str | Path,
        provider: str = "cpu",
        window: int | None = None,
        threads: int | None = None,
        *,
        bgr: bool = False,
    ) -> None:
        """Open the model.

        Args:
            model: any file of a live export, or the NAME.onnx that was asked for on export.
            provider: a short name of ``locoexport.runtime.session.providers.PROVIDERS``.
            window: frames that are looked at, the newest included; None is what the file is fixed
                to, or 8.
            threads: of the CPU; None is all cores.
            bgr: frames are BGR, as OpenCV has them, and not RGB.

        Raises:
            UsageError: no such provider, or a window that is none or not the file's.
            ProviderUnavailableError: the provider does not work on this machine.
            ModelFileError: a file is missing, damaged, or not of a live export.
        """
        self._session: LiveSession | None = open_live(model, provider, threads=threads, cached=True)
        self._window = _checked_window(window, self._session)
        self._bgr = bgr
        self._thread = threading.get_ident()
        self._next_id = 0
        self._points = self._no_points()
        self._waiting: list[_Waiting] = []
        self._grids: dict[str, Array] | None = None
        self._frame_hw: tuple[int, int] | None = None
        self._frame_index = -1

    @property
    def session(self) -> LiveSession:
        """The open model.

        Raises:
            UsageError: the tracker was closed, or is used from another thread.
        """
        if self._session is None:
            raise UsageError("This LiveTracker is closed; make another.")
        if threading.get_ident() != self._thread:
            raise UsageError(
                "A LiveTracker belongs to the thread that made it; make one for each thread."
            )
        return self._session

    @property
    def window(self) -> int:
        """Frames that are looked at, the newest included."""
        return self._window

    @property
    def ids(self) -> NDArray[np.int64]:
        """Of the points that are followed, and of those that wait for the next frame."""
        return np.concatenate((self._points.ids, *(each.ids for each in self._waiting)))

    def add(
        self, points_yx: Sequence[Sequence[float]] | Array, frame: NDArray[np.uint8] | None = None
    ) -> NDArray[np.int64]:
        """Follow points from now on; returns their ids, int64 (points,).

        Args:
            points_yx: (points, 2) as (y, x) in pixels of the newest frame, of the first one where
                none was pushed yet, or of ``frame``.
            frame: uint8 (height, width, 3) in which the points are: a frame of any clip, or a
                photograph. The next frames are searched for them.

        Raises:
            QueryError: the points have another shape or are not finite.
            VideoError: the frame is malformed.
        """
        session = self.session
        points = _checked_points(points_yx)
        if frame is not None:
            grids = session.encode(self._input_of(frame))
            supports = session.sample(grids, self._scaled(points, _size(frame)))
            return self.add_features(
                QueryFeatures({name: each[0] for name, each in supports.items()}, session.identity)
            )
        ids = self._new_ids(len(points))
        if self._grids is None:
            self._waiting.append(_Waiting(ids, points))
        elif len(points):
            height, width = self._frame_hw or (1, 1)
            points = self._scaled(points, (height, width))
            added = self._sampled(ids, points, self._grids)
            answer = session.follow(
                self._grids, _batched(added.supports), _pinned(points), added.memory[None]
            )
            self._points = self._points.joined(replace(added, memory=answer.memory[0]))
        return ids

    def add_features(self, features: QueryFeatures) -> NDArray[np.int64]:
        """Follow points that were seen elsewhere, from the next frame on; returns their ids.

        Raises:
            UsageError: they are features of another model.
        """
        session = self.session
        if features.model != session.identity:
            raise UsageError(
                f"The query features are of {features.model}, and this model is "
                f"{session.identity}; features of one mean nothing to the other."
            )
        ids = self._new_ids(len(features))
        memory = np.zeros((len(ids), self._window - 1, session.memory_channels), np.float32)
        self._points = self._points.joined(FollowedPoints(ids, dict(features.supports), memory))
        return ids

    def features(self, ids: Sequence[int] | NDArray[np.int64]) -> QueryFeatures:
        """What points look like, to be followed in another clip.

        Raises:
            UsageError: there is no such point, or it waits for a frame.
        """
        wanted = np.asarray(ids, np.int64).reshape(-1)
        missing = wanted[~np.isin(wanted, self._points.ids)]
        if len(missing):
            raise UsageError(f"There is no point {missing[0]} in the frames that were pushed.")
        found = np.searchsorted(self._points.ids, wanted)
        supports = {name: each[found] for name, each in self._points.supports.items()}
        return QueryFeatures(supports, self.session.identity)

    def remove(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Follow points no more.

        Raises:
            UsageError: there is no such point.
        """
        gone = np.asarray(ids, np.int64).reshape(-1)
        unknown = sorted(set(gone.tolist()) - set(self.ids.tolist()))
        if unknown:
            raise UsageError(f"There is no point {unknown[0]}; there are {self.ids.tolist()}.")
        self._points = self._points.kept(~np.isin(self._points.ids, gone))
        self._waiting = [
            _Waiting(each.ids[stay], each.points_yx[stay])
            for each in self._waiting
            for stay in [~np.isin(each.ids, gone)]
        ]

    def reset(self) -> None:
        """Forget all points and frames, as though nothing was pushed."""
        _ = self.session
        self._forget()

    def push(self, frame: NDArray[np.uint8]) -> LiveTracks:
        """Where every point is in the next frame.

        Args:
            frame: uint8 (height, width, 3), RGB (or BGR, where that was said); all of one size.

        Raises:
            VideoError: the frame is malformed, or of another size than those before.
        """
        begun = time.perf_counter()
        session = self.session
        size = _size(frame)
        if self._frame_hw is not None and self._frame_hw != size:
            raise VideoError(
                f"A frame is {size[0]}x{size[1]} (HxW) where those before were "
                f"{self._frame_hw[0]}x{self._frame_hw[1]}; reset() begins anew."
            )
        grids = session.encode(self._input_of(frame))
        self._frame_hw, self._grids = size, grids
        self._frame_index += 1
        queries = np.full((len(self._points), 3), -1, np.float32)
        for each in self._waiting:
            scaled = self._scaled(each.points_yx, size)
            self._points = self._points.joined(self._sampled(each.ids, scaled, grids))
            queries = np.concatenate((queries, _pinned(scaled)))
        self._waiting = []
        return self._answer(queries, begun)

    def state(self) -> LiveState:
        """What another process needs to go on with the next frame."""
        session = self.session
        if self._waiting:
            raise UsageError("Points wait for the first frame; push it, then take the state.")
        return LiveState(
            session.identity, self._frame_hw, self._frame_index, self._next_id, self._points
        )

    def restore(self, state: LiveState) -> None:
        """Go on where ``state`` was taken, with the frame that comes next.

        Raises:
            UsageError: it is of another model.
        """
        if state.model != self.session.identity:
            raise UsageError(
                f"The state is of {state.model}, and this model is {self.session.identity}."
            )
        self._forget()
        self._points = state.points.remembering(self._window - 1)
        self._frame_hw, self._frame_index = state.frame_hw, state.frame_index
        self._next_id = state.next_id

    def close(self) -> None:
        """Give the model back."""
        self._session = None

    def _no_points(self) -> FollowedPoints:
        session = self.session
        return FollowedPoints.none(
            session.support_shapes, self._window - 1, session.memory_channels
        )

    def _forget(self) -> None:
        self._points, self._waiting = self._no_points(), []
        self._grids, self._frame_hw, self._frame_index = None, None, -1

    def _answer(self, queries: Array, begun: float) -> LiveTracks:
        points, grids = self._points, self._grids
        xy = np.zeros((0, 2), np.float32)
        visible, confidence = np.zeros(0, np.bool_), np.zeros(0, np.float32)
        if len(points) and grids is not None and self._frame_hw is not None:
            answer = self.session.follow(
                grids, _batched(points.supports), queries, points.memory[None]
            )
            self._points = replace(points, memory=answer.memory[0])
            xy = scale_tracks_to_video(answer.tracks_xy, self.session.resolution_hw, self._frame_hw)
            visible, confidence = visible_from_logits(answer.occlusion, answer.expected_dist)
        latency_ms = (time.perf_counter() - begun) * 1e3
        return LiveTracks(points.ids, xy, visible, confidence, self._frame_index, latency_ms)

    def _sampled(
        self, ids: NDArray[np.int64], points_yx: Array, grids: dict[str, Array]
    ) -> FollowedPoints:
        """Points of a frame, (y, x) in pixels of the model, of which nothing is remembered."""
        session = self.session
        supports = {name: each[0] for name, each in session.sample(grids, points_yx).items()}
        memory = np.zeros((len(ids), self._window - 1, session.memory_channels), np.float32)
        return FollowedPoints(ids, supports, memory)

    def _input_of(self, frame: NDArray[np.uint8]) -> Array:
        rgb = np.ascontiguousarray(frame[..., ::-1]) if self._bgr else frame
        return to_model_input(rgb[None], self.session.resolution_hw)

    def _scaled(self, points_yx: Array, size_hw: tuple[int, int]) -> Array:
        """In pixels of the model."""
        height, width = self.session.resolution_hw
        scale = np.array([height / size_hw[0], width / size_hw[1]])
        scaled: Array = (points_yx * scale).astype(np.float32)
        return scaled

    def _new_ids(self, count: int) -> NDArray[np.int64]:
        first, self._next_id = self._next_id, self._next_id + count
        return np.arange(first, first + count, dtype=np.int64)

    def __enter__(self) -> LiveTracker:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def _checked_window(window: int | None, session: LiveSession) -> int:
    fixed = session.window
    if window is None:
        return fixed or DEFAULT_LIVE_WINDOW
    if not 1 <= window <= LARGEST_WINDOW:
        raise UsageError(
            f"window is {window}; it is a number of frames from 1 to {LARGEST_WINDOW}."
        )
    if fixed not in (None, window):
        raise UsageError(
            f"{session.path} looks at {fixed} frames, not {window}; export it with --live open."
        )
    return window


def _checked_points(points_yx: Sequence[Sequence[float]] | Array) -> Array:
    try:
        points = np.asarray(points_yx, np.float32)
    except (TypeError, ValueError) as error:
        raise QueryError("Points are numbers: y and x of each.") from error
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise QueryError(
            f"Points are finite (y, x), an array of shape (points, 2), not of {points.shape}."
        )
    return points


def _size(frame: NDArray[np.uint8]) -> tuple[int, int]:
    check_frames(np.asarray(frame)[None])
    return frame.shape[0], frame.shape[1]


def _pinned(points_yx: Array) -> Array:
    """Queries of the newest frame."""
    return np.concatenate((np.zeros((len(points_yx), 1), np.float32), points_yx), 1)


def _batched(supports: dict[str, Array]) -> dict[str, Array]:
    return {name: each[None] for name, each in supports.items()}
