"""FiftyOne: the labels of one video as JSON (FiftyOneVideoLabelsDataset, ETA's VideoLabels).

Source: https://docs.voxel51.com/user_guide/import_datasets.html#fiftyonevideolabelsdataset and
https://github.com/voxel51/eta/blob/develop/docs/video_labels_guide.md. Places are shares of the
frame's width and height from its upper left corner, y down; frames count from 1.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import point_name
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["write_fiftyone"]

_FIRST_FRAME = 1
_DIGITS = 10
_FIELD = "tracks"


def write_fiftyone(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write a keypoint a frame and point, in the field ``tracks`` of frames.

    Hidden points keep their place and have ``occluded`` true; all have their confidence.
    """
    first = facts.first_frame_or(_FIRST_FRAME)
    with open(path, "w", encoding="utf-8") as file:
        # Frame by frame: a document of all would take several times the memory of the tracks.
        file.write('{"frames": {')
        for frame in range(tracks.frames):
            number = first + frame
            points = [
                _keypoint(tracks, point, frame, facts)
                for point in range(tracks.points)
                if all(map(math.isfinite, tracks.xy[point, frame].tolist()))
            ]
            body = {"frame_number": number, "keypoints": {"keypoints": points}}
            file.write("\n" if frame == 0 else ",\n")
            file.write(f'"{number}": {json.dumps(body)}')
        file.write("\n}}\n")


def _keypoint(tracks: Tracks, point: int, frame: int, facts: ClipFacts) -> dict[str, Any]:
    assert facts.width is not None
    assert facts.height is not None
    x, y = tracks.xy[point, frame].tolist()
    hidden = {
        "type": "eta.core.data.BooleanAttribute",
        "name": "occluded",
        "value": not tracks.visible[point, frame],
    }
    return {
        "name": _FIELD,
        "label": point_name(point),
        "index": point,
        "points": [[round(x / facts.width, _DIGITS), round(y / facts.height, _DIGITS)]],
        "confidence": [round(float(tracks.confidence[point, frame]), 6)],
        "attrs": {"attrs": [hidden]},
    }
