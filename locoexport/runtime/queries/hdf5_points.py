"""Points in HDF5: DeepLabCut's and SLEAP's files, read in a process of its own.

The HDF5 library is C, and does not end with some damaged files: a length of 0 in the heap that
text lies in is enough. There it ends with the process.
"""

from __future__ import annotations

from pathlib import Path

from locoexport.machine.bounded_child import file_allowance, run_bounded
from locoexport.machine.installation import require_packages
from locoexport.machine.limits import TEXT_BYTES
from locoexport.machine.reading.hdf5 import has_array, open_hdf5
from locoexport.runtime.queries.deeplabcut_points import read_deeplabcut_frames
from locoexport.runtime.queries.labelled_points import PointList
from locoexport.runtime.queries.sleap_points import (
    is_sleap_analysis,
    read_sleap_analysis,
    read_sleap_labels,
)

__all__ = ["read_hdf5_points", "read_hdf5_points_here"]


def read_hdf5_points(path: Path) -> PointList:
    """The points of DeepLabCut's .h5, of SLEAP's .slp or of its analysis .h5, as (t, y, x).

    Raises:
        InputError: it is none of these, damaged, or too large; or only to be read with more time
            or memory than a file of its size needs.
        PackageMissingError: h5py is not installed.
        OSError: it cannot be opened as an HDF5 file.
    """
    require_packages("h5py", extra="exchange")
    size = path.stat().st_size
    TEXT_BYTES.check(size, "it")
    return run_bounded(read_hdf5_points_here, path, allowance=file_allowance(size), subject="it")


def read_hdf5_points_here(path: Path) -> PointList:
    """What ``read_hdf5_points`` gives, in this process."""
    with open_hdf5(path) as file:
        if is_sleap_analysis(file):
            return read_sleap_analysis(file)
        if path.suffix.lower() == ".slp" or has_array(file, "instances"):
            return read_sleap_labels(file)
        return read_deeplabcut_frames(file)
