"""FiftyOne's labels of a video, read back by a reader of the format and by eta, its library."""

from pathlib import Path

import numpy as np
import pytest
from exchange_readers import read_fiftyone
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_is_a_keypoint_of_shares_from_frame_1(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.fiftyone.json", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    places, hidden = read_fiftyone(path.read_text())
    np.testing.assert_allclose(places["point_0"][1], (10.125 / 640, 20.75 / 360), atol=1e-9)
    assert [frame for frame, value in hidden["point_0"].items() if value] == [3, 4]
    assert not any(hidden["point_1"].values())
    for index, track in enumerate(places.values()):
        assert list(track) == [1, 2, 3, 4, 5, 6]
        back = np.array(list(track.values())) * (640, 360)
        np.testing.assert_allclose(back, tracks.xy[index], atol=1e-4)


def test_eta_reads_the_same_places(tmp_path: Path) -> None:
    video = pytest.importorskip("eta.core.video")
    path, tracks = tmp_path / "t.fiftyone.json", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    labels = video.VideoLabels.from_json(str(path))
    assert sorted(labels) == [1, 2, 3, 4, 5, 6]
    for number in labels:
        for keypoint in labels[number].keypoints:
            back = np.array(keypoint.points[0]) * (640, 360)
            np.testing.assert_allclose(back, tracks.xy[keypoint.index, number - 1], atol=1e-4)
            (attribute,) = keypoint.attrs
            assert attribute.name == "occluded"
            assert attribute.value == (not tracks.visible[keypoint.index, number - 1])
