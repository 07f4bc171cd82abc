"""SLEAP's labels, ``.slp``: the points of labelled instances.

Source: the layout that sleap-io documents (``sleap_io.io.slp``) and files that it wrote: HDF5 with
the tables frames, instances, points and pred_points. Since format 1.1 the centre of the first pixel
is (0, 0); before, it was (0.5, 0.5), as ours. Only the tables are read: neither the videos nor the
pickled or JSON parts of the file.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError
from locoexport.machine.reading.documents import quote
from locoexport.machine.reading.hdf5 import has_array, open_hdf5, read_plain_array
from locoexport.runtime.queries.labelled_points import LabelledPoint, PointList, first_of_each

__all__ = ["read_slp"]

_TABLES = {
    "frames": ("video", "frame_idx", "instance_id_start", "instance_id_end"),
    "instances": ("instance_type", "track", "point_id_start", "point_id_end"),
    "points": ("x", "y", "visible"),
    "pred_points": ("x", "y", "visible"),
}
_USER, _PREDICTED = 0, 1
_MIDPOINT_FORMAT = 1.1
_HALF_PIXEL = 0.5


def read_slp(path: Path) -> PointList:
    """A query for each node of each track where it is first seen, as (t, y, x).

    In a frame where somebody labelled instances, what SLEAP predicted there does not count.
    Instances without a track: where no frame has two, they are one animal; otherwise each place of
    each is a query.

    Raises:
        InputError: it is no such file, damaged, too large, or of several videos.
        PackageMissingError: h5py is not installed.
    """
    with open_hdf5(path) as file:
        tables = {name: _table(file, name, columns) for name, columns in _TABLES.items()}
        metadata = file.get("metadata")
        form = float(metadata.attrs.get("format_id", 1.0)) if metadata is not None else 1.0
    if len(np.unique(tables["frames"]["video"])) > 1:
        raise InputError("it labels several videos; save the labels of one alone.")
    shift = _HALF_PIXEL if form >= _MIDPOINT_FORMAT else 0.0
    return first_of_each(_labelled(tables, shift))


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
