"""Points followed frame by frame: the runtime's front door for cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.shipped_model import shipped_live_path
from locoexport.contract.visibility import visible_from_logits
from locoexport.errors import UsageError, VideoError
from locoexport.runtime.live.ahead import prepare_ahead
from locoexport.runtime.live.features import QueryFeatures
from locoexport.runtime.live.inputs import (
    DEFAULT_LIVE_WINDOW,
    check_inside,
    checked_points,
    checked_window,
    frame_size,
)
from locoexport.runtime.live.pace import Pace
from locoexport.runtime.live.points import FollowedPoints
from locoexport.runtime.live.session import LiveSession, open_live
from locoexport.runtime.live.state import LiveState
from locoexport.runtime.live.tracks import LiveTracks
from locoexport.runtime.video.frames import scale_tracks_to_video, to_model_input

__all__ = ["DEFAULT_LIVE_WINDOW", "LiveTracker", "LiveTracks"]

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Waiting:
    """Points of the next frame to come, (y, x) in its pixels."""

    ids: NDArray[np.int64]
    points_yx: Array


@dataclass(frozen=True, eq=False)
class _Encoded:
    """A frame's grids, its height and width, and when it was there (``time.perf_counter``)."""

    grids: dict[str, Array]
    size_hw: tuple[int, int]
    begun_s: float


class LiveTracker:
    """Follows points through a stream of frames, each answered as it comes.

    A frame is answered from itself and from the answers for the ``window - 1`` frames before it.
    Nothing is kept of older frames, so memory and time per frame never grow. Use it in a ``with``
    block, or call ``close``; only the thread that made it may use it.

    ```python
    with LiveTracker() as tracker:  # the built-in b0-tiny; or what `export --live` wrote
        tracker.add([[120.5, 64.0]])  # y, x in the first frame
        for frame in camera:
            tracks = tracker.push(frame)
    ```
    """

    def __init__(
        self,
        model: str | Path | None = None,
        provider: str = "cpu",
        window: int | None = None,
        threads: int | None = None,
        *,
        target_fps: float | None = None,
        bgr: bool = False,
    ) -> None:
        """Open the model.

        Args:
            model: any file of a live export, or the NAME.onnx that was asked for on export; None
                is the model that the package ships, b0-tiny.
            provider: a short name of ``locoexport.runtime.session.providers.PROVIDERS``.
            window: frames that are looked at, the newest included; None is what the file is fixed
                to, or 8.
            threads: of the CPU; None is one for each core that this process may use.
            target_fps: frames a second that are to be kept up with: where pushes take longer, fewer
                frames are looked at (``LiveTracks.window``), down to 2, and where that is not
                enough ``LiveTracks.behind_ms`` says so. No point and no frame is ever left out.
            bgr: frames are BGR, as OpenCV has them, and not RGB.

        Raises:
            UsageError: no such provider, a window that is none or not the file's, or a target that
                is no positive number.
            ProviderUnavailableError: the provider does not work on this machine.
            ModelFileError: a file is missing, damaged, or not of a live export.
        """
        model = shipped_live_path() if model is None else model
        self._session: LiveSession | None = open_live(model, provider, threads=threads, cached=True)
        self._window = checked_window(window, self._session)
        self._pace = Pace(self._window, target_fps, fixed=self._session.window is not None)
        self._bgr = bgr
        self._thread = threading.get_ident()
        self._next_id = 0
        self._points = self._no_points()
        self._waiting: list[_Waiting] = []
        self._newest: _Encoded | None = None
        self._frame_hw: tuple[int, int] | None = None
        self._frame_index = -1

    @property
    def session(self) -> LiveSession:
        """The open model.

        Raises:
            UsageError: the tracker was closed, or is used from another thread.
        """
        if threading.get_ident() != self._thread:
            raise UsageError(
                "A LiveTracker belongs to the thread that made it; make one for each thread."
            )
        return self._opened()

    @property
    def window(self) -> int:
        """How many frames an answer looks at, its own included; with ``target_fps``, at most."""
        return self._window

    @property
    def frame_index(self) -> int:
        """The index of the newest frame, counted from 0; -1 before the first."""
        return self._frame_index

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of all points that are followed, also of those that wait for the next frame."""
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
            QueryError: the points have another shape, are not finite, or one is outside the frame
                (where none was pushed yet, ``push`` raises it and forgets them).
            VideoError: the frame is malformed.
        """
        session = self.session
        points = checked_points(points_yx)
        if frame is not None and len(points):
            encoded = self._encode(frame)
            check_inside(points, encoded.size_hw)
            supports = session.sample(encoded.grids, self._scaled(points, encoded.size_hw))
            return self.add_features(
                QueryFeatures({name: each[0] for name, each in supports.items()}, session.identity)
            )
        if self._newest is None:
            ids = self._new_ids(len(points))
            self._waiting.append(_Waiting(ids, points))
            return ids
        check_inside(points, self._newest.size_hw)
        ids = self._new_ids(len(points))
        if len(points):
            scaled = self._scaled(points, self._newest.size_hw)
            added = self._sampled(ids, scaled, self._newest.grids)
            answer = session.follow(
                self._newest.grids, _batched(added.supports), _pinned(scaled), added.memory[None]
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
                f"{session.identity}; one model cannot use the features of another."
            )
        session.check_supports(features.supports)
        ids = self._new_ids(len(features))
        memory = np.zeros((len(ids), self._window - 1, session.memory_channels), np.float32)
        self._points = self._points.joined(FollowedPoints(ids, dict(features.supports), memory))
        return ids

    def features(self, ids: Sequence[int] | NDArray[np.int64]) -> QueryFeatures:
        """What points look like, to be followed in another clip.

        Raises:
            UsageError: there is no such point, or it waits for a frame.
        """
        session = self.session
        wanted = np.asarray(ids, np.int64).reshape(-1)
        missing = wanted[~np.isin(wanted, self._points.ids)]
        if len(missing):
            raise UsageError(f"There is no point {missing[0]} in the frames that were pushed.")
        found = np.searchsorted(self._points.ids, wanted)
        supports = {name: each[found] for name, each in self._points.supports.items()}
        return QueryFeatures(supports, session.identity)

    def remove(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Stop following points.

        Raises:
            UsageError: there is no such point.
        """
        _ = self.session
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
        """Forget all points and frames, as if nothing had been pushed."""
        _ = self.session
        self._forget()

    def push(self, frame: NDArray[np.uint8]) -> LiveTracks:
        """Where every point is in the next frame.

        Args:
            frame: uint8 (height, width, 3), RGB (or BGR, where that was said); all of one size.

        Raises:
            VideoError: the frame is malformed, or of another size than those before.
        """
        _ = self.session
        return self._answer_to(self._encode(frame))

    def follow(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[LiveTracks]:
        """``push`` for every frame of a stream; the next is taken and encoded beside this answer.

        ``frames`` are read in a thread of their own. Points may be added and removed between two
        answers; they are those of the frame that was answered last.

        Raises:
            QueryError: as ``push``.
            VideoError: as ``push``.
        """
        _ = self.session
        for encoded in prepare_ahead(frames, self._encode):
            yield self._answer_to(encoded)

    def state(self) -> LiveState:
        """Everything that another process needs to continue with the next frame."""
        session = self.session
        if self._waiting:
            raise UsageError("Points wait for the first frame; push it, then take the state.")
        return LiveState(
            session.identity, self._frame_hw, self._frame_index, self._next_id, self._points
        )

    def restore(self, state: LiveState) -> None:
        """Continue where ``state`` was taken, with the next frame.

        Raises:
            UsageError: it was taken from another model.
        """
        if state.model != self.session.identity:
            raise UsageError(
                f"The state is of {state.model}, and this model is {self.session.identity}."
            )
        points = state.points
        self.session.check_supports(points.supports)
        if points.memory.shape[2] != self.session.memory_channels:
            raise UsageError(
                f"The state remembers {points.memory.shape[2]} numbers of a point in a frame, and "
                f"this model {self.session.memory_channels}; it is of another model."
            )
        self._forget()
        self._points = points.remembering(self._window - 1)
        self._frame_hw, self._frame_index = state.frame_hw, state.frame_index
        self._next_id = state.next_id

    def close(self) -> None:
        """Give the model's memory back."""
        self._session = None

    def _opened(self) -> LiveSession:
        """The session, whatever thread asks."""
        if self._session is None:
            raise UsageError("This LiveTracker is closed; make another.")
        return self._session

    def _no_points(self) -> FollowedPoints:
        session = self.session
        return FollowedPoints.none(
            session.support_shapes, self._window - 1, session.memory_channels
        )

    def _forget(self) -> None:
        self._points, self._waiting = self._no_points(), []
        self._newest, self._frame_hw, self._frame_index = None, None, -1

    def _encode(self, frame: NDArray[np.uint8]) -> _Encoded:
        begun_s = time.perf_counter()
        size_hw, session = frame_size(frame), self._opened()
        rgb = np.ascontiguousarray(frame[..., ::-1] if self._bgr else frame)
        grids = session.encode(to_model_input(rgb[None], session.resolution_hw))
        return _Encoded(grids, size_hw, begun_s)

    def _answer_to(self, encoded: _Encoded) -> LiveTracks:
        """Take the waiting points in, follow all of them, and go on to the next frame."""
        size_hw, window = encoded.size_hw, self._pace.window
        if self._frame_hw not in (None, size_hw):
            raise VideoError(
                f"A frame is {'x'.join(map(str, size_hw))} (HxW); the frames before were "
                f"{'x'.join(map(str, self._frame_hw or ()))}; call reset() to start again."
            )
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            check_inside(each.points_yx, size_hw)
        queries = [np.full((len(self._points), 3), -1, np.float32)]
        for each in waiting:
            if len(each.ids):
                scaled = self._scaled(each.points_yx, size_hw)
                self._points = self._points.joined(self._sampled(each.ids, scaled, encoded.grids))
                queries.append(_pinned(scaled))
        self._newest, self._frame_hw = encoded, size_hw
        self._frame_index += 1
        xy, visible, confidence = self._follow_points(encoded, np.concatenate(queries), window)
        latency_ms = (time.perf_counter() - encoded.begun_s) * 1e3
        behind_ms = self._pace.observe(latency_ms, len(self._points))
        ids = self._points.ids
        return LiveTracks(
            ids, xy, visible, confidence, self._frame_index, latency_ms, window, behind_ms
        )

    def _follow_points(
        self, encoded: _Encoded, queries_tyx: Array, window: int
    ) -> tuple[Array, NDArray[np.bool_], Array]:
        """(x, y) in pixels of the frame, visibility and confidence; all is remembered."""
        points = self._points
        if not len(points):
            return np.zeros((0, 2), np.float32), np.zeros(0, np.bool_), np.zeros(0, np.float32)
        looked_at = points.remembering(window - 1).memory
        answer = self.session.follow(
            encoded.grids, _batched(points.supports), queries_tyx, looked_at[None]
        )
        self._points = points.having_answered(answer.memory[0])
        xy = scale_tracks_to_video(answer.tracks_xy, self.session.resolution_hw, encoded.size_hw)
        return xy, *visible_from_logits(answer.occlusion, answer.expected_dist)

    def _sampled(
        self, ids: NDArray[np.int64], points_yx: Array, grids: dict[str, Array]
    ) -> FollowedPoints:
        """Points of a frame, (y, x) in pixels of the model, of which nothing is remembered."""
        session = self.session
        supports = {name: each[0] for name, each in session.sample(grids, points_yx).items()}
        memory = np.zeros((len(ids), self._window - 1, session.memory_channels), np.float32)
        return FollowedPoints(ids, supports, memory)

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


def _pinned(points_yx: Array) -> Array:
    """Queries of the newest frame."""
    return np.concatenate((np.zeros((len(points_yx), 1), np.float32), points_yx), 1)


def _batched(supports: dict[str, Array]) -> dict[str, Array]:
    return {name: each[None] for name, each in supports.items()}
