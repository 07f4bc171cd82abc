"""Small readers of other programs' files, from their specifications: in each one's own frames,
pixels and direction of y. Each gives {point: {frame: place}}, and what it says of hidden points."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

Places = dict[str, dict[int, tuple[float, float]]]


def read_equalizer(text: str) -> Places:
    """3DE: a count; of each point name, colour, count; ``frame x y``."""
    lines = iter(text.splitlines())
    points: Places = {}
    for _ in range(int(next(lines))):
        name = next(lines)
        int(next(lines))
        rows = [next(lines).split() for _ in range(int(next(lines)))]
        points[name] = {int(frame): (float(x), float(y)) for frame, x, y in rows}
    assert next(lines, None) is None
    return points


def read_after_effects(text: str) -> tuple[dict[str, float], Places]:
    """Header lines are indented pairs; a block begins unindented, its rows are indented."""
    lines = text.splitlines()
    assert lines[0] == "Adobe After Effects 8.0 Keyframe Data"
    assert lines[-1] == "End of Keyframe Data"
    header: dict[str, float] = {}
    points: Places = {}
    block: dict[int, tuple[float, float]] | None = None
    for line in lines[1:-1]:
        cells = line.split("\t")
        if line and cells[0]:
            assert (cells[0], cells[2]) == ("Effects", "Point #2")
            block = points.setdefault(cells[1], {})
        elif line and block is None:
            header[cells[1]] = float(cells[2])
        elif line and cells[1] == "Frame":
            assert cells[2:4] == ["X pixels", "Y pixels"]
        elif line:
            assert block is not None
            block[int(cells[1])] = (float(cells[2]), float(cells[3]))
    return header, points


def read_cvat(text: str) -> tuple[Places, dict[str, dict[int, tuple[int, int]]]]:
    """Places, and (outside, occluded) a frame."""
    root = ElementTree.fromstring(text)
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/mode") == "interpolation"
    labels = [label.findtext("name") for label in root.iter("label")]
    places: Places = {}
    flags: dict[str, dict[int, tuple[int, int]]] = {}
    for track in root.iter("track"):
        assert track.get("label") in labels
        name = str(track.get("id"))
        places[name], flags[name] = {}, {}
        for shape in track.iter("points"):
            frame = int(shape.attrib["frame"])
            x, y = shape.attrib["points"].split(",")
            places[name][frame] = (float(x), float(y))
            flags[name][frame] = (int(shape.attrib["outside"]), int(shape.attrib["occluded"]))
    return places, flags


def read_coco(text: str) -> tuple[Places, dict[str, dict[int, int]]]:
    """Places as pixel indices, and v, by the name of the keypoint and the id of the image."""
    document = json.loads(text)
    names = document["categories"][0]["keypoints"]
    images = {image["id"] for image in document["images"]}
    places: Places = {name: {} for name in names}
    flags: dict[str, dict[int, int]] = {name: {} for name in names}
    for annotation in document["annotations"]:
        assert annotation["image_id"] in images
        values = annotation["keypoints"]
        assert len(values) == 3 * len(names)
        for index, name in enumerate(names):
            x, y, flag = values[3 * index : 3 * index + 3]
            places[name][annotation["image_id"]] = (x, y)
            flags[name][annotation["image_id"]] = flag
    return places, flags


def read_fiftyone(text: str) -> tuple[Places, dict[str, dict[int, bool]]]:
    """Places as shares of the frame, and whether occluded."""
    places: Places = {}
    hidden: dict[str, dict[int, bool]] = {}
    for number, frame in json.loads(text)["frames"].items():
        assert int(number) == frame["frame_number"]
        for keypoint in frame["keypoints"]["keypoints"]:
            ((x, y),) = keypoint["points"]
            places.setdefault(keypoint["label"], {})[int(number)] = (x, y)
            values = {each["name"]: each["value"] for each in keypoint["attrs"]["attrs"]}
            hidden.setdefault(keypoint["label"], {})[int(number)] = values["occluded"]
    return places, hidden


def read_label_studio(text: str) -> tuple[dict[str, Any], Places]:
    """The first region's value, and the centres of the boxes of each as percents, while shown.

    A keyframe that is not enabled is the last that is shown before the next.
    """
    (task,) = json.loads(text)
    results = task["predictions"][0]["result"]
    places: Places = {}
    for region in results:
        shown = places.setdefault(region["id"], {})
        before: dict[str, Any] | None = None
        for key in region["value"]["sequence"]:
            if before is not None and before["enabled"]:
                assert key["frame"] == before["frame"] + 1  # nothing is left to interpolation
            centre = (key["x"] + key["width"] / 2, key["y"] + key["height"] / 2)
            shown[key["frame"]] = centre
            before = key
        assert before is not None
        assert not before["enabled"]
    return results[0]["value"], places
