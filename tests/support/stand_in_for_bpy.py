"""What a script needs of Blender's tracking API, by its documentation: enough to run one."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any


class Marker:
    def __init__(self, frame: int, co: tuple[float, float]) -> None:
        self.frame, self.co, self.mute = frame, tuple(co), False


class Markers(list[Marker]):
    def insert_frame(self, frame: int, co: tuple[float, float] = (0.0, 0.0)) -> Marker:
        found = self.find_frame(frame)
        if found is None:
            found = Marker(frame, co)
            self.append(found)
            self.sort(key=lambda marker: marker.frame)
        found.co = tuple(co)
        return found

    def find_frame(self, frame: int, exact: bool = True) -> Marker | None:
        assert exact
        return next((marker for marker in self if marker.frame == frame), None)


class Track:
    def __init__(self, name: str, frame: int) -> None:
        self.name, self.markers = name, Markers([Marker(frame, (0.0, 0.0))])


class Tracks(list[Track]):
    def new(self, name: str = "", frame: int = 1) -> Track:
        self.append(Track(name, frame))
        return self[-1]


class MovieClip:
    def __init__(self, filepath: str, size: tuple[int, int]) -> None:
        self.name, self.filepath, self.size = Path(filepath).name, filepath, size
        self.tracking = types.SimpleNamespace(tracks=Tracks())


def stand_in(clips: list[MovieClip]) -> Any:
    """A module ``bpy`` that has these clips open."""
    bpy = types.ModuleType("bpy")
    bpy.data = types.SimpleNamespace(movieclips=clips)  # type: ignore[attr-defined]
    bpy.path = types.SimpleNamespace(basename=lambda path: Path(path).name)  # type: ignore[attr-defined]
    return bpy
