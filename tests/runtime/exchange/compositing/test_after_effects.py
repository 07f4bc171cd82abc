"""After Effects' keyframe text, read back by a reader of it."""

from pathlib import Path

import numpy as np
from exchange_readers import read_after_effects
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_is_a_point_control_from_frame_0_with_y_down(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.ae.txt", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    header, points = read_after_effects(path.read_text())
    assert header == {
        "Units Per Second": 25,
        "Source Width": 640,
        "Source Height": 360,
        "Source Pixel Aspect Ratio": 1,
        "Comp Pixel Aspect Ratio": 1,
    }
    assert list(points) == ["Point Control #1", "Point Control #2"]
    assert points["Point Control #1"][0] == (10.125, 20.75)
    assert list(points["Point Control #1"]) == [0, 1, 4, 5]
    for index, curve in enumerate(points.values()):
        for frame, place in curve.items():
            np.testing.assert_allclose(place, tracks.xy[index, frame], atol=1e-4)
