"""SLEAP's labels, ``.slp``, and its analysis, ``.h5``: the points of instances.

Source: the layouts that sleap-io documents (``sleap_io.io.slp``, ``sleap_io.io.analysis_h5``) and
files that it wrote. Labels are HDF5 with the tables frames, instances, points and pred_points; an
analysis has one array of places, NaN where there is none. Since format 1.1 of the labels the centre
of the first pixel is (0, 0), in an analysis always; before, it was (0.5, 0.5), as ours. Neither the
videos nor other parts of the files are read.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.limits import ROWS
from locoexport.machine.reading.documents import parse_json, quote
from locoexport.machine.reading.hdf5 import (
    array_shape,
    byte_attribute,
    has_array,
    read_large_array,
    read_plain_array,
)
from locoexport.runtime.queries.labelled_points import LabelledPoint, PointList, first_of_each

__all__ = ["is_sleap_analysis", "read_sleap_analysis", "read_sleap_labels"]

_TABLES = {
    "frames": ("video", "frame_idx", "instance_id_start", "instance_id_end"),
    "instances": ("instance_type", "track", "point_id_start", "point_id_end"),
    "points": ("x", "y", "visible"),
    "pred_points": ("x", "y", "visible"),
}
_USER, _PREDICTED = 0, 1
_MIDPOINT_FORMAT = 1.1
_HALF_PIXEL = 0.5
_AXES = ("track", "node", "frame", "xy")
_MATLAB = ("track", "xy", "node", "frame")
_LEGACY = ("frame", "node", "xy", "track")
"""The order of axes where a file does not name them, and says that it is not ``transpose``d."""


def read_sleap_labels(file: Any) -> PointList:
    """A query for each node of each track where it is first seen, as (t, y, x).

    In a frame where somebody labelled instances, what SLEAP predicted there does not count.
    Instances without a track: where no frame has two, they are one animal; otherwise each place of
    each is a query.

    Args:
        file: an open HDF5 file.

    Raises:
        InputError: it is no such file, damaged, too large, or of several videos.
    """
    tables = {name: _table(file, name, columns) for name, columns in _TABLES.items()}
    metadata = file.get("metadata")
    form = float(metadata.attrs.get("format_id", 1.0)) if metadata is not None else 1.0
    if len(np.unique(tables["frames"]["video"])) > 1:
        raise InputError("it labels several videos; save the labels of only one.")
    shift = _HALF_PIXEL if form >= _MIDPOINT_FORMAT else 0.0
    return first_of_each(_labelled(tables, shift))


def is_sleap_analysis(file: Any) -> bool:
    """Whether an open HDF5 file is an analysis of SLEAP."""
    return has_array(file, "tracks") and has_array(file, "track_occupancy")


def read_sleap_analysis(file: Any) -> PointList:
    """A query for each node of each track where it is first seen, as (t, y, x).

    Nodes that are never seen are left out.

    Args:
        file: an open HDF5 file of which ``is_sleap_analysis`` holds.

    Raises:
        InputError: its places have other axes than an analysis has, or are too many.
    """
    order = _axes_of(file)
    shape = array_shape(file, "tracks") or ()
    sides = dict(zip(order, shape, strict=False))
    nodes = array_shape(file, "node_names")
    if len(shape) != len(order) or sides["xy"] != 2 or (nodes and nodes[0] != sides["node"]):
        raise InputError(f"its tracks have the shape {shape}; expected {', '.join(order)}.")
    ROWS.check(sides["track"] * sides["node"], "it")
    places = read_large_array(file, "tracks").transpose([order.index(axis) for axis in _AXES])
    points = places.reshape(-1, sides["frame"], 2)
    seen = np.asarray(np.isfinite(points).all(axis=-1))
    found = np.flatnonzero(seen.any(axis=1))
    first = seen[found].argmax(axis=1) if len(found) else np.zeros(0, np.intp)
    x, y = (points[found, first] + _HALF_PIXEL).T
    return list(zip(first.tolist(), y.tolist(), x.tolist(), strict=True))


def _axes_of(file: Any) -> tuple[str, ...]:
    """The axes of an analysis, as its file names them, or as SLEAP wrote them without a name."""
    said = byte_attribute(file["tracks"], "dims")
    if said is not None:
        named = parse_json(said, "what it says of its axes")
        if not isinstance(named, list) or sorted(map(str, named)) != sorted(_AXES):
            raise InputError(f"its tracks have the axes {quote(named)}, not {', '.join(_AXES)}.")
        return tuple(named)
    return _MATLAB if bool(file.attrs.get("transpose", True)) else _LEGACY


def _labelled(tables: dict[str, NDArray[Any]], shift: float) -> Iterator[LabelledPoint]:
    chosen = [(frame, _counting(tables, frame)) for frame in tables["frames"]]
    alone = all(len(instances) <= 1 for _, instances in chosen)
    for frame, instances in chosen:
        for index in instances:
            instance = tables["instances"][index]
            track = int(instance["track"])
            identity: Hashable = ("track", track)
            if track < 0:
                identity = "alone" if alone else ("instance", index)
            predicted = int(instance["instance_type"]) == _PREDICTED
            points = tables["pred_points" if predicted else "points"]
            first, end = int(instance["point_id_start"]), int(instance["point_id_end"])
            if not 0 <= first <= end <= len(points):
                raise InputError(f"it is damaged: instance {index} has points that are not there.")
            for node, point in enumerate(points[first:end]):
                place = float(point["y"]) + shift, float(point["x"]) + shift
                number = int(frame["frame_idx"])
                yield LabelledPoint((identity, node), number, *place, bool(point["visible"]))


def _counting(tables: dict[str, NDArray[Any]], frame: Any) -> list[int]:
    """The instances of a frame: the labelled ones, or all where none is."""
    first, end = int(frame["instance_id_start"]), int(frame["instance_id_end"])
    if not 0 <= first <= end <= len(tables["instances"]):
        raise InputError("it is damaged: a frame has instances that are not there.")
    found = range(first, end)
    labelled = [at for at in found if tables["instances"][at]["instance_type"] == _USER]
    return labelled or list(found)


def _table(file: Any, name: str, columns: tuple[str, ...]) -> NDArray[Any]:
    if not has_array(file, name):
        raise InputError(f"it is not SLEAP's labels: there is no table {name}.")
    table = read_plain_array(file, name)
    if table.ndim != 1 or not set(columns) <= set(table.dtype.names or ()):
        raise InputError(
            f"it is not SLEAP's labels: the table {name} is {quote(str(table.dtype))}."
        )
    return table
