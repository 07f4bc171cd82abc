"""HDF5 is read in a process of its own, for its library may never come back."""

from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import QueryError
from locoexport.machine.limits import EVALUATION_SECONDS
from locoexport.runtime.queries.points import read_queries


def test_a_file_that_hangs_the_library_ends_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "analysis.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = np.zeros((1, 2, 1, 1))
        file["track_occupancy"] = np.ones((1, 1))
        file["tracks"].attrs["dims"] = "abcdef"
    with pytest.raises(QueryError, match="not JSON"):
        read_queries(path)
    data = bytearray(path.read_bytes())
    # The length of the first text in the file's heap, behind "GCOL", 12 bytes and 8 of its own.
    data[data.index(b"GCOL") + 24] = 0
    path.write_bytes(data)
    monkeypatch.setenv(EVALUATION_SECONDS.variable, "8")  # of which a small file gets an eighth
    with pytest.raises(QueryError, match=r"analysis\.h5: it takes more than 1 s to be read"):
        read_queries(path)


def test_labels_of_sleap_are_known_by_what_they_hold(tmp_path: Path) -> None:
    """SLEAP called them .h5 once."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "labels.h5"
    frame = [("video", "u4"), ("frame_idx", "u8"), ("instance_id_start", "u8")]
    instance = [("instance_type", "u1"), ("track", "i4"), ("point_id_start", "u8")]
    point = np.array([(4.5, 6.5, True)], [("x", "f8"), ("y", "f8"), ("visible", "?")])
    with h5py.File(path, "w") as file:
        file["frames"] = np.array([(0, 3, 0, 1)], [*frame, ("instance_id_end", "u8")])
        file["instances"] = np.array([(0, -1, 0, 1)], [*instance, ("point_id_end", "u8")])
        file["points"], file["pred_points"] = point, point[:0]
    # Format 1.0, which says no number: pixel centres at .5.
    np.testing.assert_array_equal(read_queries(path), [[3, 6.5, 4.5]])
