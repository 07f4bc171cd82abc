"""Rerun: a recording (.rrd), written by rerun-sdk itself.

Source: https://ref.rerun.io/docs/python/ (``RecordingStream``, ``send_columns``, ``Points2D``).
Its 2D views begin at the upper left corner, y is down, the centre of the first pixel is at
(0.5, 0.5). The timeline ``frame`` counts from 0; ``time`` has seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import PackageMissingError
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_rerun"]

_FIRST_FRAME = 0
_ROWS_A_CHUNK = 1 << 18
"""Points in a call: what is sent at once is held in memory twice."""


def write_rerun(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write points at ``tracks/visible`` and ``tracks/hidden``, each with its number.

    ``class_ids`` are the points' numbers, so that each keeps its colour. The confidence stands
    beside them as ``confidence``.

    Raises:
        PackageMissingError: rerun-sdk is not installed.
    """
    rr = _load_rerun()
    first = facts.first_frame_or(_FIRST_FRAME)
    recording = rr.RecordingStream("locoexport")
    recording.save(str(path))
    there = np.isfinite(tracks.xy).all(axis=-1)
    step = max(1, _ROWS_A_CHUNK // max(1, tracks.points))
    for name, wanted in (("visible", tracks.visible & there), ("hidden", ~tracks.visible & there)):
        for start in range(0, tracks.frames, step):
            end = min(start + step, tracks.frames)
            indexes = _timelines(rr, start, end, first, facts)
            _send(rr, recording, f"tracks/{name}", tracks, wanted, (start, end), indexes)
    recording.flush()
    recording.disconnect()


def _load_rerun() -> Any:
    try:
        import rerun
    except ImportError as error:
        raise PackageMissingError(
            ".rrd files are written by rerun-sdk, which is not installed; "
            "pip install 'locoexport[rerun]'."
        ) from error
    return rerun


def _timelines(rr: Any, start: int, end: int, first: int, facts: ClipFacts) -> list[Any]:
    indexes = [rr.TimeColumn("frame", sequence=np.arange(first + start, first + end))]
    if facts.time_s is not None:
        indexes.append(rr.TimeColumn("time", duration=facts.time_s[start:end]))
    elif facts.fps is not None:
        indexes.append(rr.TimeColumn("time", duration=np.arange(start, end) / facts.fps))
    return indexes


def _send(
    rr: Any,
    recording: Any,
    entity: str,
    tracks: Tracks,
    wanted: NDArray[np.bool_],
    span: tuple[int, int],
    indexes: Sequence[Any],
) -> None:
    start, end = span
    # By frames, then points: a row of the recording is a frame.
    rows = wanted[:, start:end].T
    frames, points = np.nonzero(rows)
    lengths = rows.sum(axis=1)
    numbers = points.astype(np.uint16) if tracks.points <= 1 << 16 else None
    columns = rr.Points2D.columns(
        positions=tracks.xy[points, start + frames], class_ids=numbers
    ).partition(lengths)
    confidence = rr.AnyValues.columns(
        confidence=tracks.confidence[points, start + frames], point=points.astype(np.int64)
    )
    confidence = confidence.partition(lengths)
    recording.send_columns(entity, indexes=indexes, columns=[*columns, *confidence])
