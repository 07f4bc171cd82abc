"""COCO keypoints: a JSON document of images and annotations.

Source: https://cocodataset.org/#format-data (keypoint detection). Keypoints are pixel indices from
the upper left, y down: COCO's integers name pixels, so that the centre of the first pixel is (0, 0)
and half a pixel is taken from our coordinates (detectron2 and mmpose add it when they read).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.samples import point_name
from locoexport.runtime.tracks.tracks import Tracks

__all__ = ["HALF_PIXEL", "write_coco"]

HALF_PIXEL = 0.5
"""COCO's keypoints are pixel indices; ours have pixel centres at .5."""
_FIRST_FRAME = 0
_ABSENT, _HIDDEN, _VISIBLE = 0, 1, 2


def write_coco(tracks: Tracks, path: Path, facts: ClipFacts) -> None:
    """Write an image a frame and an annotation an image: all points are the keypoints of one.

    v is 2 where a point is visible, 1 where it is hidden (its place is kept), 0 where it has no
    place. Beyond the standard, ``confidence`` has a number a keypoint.
    """
    assert facts.width is not None
    assert facts.height is not None
    first = facts.first_frame_or(_FIRST_FRAME)
    names = [point_name(point) for point in range(tracks.points)]
    head = {
        "info": {"description": f"points of {facts.file_name or 'a clip'}, by locoexport"},
        "licenses": [],
        "categories": [
            {"id": 1, "name": "points", "supercategory": "", "keypoints": names, "skeleton": []}
        ],
    }
    # A document of all frames at once would take several times the memory of the tracks.
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "images": [')
        for frame in range(tracks.frames):
            file.write("\n" if frame == 0 else ",\n")
            file.write(json.dumps(_image(first + frame, facts)))
        file.write('\n], "annotations": [')
        for frame in range(tracks.frames):
            file.write("\n" if frame == 0 else ",\n")
            file.write(json.dumps(_annotation(tracks, frame, first + frame)))
        file.write("\n]}\n")


def _image(number: int, facts: ClipFacts) -> dict[str, Any]:
    name = f"frame_{number:06d}.png"
    return {"id": number, "file_name": name, "width": facts.width, "height": facts.height}


def _annotation(tracks: Tracks, frame: int, number: int) -> dict[str, Any]:
    xy = tracks.xy[:, frame].astype(np.float64)
    there = np.asarray(np.isfinite(xy).all(axis=1))
    visible = tracks.visible[:, frame] & there
    flags = np.where(visible, _VISIBLE, np.where(there, _HIDDEN, _ABSENT))
    indices = np.where(there[:, None], np.round(xy - HALF_PIXEL, 6), 0.0)
    rows = zip(indices.tolist(), flags.tolist(), strict=True)
    box = [0.0, 0.0, 0.0, 0.0]
    if there.any():
        least, most = xy[there].min(axis=0), xy[there].max(axis=0)
        box = np.round([*least, *(most - least)], 6).tolist()
    return {
        "id": number + 1,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": round(box[2] * box[3], 6),
        "num_keypoints": int((flags > _ABSENT).sum()),
        "keypoints": [value for (x, y), flag in rows for value in (x, y, flag)],
        "confidence": np.round(tracks.confidence[:, frame].astype(np.float64), 6).tolist(),
    }
