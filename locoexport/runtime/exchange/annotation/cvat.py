"""CVAT: annotations of a video as XML 1.1, tracks of points ("CVAT for video 1.1").

Source: https://docs.cvat.ai/docs/dataset_management/formats/xml_format/ (interpolation). Frames
count from 0; coordinates are pixels of the canvas: the upper left corner is (0, 0), y is down, the
centre of the first pixel is at (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import decimal
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["LABEL", "write_cvat"]

LABEL = "point"
"""The label of all points; a task of CVAT needs it before the file is uploaded."""
_FIRST_FRAME = 0


def write_cvat(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write a track a point, with a keyframe a frame.

    ``occluded`` is 1 where a point is hidden within the picture; ``outside`` where it has left the
    picture, and from the first frame on that was not tracked. The confidence is not written: CVAT
    refuses attributes that a task does not have.
    """
    first = facts.first_frame_or(_FIRST_FRAME)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("  <version>1.1</version>\n")
        file.writelines(f"  {line}\n" for line in _meta(tracks, facts, first))
        for point in range(tracks.points):
            file.write(f'  <track id="{point}" label="{LABEL}" source="automatic">\n')
            file.writelines(f"    {line}\n" for line in _shapes(tracks, point, facts, first))
            file.write("  </track>\n")
        file.write("</annotations>\n")


def _meta(tracks: Tracks, facts: ClipFacts, first: int) -> Iterator[str]:
    frames = max(first + tracks.frames, facts.frame_count or 0)
    name = escape(facts.file_name or "locoexport")
    yield "<meta>"
    yield "  <task>"
    yield f"    <name>{name}</name>"
    yield f"    <size>{frames}</size>"
    yield "    <mode>interpolation</mode>"
    yield "    <overlap>0</overlap>"
    yield "    <start_frame>0</start_frame>"
    yield f"    <stop_frame>{max(0, frames - 1)}</stop_frame>"
    yield "    <labels>"
    yield f"      <label><name>{LABEL}</name><type>points</type><attributes/></label>"
    yield "    </labels>"
    yield "    <original_size>"
    yield f"      <width>{facts.width}</width>"
    yield f"      <height>{facts.height}</height>"
    yield "    </original_size>"
    yield f"    <source>{name}</source>"
    yield "  </task>"
    yield "</meta>"


def _shapes(tracks: Tracks, point: int, facts: ClipFacts, first: int) -> Iterator[str]:
    place = (0.0, 0.0)
    for frame, (x, y) in enumerate(tracks.xy[point].tolist()):
        there = bool(np.isfinite((x, y)).all())
        if there:
            place = (x, y)
        within = there and 0 <= x <= (facts.width or 0) and 0 <= y <= (facts.height or 0)
        yield _shape(first + frame, place, not within, not tracks.visible[point, frame])
    end = first + tracks.frames
    if facts.frame_count is not None and end < facts.frame_count:
        yield _shape(end, place, True, False)


def _shape(frame: int, place: tuple[float, float], outside: bool, occluded: bool) -> str:
    return (
        f'<points frame="{frame}" keyframe="1" outside="{int(outside)}" '
        f'occluded="{int(occluded)}" points="{decimal(place[0])},{decimal(place[1])}" '
        'z_order="0"></points>'
    )
