"""Objects of a stream: looked for every so many frames, and followed by their points between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import UsageError
from locoexport.runtime.live.tracker import LiveTracker, LiveTracks
from locoexport.runtime.objects.boxes import box_overlaps
from locoexport.runtime.objects.detection import Detector, detect_frames, open_detector
from locoexport.runtime.objects.gaps import object_points
from locoexport.runtime.objects.rules import tight_box
from locoexport.runtime.objects.segmentation import open_segmenter

__all__ = ["NO_OBJECT", "LiveDetection", "LiveObjects"]

NO_OBJECT = -1
_LEAST_VISIBLE = 1 / 3
_LEAST_OVERLAP = 0.3


@dataclass(frozen=True)
class LiveDetection:
    """Which objects are looked for, and how often.

    Attributes:
        detector: its name, as ``open_detector`` knows it.
        model: a file for it, or None.
        every: so many answered frames lie between two looks.
        grid_hw: rows and columns of points in a box.
    """

    detector: str
    model: Path | None = None
    every: int = 30
    grid_hw: tuple[int, int] = (4, 4)

    def __post_init__(self) -> None:
        """Raises UsageError where objects are looked for less than every frame."""
        if self.every < 1:
            raise UsageError(f"--detect-every is {self.every}; it is a number of frames from 1 on.")

    def open(self) -> LiveObjects:
        """Open the detector.

        Raises:
            UsageError, InputError, MachineError: see ``open_detector``.
        """
        return LiveObjects(open_detector(self.detector, self.model), self)


class LiveObjects:
    """What a detector saw of a stream, and which points are on it.

    An object is found again where its box overlaps that of its visible points. It is given up, with
    its points, once the detector does not see it and fewer than a third of them are visible.
    """

    def __init__(self, detector: Detector, asked: LiveDetection) -> None:
        """Use ``LiveDetection.open``."""
        self._detector = detector
        self._segmenter = open_segmenter()
        self._asked = asked
        self._object_of: dict[int, int] = {}
        self._next_object = 0

    def of_points(self, ids: NDArray[np.int64]) -> list[int]:
        """The object that each point is on, ``NO_OBJECT`` for none."""
        return [self._object_of.get(name, NO_OBJECT) for name in ids.tolist()]

    def forget_points(self) -> None:
        """No point is followed any more."""
        self._object_of.clear()

    def is_due(self, answered: int) -> bool:
        """Whether it is time to look, after that many frames."""
        return answered % self._asked.every == 0

    def look(
        self, tracker: LiveTracker, frame_rgb: NDArray[np.uint8], tracks: LiveTracks | None
    ) -> None:
        """Look at a frame: points of new objects are added, those of lost ones removed.

        Args:
            tracker: whose newest frame it is, or its first one.
            frame_rgb: uint8 (height, width, 3).
            tracks: of that frame; None before the first.
        """
        boxes_xyxy = detect_frames(self._detector, [frame_rgb]).boxes.xyxy
        self._drop_gone(tracker)
        places = {} if tracks is None else self._places(tracks)
        seen = _matched(boxes_xyxy, {name: box for name, (box, _) in places.items()})
        for name, (_, share) in places.items():
            if share < _LEAST_VISIBLE:
                gone = [point for point, owner in self._object_of.items() if owner == name]
                tracker.remove(gone)
                self._drop_gone(tracker)
        held = set(self._object_of.values())
        for index, box_xyxy in enumerate(boxes_xyxy):
            name = seen.get(index, self._next_object)
            self._next_object = max(self._next_object, name + 1)
            if name not in held:
                points_tyx = object_points(
                    frame_rgb, 0, box_xyxy, self._segmenter, self._asked.grid_hw
                )
                added = tracker.add(points_tyx[:, 1:])
                self._object_of.update(dict.fromkeys(added.tolist(), name))

    def _drop_gone(self, tracker: LiveTracker) -> None:
        there = set(tracker.ids.tolist())
        self._object_of = {p: owner for p, owner in self._object_of.items() if p in there}

    def _places(self, tracks: LiveTracks) -> dict[int, tuple[NDArray[np.float32], float]]:
        """Of every object: the box of its visible points, of all where none is, and the share."""
        owners = np.array(self.of_points(tracks.ids))
        places = {}
        for name in sorted(set(self._object_of.values())):
            mine = owners == name
            if mine.any():
                shown = mine & tracks.visible
                box = tight_box(tracks.xy[shown if shown.any() else mine])
                places[name] = (box, float(tracks.visible[mine].mean()))
        return places


def _matched(
    boxes_xyxy: NDArray[np.float32], places: dict[int, NDArray[np.float32]]
) -> dict[int, int]:
    """The object of each box that shows one already, the best pairs first."""
    if not len(boxes_xyxy) or not places:
        return {}
    names = list(places)
    overlaps = box_overlaps(boxes_xyxy, np.stack([places[name] for name in names]))
    matched: dict[int, int] = {}
    for flat in np.argsort(-overlaps, axis=None).tolist():
        box, place = divmod(flat, len(names))
        if overlaps[box, place] < _LEAST_OVERLAP:
            break
        if box not in matched and names[place] not in matched.values():
            matched[box] = names[place]
    return matched
