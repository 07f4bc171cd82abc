"""Label Studio's task, read back by a reader of the format and by its SDK."""

import json
from pathlib import Path

import numpy as np
import pytest
from exchange_readers import read_label_studio
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.annotation.label_studio import CONFIG
from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_is_the_centre_of_a_box_in_percent_from_frame_1(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.labelstudio.json", moving_points()
    tracks.xy[0, 0] = (0.5, 359.75)  # a box that would stick out of the picture
    export_tracks(path, tracks, FACTS, find_format(path))
    value, places = read_label_studio(path.read_text())
    assert (value["framesCount"], value["duration"]) == (6, 0.24)
    assert value["sequence"][0]["time"] == 0.04
    assert list(places["point_0"]) == [1, 2, 5, 6]
    assert all(min(each["x"], each["y"]) >= 0 for each in value["sequence"])
    for index, track in enumerate(places.values()):
        for frame, percents in track.items():
            back = np.array(percents) / 100 * (640, 360)
            np.testing.assert_allclose(back, tracks.xy[index, frame - 1], atol=1e-4)


def test_the_sdk_takes_every_region(tmp_path: Path) -> None:
    interfaces = pytest.importorskip("label_studio_sdk.label_interface")
    path = tmp_path / "t.labelstudio.json"
    export_tracks(path, moving_points(), FACTS, find_format(path))
    interface = interfaces.LabelInterface(CONFIG.format(fps=25))
    (task,) = json.loads(path.read_text())
    assert interface.validate_prediction(task["predictions"][0])
