"""DeepLabCut's files, read back as DeepLabCut reads them: with pandas."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.formats import export_tracks, find_format
from locoexport.runtime.queries.points import read_queries


def test_the_csv_has_three_rows_of_names(tmp_path: Path) -> None:
    tracks, path = moving_points(), tmp_path / "clip.csv"
    export_tracks(path, tracks, replace(FACTS, first_frame=3), find_format(path, "deeplabcut"))
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["scorer", *["locoexport"] * 6]
    assert rows[1] == ["bodyparts", *["point_0"] * 3, *["point_1"] * 3]
    assert rows[2] == ["coords", *["x", "y", "likelihood"] * 2]
    assert [row[0] for row in rows[3:]] == ["3", "4", "5", "6", "7", "8"]
    # The centre of the first pixel is (0.5, 0.5) for us and (0, 0) for DeepLabCut.
    assert rows[3][1:] == ["9.625", "20.25", "0.9", "599.5", "300", "0.9"]
    assert rows[5][3] == "0.2"


def test_a_place_that_is_no_number_is_empty(tmp_path: Path) -> None:
    tracks, path = moving_points(), tmp_path / "clip.csv"
    tracks.xy[0, 1] = np.nan
    export_tracks(path, tracks, FACTS, find_format(path, "deeplabcut"))
    assert path.read_text().splitlines()[4].startswith("1,,,0.9,")


@pytest.mark.parametrize("name", ["clip.csv", "clip.h5"])
def test_pandas_reads_it_as_deeplabcut_does(tmp_path: Path, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    tracks, path = moving_points(), tmp_path / name
    export_tracks(path, tracks, FACTS, find_format(path, "deeplabcut"))
    if name.endswith(".h5"):
        frame = pandas.read_hdf(path)
    else:
        frame = pandas.read_csv(path, header=[0, 1, 2], index_col=0)
    assert list(frame.columns.names) == ["scorer", "bodyparts", "coords"]
    assert list(frame.index) == list(range(6))
    for point in range(2):
        part = frame["locoexport"][f"point_{point}"]
        np.testing.assert_allclose(part["x"] + 0.5, tracks.xy[point, :, 0], atol=1e-6)
        np.testing.assert_allclose(part["y"] + 0.5, tracks.xy[point, :, 1], atol=1e-6)
        np.testing.assert_allclose(part["likelihood"], tracks.confidence[point], atol=1e-6)


@pytest.mark.parametrize("name", ["clip.csv", "clip.h5"])
def test_it_can_be_asked_again(tmp_path: Path, name: str) -> None:
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
        pytest.importorskip("tables")
    tracks, path = moving_points(), tmp_path / name
    export_tracks(path, tracks, FACTS, find_format(path, "deeplabcut"))
    np.testing.assert_allclose(read_queries(path), tracks.query_points, atol=1e-4)
