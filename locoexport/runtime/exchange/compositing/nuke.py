"""Foundry Nuke: the text of a Tracker4 node, to open, import or paste.

Source: the ``tracks`` knob as Nuke 7 to 15 save it (a table of 31 columns, each a value or a
``{curve …}``), read from scripts that Nuke saved; Foundry's Python reference has no page of it.
Nuke's image plane begins at the lower left corner of the picture, y is up, and the centre of the
first pixel is at (0.5, 0.5). A movie's first frame is 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import decimal, point_name, runs, seen
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_nuke"]

_FIRST_FRAME = 1
_COLUMNS = (
    "5 1 20 enable e 1",
    "3 1 75 name name 1",
    "2 1 58 track_x track_x 1",
    "2 1 58 track_y track_y 1",
    "2 1 63 offset_x offset_x 1",
    "2 1 63 offset_y offset_y 1",
    "4 1 27 T T 1",
    "4 1 27 R R 1",
    "4 1 27 S S 1",
    "2 0 45 error error 1",
    *(f"1 1 0 {name} {name} 1" for name in ("error_min", "error_max")),
    *(f"1 1 0 pattern_{side} pattern_{side} 1" for side in "xyrt"),
    *(f"1 1 0 search_{side} search_{side} 1" for side in "xyrt"),
    "2 1 0 key_track key_track 1",
    *(f"2 1 0 key_search_{side} key_search_{side} 1" for side in "xyrt"),
    *(f"2 1 0 key_track_{side} key_track_{side} 1" for side in "xyrt"),
    *(f"2 1 0 key_centre_offset_{side} key_centre_offset_{side} 1" for side in "xy"),
)
# T, R, S unticked; the error as Nuke's own tracks have it where none was measured; a pattern and a
# search area of Nuke's default sizes; and no keys that Nuke would track from.
_SWITCHES_AND_ERROR = "0 0 0 {{curve x{first} 0}} 1 0"
_AREAS_AND_KEYS = "-32 -32 32 32 -22 -22 22 22 {} {} {} {} {} {} {} {} {} {} {}"


def write_nuke(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write one Tracker4 node with a track a point.

    ``enable`` is 1 where the point is visible and 0 elsewhere; hidden points keep their keys, as
    Nuke keeps those of a track that is switched off. The confidence is not written.
    """
    assert facts.height is not None
    first = facts.first_frame_or(_FIRST_FRAME)
    shown = seen(tracks)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(
            f"Tracker4 {{\n inputs 0\n tracks {{ {{ 1 {len(_COLUMNS)} {tracks.points} }}\n{{ "
        )
        file.write("\n".join(f"{{ {column} }}" for column in _COLUMNS))
        file.write("\n}\n{\n")
        for point in range(tracks.points):
            xy = tracks.xy[point].astype(np.float64)
            x, y = _curve(xy[:, 0], first), _curve(facts.height - xy[:, 1], first)
            enabled = " ".join(_switches(shown[point], first))
            offset = f"{{curve K x{first} 0}}"
            file.write(
                f' {{ {{curve K {enabled}}} "{point_name(point)}" {x} {y} {offset} {offset} '
                f"{_SWITCHES_AND_ERROR.format(first=first)} {_AREAS_AND_KEYS} }}\n"
            )
        file.write(f"}}\n}}\n reference_frame {first}\n name LocoTrack1\n selected true\n}}\n")


def _curve(values: NDArray[np.float64], first: int) -> str:
    """A key a frame; frames without a number have none."""
    keys = [
        f"x{first + start} " + " ".join(decimal(value) for value in values[start:end])
        for start, end in runs(np.isfinite(values))
    ]
    return f"{{curve {' '.join(keys)}}}" if keys else "{}"


def _switches(shown: NDArray[np.bool_], first: int) -> Iterator[str]:
    """Keys of a curve that stays constant: where it changes."""
    yield f"x{first} {int(shown[0])}" if len(shown) else f"x{first} 0"
    for frame in np.flatnonzero(shown[1:] != shown[:-1]) + 1:
        yield f"x{first + int(frame)} {int(shown[frame])}"
