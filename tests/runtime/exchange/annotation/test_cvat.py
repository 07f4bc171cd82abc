"""CVAT's XML, read back by a reader of its specification and by datumaro."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exchange_readers import read_cvat
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_is_a_track_from_frame_0_with_hidden_places_occluded(
    tmp_path: Path,
) -> None:
    path, tracks = tmp_path / "t.xml", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    places, flags = read_cvat(path.read_text())
    assert places["0"][0] == (10.125, 20.75)
    assert [flags["0"][frame] for frame in range(6)] == [
        *((0, 0), (0, 0), (0, 1), (0, 1), (0, 0), (0, 0))
    ]
    for index, track in enumerate(places.values()):
        np.testing.assert_allclose(list(track.values()), tracks.xy[index], atol=1e-4)


def test_a_point_that_left_the_picture_and_frames_not_tracked_are_outside(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.xml", moving_points()
    tracks.xy[0, 5] = (-3, 20)
    tracks.xy[1, 2] = np.nan
    export_tracks(
        path, tracks, replace(FACTS, frame_count=9, file_name="a<&>.mp4"), find_format(path)
    )
    places, flags = read_cvat(path.read_text())
    assert flags["0"][5] == (1, 0)
    assert flags["1"][2][0] == 1
    assert all(track[6] == (1, 0) and len(track) == 7 for track in flags.values())
    assert places["0"][5] == (-3, 20)


def test_datumaro_reads_the_same_places(tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro")
    path, tracks = tmp_path / "annotations.xml", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    dataset = datumaro.Dataset.import_from(str(path), "cvat")
    found = {}
    for item in dataset:
        for shape in item.annotations:
            frame = int(item.attributes["frame"])
            found[int(shape.attributes["track_id"]), frame] = (shape.points, shape.attributes)
    assert len(found) == 12
    for (point, frame), (place, attributes) in found.items():
        # datumaro keeps two decimals.
        np.testing.assert_allclose(place, tracks.xy[point, frame], atol=0.0051)
        assert attributes["occluded"] == (not tracks.visible[point, frame])
