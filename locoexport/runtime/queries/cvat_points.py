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
from locoexport.runtime.queries.labelled_points import PointList

__all__ = ["read_cvat"]


def read_cvat(path: Path) -> PointList:
    """Queries (t, y, x): of a track its first keyframe within the picture, of images all points.

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
        raise InputError(f"it is no XML: {error}.") from error
    if reader.root != "annotations":
        raise InputError(f"it is XML of {quote(reader.root)}, not CVAT's annotations.")
    return reader.queries


def _refuse_doctype(*_: object) -> None:
    raise InputError("it has a document type (<!DOCTYPE …>), as none of CVAT's files has.")


class _Reader:
    """What expat tells, one element after another."""

    def __init__(self) -> None:
        self.queries: PointList = []
        self.root: str | None = None
        self._depth = 0
        self._frame: str | None = None  # of the image or skeleton that is open
        self._taken: set[str] | None = None  # what the open track has shown; None outside one
        self._skeleton = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        NESTING.check(self._depth, "it")
        self.root = self.root or name
        if name == "track":
            self._taken = set()
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
            self._taken = None
        elif name == "skeleton":
            self._skeleton = False

    def _take(self, attributes: dict[str, str]) -> None:
        if self._taken is not None:
            part = attributes.get("label", "") if self._skeleton else ""
            passed = attributes.get("outside") == "1" or attributes.get("keyframe") == "0"
            if passed or part in self._taken:
                return
            self._taken.add(part)
        frame = attributes.get("frame", self._frame)
        text = attributes.get("points", "")
        if frame is None or not (frame.isascii() and frame.isdigit() and len(frame) < 10):
            raise InputError(f"points in it are of frame {quote(frame)}, which is no number.")
        for pair in text.split(";"):
            try:
                x, y = (float(number) for number in pair.split(","))
            except ValueError:
                raise InputError(f"points in it are {quote(text)}, not x,y;x,y.") from None
            self.queries.append((int(frame), y, x))
        ROWS.check(len(self.queries), "it")
