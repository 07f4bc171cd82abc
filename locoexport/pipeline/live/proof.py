"""A live export against the same loop over the unrewritten PyTorch model, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from locoexport.contract.profile import Tolerance
from locoexport.models.locotrack import LocoTrack
from locoexport.network.live_oracle import measure_live_noise, run_live_reference
from locoexport.notices import Listener, Notice
from locoexport.parity.pointwise import (
    CaseParity,
    Conditioning,
    ParityReport,
    TrackArrays,
    compare_case,
    summarise,
)
from locoexport.parity.probes import Probe
from locoexport.runtime.live.session import LiveSession

__all__ = ["LIVE_SHAPES", "OPEN_WINDOW", "prove_live", "run_live"]

LIVE_SHAPES = ((1, 1, 1), (1, 3, 4), (1, 12, 20))
"""(batch, frames, points) that every live export is tried at."""
OPEN_WINDOW = 8
"""Frames that a file of any window is tried with."""


def prove_live(
    session: LiveSession,
    model: LocoTrack,
    probes: Iterable[Probe],
    tolerance: Tolerance,
    notify: Listener,
) -> ParityReport:
    """Compare the files with ``model`` on every probe, each of one clip.

    Where the session was opened with a profile, it ends with the first probe.
    """
    window = session.window or OPEN_WINDOW
    cases = []
    for probe in probes:
        notify(Notice(f"live parity: {probe.name}"))
        queries = whole_frames(probe.query_points_tyx, probe.video.shape[1])
        cases.append(_compare(session, model, probe, queries, window, tolerance))
        session.placed_nodes()
    return summarise(cases, tolerance, session.provider, session.node_placement())


def _compare(
    session: LiveSession,
    model: LocoTrack,
    probe: Probe,
    queries: NDArray[np.float32],
    window: int,
    tolerance: Tolerance,
) -> CaseParity:
    """Compare; where points are beyond tolerance, measure how far the oracle can be trusted."""
    reference = run_live_reference(model, probe.video, queries, window)
    candidate = run_live(session, probe.video, queries, window)
    name = f"live {probe.name}"
    unknown = Conditioning.unmeasured(np.full(reference.occlusion.shape, np.inf, np.float32))
    case = compare_case(name, reference, candidate, unknown, tolerance)
    if not case.suspect_points:
        return case
    conditioning = measure_live_noise(
        model, probe.video, queries, window, reference, case.suspect_points
    )
    return compare_case(name, reference, candidate, conditioning, tolerance)


def whole_frames(query_points_tyx: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Queries in frames that are there: a point is asked for in a frame, not between two."""
    whole = query_points_tyx.copy()
    whole[..., 0] = np.clip(np.rint(whole[..., 0]), 0, frames - 1)
    return whole


def run_live(
    session: LiveSession,
    video: NDArray[np.float32],
    query_points_tyx: NDArray[np.float32],
    window: int,
) -> TrackArrays:
    """What ``run_live_reference`` does, by the files: (1, T, H, W, 3), (1, N, 3)."""
    queries = query_points_tyx[0]
    asked = queries[:, 0].astype(int)
    memory = np.zeros((1, len(queries), window - 1, session.memory_channels), np.float32)
    grids = [session.encode(video[:, index : index + 1]) for index in range(video.shape[1])]
    sampled = [
        session.sample(grids[t], query[None, 1:]) for t, query in zip(asked, queries, strict=True)
    ]
    supports = {name: np.concatenate([each[name] for each in sampled], 1) for name in sampled[0]}
    answers = []
    for index, of_frame in enumerate(grids):
        relative = queries - np.array([index, 0, 0], np.float32)
        answer = session.follow(of_frame, supports, relative, memory)
        memory = answer.memory * (asked <= index)[None, :, None, None]
        answers.append(answer)
    return TrackArrays(
        *(
            np.stack([getattr(answer, name) for answer in answers], 1)[None]
            for name in ("tracks_xy", "occlusion", "expected_dist")
        )
    )
