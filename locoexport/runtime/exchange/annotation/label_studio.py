"""Label Studio: a task with predictions on a video, for its Import.

Source: https://labelstud.io/guide/predictions and https://labelstud.io/tags/videorectangle. Its
videos know boxes and no single points (VideoVector wants two vertices at least), so a point is the
centre of a small box. Boxes are percents of the frame's size from its upper left corner, y down;
frames count from 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import point_name, runs, seen
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["CONFIG", "write_label_studio"]

CONFIG = (
    '<View><Video name="video" value="$video" framerate="{fps}"/>'
    '<VideoRectangle name="box" toName="video"/>'
    '<Labels name="videoLabels" toName="video"><Label value="point"/></Labels></View>'
)
"""The labelling interface that a project needs."""
_FIRST_FRAME = 1
_LABEL = "point"
_HALF_BOX_PX = 4.0
_DIGITS = 8


def write_label_studio(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write one task with a region a point.

    A region ends with the last frame of each run in which its point is visible within the picture
    (``enabled`` false there) and begins again with the next: hidden points are not shown. ``score``
    is the mean confidence of the visible frames.
    """
    assert facts.fps is not None
    first = facts.first_frame_or(_FIRST_FRAME)
    shown = seen(tracks) & _within(tracks, facts)
    video = facts.file_name or "clip.mp4"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'[{{"data": {{"video": {json.dumps(video)}}}, "predictions": [')
        file.write('{"model_version": "locoexport", "result": [')
        for number, point in enumerate(np.flatnonzero(shown.any(axis=1)).tolist()):
            file.write("\n" if number == 0 else ",\n")
            file.write(json.dumps(_region(tracks, point, shown[point], facts, first)))
        file.write("\n]}]}]\n")


def _within(tracks: Tracks, facts: ClipFacts) -> NDArray[np.bool_]:
    inside = (tracks.xy >= 0) & (tracks.xy <= np.array([facts.width, facts.height], np.float32))
    return np.asarray(inside.all(axis=-1))


def _region(
    tracks: Tracks, point: int, shown: NDArray[np.bool_], facts: ClipFacts, first: int
) -> dict[str, Any]:
    assert facts.fps is not None
    frames = facts.frame_count or tracks.frames
    sequence = [
        _keyframe(tracks.xy[point, frame].tolist(), first + frame, frame + 1 < end, facts)
        for start, end in runs(shown)
        for frame in range(start, end)
    ]
    return {
        "id": point_name(point),
        "type": "videorectangle",
        "from_name": "box",
        "to_name": "video",
        "score": round(float(tracks.confidence[point, shown].mean()), 6),
        "meta": {"text": [point_name(point)]},
        "value": {
            "framesCount": frames,
            "duration": round(frames / facts.fps, 6),
            "labels": [_LABEL],
            "sequence": sequence,
        },
    }


def _keyframe(xy: list[float], number: int, enabled: bool, facts: ClipFacts) -> dict[str, Any]:
    """A box around the point, as large as the picture's edge lets it be: its centre is exact."""
    assert facts.width is not None
    assert facts.height is not None
    assert facts.fps is not None
    size = (facts.width, facts.height)
    half = [min(_HALF_BOX_PX, place, side - place) for place, side in zip(xy, size, strict=True)]
    x, y, width, height = (
        round(100 * length / side, _DIGITS)
        for length, side in (
            (xy[0] - half[0], size[0]),
            (xy[1] - half[1], size[1]),
            (2 * half[0], size[0]),
            (2 * half[1], size[1]),
        )
    )
    return {
        "frame": number,
        "time": round(number / facts.fps, 6),
        "enabled": enabled,
        "rotation": 0,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
    }
