"""3DE's text, read back by a reader of it."""

from pathlib import Path

import numpy as np
from exchange_readers import read_equalizer
from moving_points import FACTS, moving_points

from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_is_a_curve_from_frame_1_with_y_up_and_gaps(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.3de.txt", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    points = read_equalizer(path.read_text())
    assert list(points) == ["point_0", "point_1"]
    # By hand: frame 1 is our frame 0 at (10.125, 20.75) of 640x360; frames 3 and 4 are hidden.
    assert points["point_0"][1] == (10.125, 339.25)
    assert list(points["point_0"]) == [1, 2, 5, 6]
    for index, curve in enumerate(points.values()):
        for frame, place in curve.items():
            x, y = tracks.xy[index, frame - 1]
            np.testing.assert_allclose(place, (x, 360 - y), atol=1e-4)
