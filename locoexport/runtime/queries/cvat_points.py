"""CVAT's XML 1.1, for video (tracks) and for images: points, and the points of skeletons.

Source: https://docs.cvat.ai/docs/dataset_management/formats/xml_format/. Frames count from 0; the
upper left corner of the picture is (0, 0), so that coordinates are ours.
"""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from locoexport.errors import InputError
from locoexport.machine.limits import NESTING, ROWS, TEXT_BYTES
from locoexport.machine.reading.documents import quote, read_at_most
from locoexport.runtime.queries.labelled_points import LabelledPoint, PointList, first_of_each

__all__ = ["read_cvat"]


def read_cvat(path: Path) -> PointList:
    """Queries (t, y, x): of a track where it is first seen, of images all points.

    Of a track keyframes within the picture count; those in which it is occluded, where it never is
    seen.

    A document type is refused, and with it all entities: none of CVAT's files has one.

    Raises:
        InputError: it is no such XML, too large, or nested too deeply.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(read_at_most(path, TEXT_BYTES, "it"), True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # also an encoding of no name
        raise InputError(f"it is not XML: {error}.") from error
    if reader.root != "annotations":
        raise InputError(f"it is XML of {quote(reader.root)}, not CVAT's annotations.")
    return first_of_each(reader.points)


def _refuse_doctype(*_: object) -> None:
    raise InputError("it has a document type (<!DOCTYPE …>), as none of CVAT's files has.")


class _Reader:
    """What expat tells, one element after another."""

    def __init__(self) -> None:
        self.points: list[LabelledPoint] = []
        self.root: str | None = None
        self._depth = 0
        self._frame: str | None = None  # of the image or skeleton that is open
        self._track: int | None = None  # which one is open; None outside of any
        self._tracks = 0
        self._skeleton = False
        self._task: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        NESTING.check(self._depth, "it")
        self.root = self.root or name
        task = attributes.get("task_id")
        if task is not None and task != (self._task or task):
            raise InputError("it has annotations of several tasks; export the task of one clip.")
        self._task = task or self._task
        if name == "track":
            self._track, self._tracks = self._tracks, self._tracks + 1
        elif name == "image":
            self._frame = attributes.get("id")
        elif name == "skeleton":
            self._skeleton = True
            self._frame = attributes.get("frame", self._frame)
        elif name == "points":
            self._take(attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        if name == "track":
            self._track = None
        elif name == "skeleton":
            self._skeleton = False

    def _take(self, attributes: dict[str, str]) -> None:
        passed = attributes.get("outside") == "1" or attributes.get("keyframe") == "0"
        if self._track is not None and passed:
            return
        part = attributes.get("label", "") if self._skeleton else ""
        frame = attributes.get("frame", self._frame)
        text = attributes.get("points", "")
        if frame is None or not (frame.isascii() and frame.isdigit() and len(frame) < 10):
            raise InputError(f"points in it are of frame {quote(frame)}, which is not a number.")
        for index, pair in enumerate(text.split(";")):
            try:
                x, y = (float(number) for number in pair.split(","))
            except ValueError:
                raise InputError(f"points in it are {quote(text)}, not x,y;x,y.") from None
            # A point of an image is the same as no other.
            owner = -1 - len(self.points) if self._track is None else self._track
            visible = attributes.get("occluded") != "1"
            identity = (owner, part, index)
            self.points.append(LabelledPoint(identity, int(frame), y, x, visible))
        ROWS.check(len(self.points), "it")
