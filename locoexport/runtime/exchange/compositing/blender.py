"""Blender: a Python script that makes the tracks in a movie clip.

A script and not a CSV: Blender imports no tracks by itself, and the add-ons that read CSV agree on
no columns, while the tracking API is documented and has been the same since 2.6x. Source:
https://docs.blender.org/api/current/bpy.types.MovieTrackingMarkers.html. Markers are shares of the
frame from its lower left corner, y up; frames of a clip count from 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import point_name, runs
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_blender"]

_FIRST_FRAME = 1
_DIGITS = 9

_HEAD = """\
# Tracks by locoexport, for Blender 2.8 and later. Open the clip in Blender, then run this script in
# the Text Editor, or: blender scene.blend --python FILE. Hidden frames have disabled markers.
import json
import os

import bpy

CLIP = json.loads({clip!r})
WIDTH, HEIGHT, FIRST_FRAME = {width}, {height}, {first}


def find_clip():
    clips = list(bpy.data.movieclips)
    named = [c for c in clips if CLIP and CLIP in (c.name, bpy.path.basename(c.filepath))]
    fitting = named or [c for c in clips if tuple(c.size) == (WIDTH, HEIGHT)]
    if len(fitting) == 1:
        return fitting[0]
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), CLIP) if CLIP else ""
    if not fitting and os.path.isfile(beside):
        return bpy.data.movieclips.load(beside)
    wanted = "named %s" % CLIP if CLIP else "of %d x %d pixels" % (WIDTH, HEIGHT)
    raise SystemExit("There are %d clips %s; open exactly one." % (len(fitting), wanted))


def add_track(tracks, name, places, hidden):
    track = None
    for frame, place in enumerate(json.loads(places), FIRST_FRAME):
        if place is None:
            continue
        if track is None:
            track = tracks.new(name=name, frame=frame)
        marker = track.markers.insert_frame(frame, co=place)
        marker.mute = False
    for start, end in hidden if track else ():
        for frame in range(start, end):
            marker = track.markers.find_frame(frame, exact=True)
            if marker is not None:
                marker.mute = True


TRACKS = find_clip().tracking.tracks
"""


def write_blender(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write a script that adds a track a point to the clip of that name, or else of that size.

    Every frame has a marker; those of frames in which the point is hidden are disabled (muted), as
    Blender's own tracker leaves them. The confidence is not written.
    """
    first = facts.first_frame_or(_FIRST_FRAME)
    head = {
        "clip": json.dumps(facts.file_name),
        "width": facts.width,
        "height": facts.height,
        "first": first,
    }
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(_HEAD.format(**head))
        for point in range(tracks.points):
            places = json.dumps(_places(tracks, point, facts), separators=(",", ":"))
            hidden = [(first + start, first + end) for start, end in runs(~tracks.visible[point])]
            file.write(f"add_track(TRACKS, {point_name(point)!r}, {places!r}, {hidden!r})\n")


def _places(tracks: Tracks, point: int, facts: ClipFacts) -> list[Any]:
    """[x, y] a frame as shares of the frame, or None where there is no place."""
    assert facts.width is not None
    assert facts.height is not None
    xy = tracks.xy[point].astype(np.float64)
    shares = np.column_stack([xy[:, 0] / facts.width, 1 - xy[:, 1] / facts.height])
    rows = np.round(shares, _DIGITS).tolist()
    return [row if there else None for row, there in zip(rows, np.isfinite(xy).all(1), strict=True)]
