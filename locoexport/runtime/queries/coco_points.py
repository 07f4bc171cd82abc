"""COCO's keypoints: images, and annotations with x, y and v (0 absent, 1 hidden, 2 visible).

Source: https://cocodataset.org/#format-data. Keypoints are pixel indices, the centre of the first
pixel being (0, 0); half a pixel is added, as ``exchange.annotation.coco`` takes it away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

from locoexport.errors import InputError
from locoexport.runtime.queries.labelled_points import (
    LabelledPoint,
    PointList,
    first_of_each,
    frame_of_name,
)

__all__ = ["is_coco", "read_coco_document"]

_HALF_PIXEL = 0.5
_VISIBLE = 2


def is_coco(document: Any) -> bool:
    """Whether a JSON document says that it is one of COCO's."""
    return isinstance(document, dict) and {"images", "annotations"} <= set(document)


def read_coco_document(document: dict[str, Any]) -> PointList:
    """A query for every keypoint that is labelled, as (t, y, x).

    The number that ends an image's name is its frame; a single image without one is frame 0. The
    keypoints of one ``track_id`` are the same in all frames, as are those of a category of which
    no image has two: of these the first place counts. Of all others every place is a query.

    Raises:
        InputError: an annotation is malformed, nobody can tell an image's frame, or two images
            are of one.
    """
    frames = _frames(_objects(document, "images"))
    annotations = [each for each in _objects(document, "annotations") if each.get("keypoints")]
    counts = Counter((each["image_id"], each.get("category_id")) for each in annotations)
    alone = {category for _, category in counts} - {
        category for (_, category), count in counts.items() if count > 1
    }
    return first_of_each(
        point
        for index, each in enumerate(annotations)
        for point in _points(each, _identity(index, each, alone), frames)
    )


def _objects(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document[name]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError(f"its {name} are not a list of objects.")
    return found


def _frames(images: list[dict[str, Any]]) -> dict[Hashable, int]:
    if len(images) == 1:
        try:
            return {images[0]["id"]: frame_of_name(str(images[0].get("file_name", "")))}
        except InputError:
            return {images[0]["id"]: 0}
    frames = {image["id"]: frame_of_name(str(image["file_name"])) for image in images}
    frame, count = Counter(frames.values()).most_common(1)[0] if frames else (0, 0)
    if count > 1 or len(frames) < len(images):
        raise InputError(
            f"by the numbers that end their names, {max(count, 2)} of its images are frame {frame}:"
            " keep those of one clip, and name them by its frames."
        )
    return frames


def _identity(index: int, annotation: dict[str, Any], alone: set[Any]) -> tuple[str, Hashable]:
    attributes = annotation.get("attributes")
    within = attributes.get("track_id") if isinstance(attributes, dict) else None
    track = annotation.get("track_id", within)
    category = annotation.get("category_id")
    if track is not None:
        return ("track", (category, track))
    return ("category", category) if category in alone else ("annotation", index)


def _points(
    annotation: dict[str, Any], identity: tuple[str, Hashable], frames: dict[Hashable, int]
) -> Iterator[LabelledPoint]:
    numbers = annotation["keypoints"]
    if (
        not isinstance(numbers, list)
        or len(numbers) % 3
        or not all(type(number) in (int, float) for number in numbers)
    ):
        raise InputError("an annotation's keypoints are not three numbers each: x, y, v.")
    frame = frames.get(annotation["image_id"])
    if frame is None:
        raise InputError(
            f"an annotation is of image {annotation['image_id']!r}, which does not exist."
        )
    for keypoint in range(len(numbers) // 3):
        x, y, v = numbers[3 * keypoint : 3 * keypoint + 3]
        if v > 0:
            y, x = y + _HALF_PIXEL, x + _HALF_PIXEL
            yield LabelledPoint((identity, keypoint), frame, y, x, v == _VISIBLE)
