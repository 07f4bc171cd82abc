"""A Nuke node, read back by a reader of the node's text."""

from pathlib import Path

import numpy as np
from moving_points import FACTS, moving_points
from nuke_script import read_tracker4

from locoexport.runtime.exchange.formats import export_tracks, find_format


def test_a_moving_point_stands_in_a_tracker_from_frame_1_with_y_up(tmp_path: Path) -> None:
    path, tracks = tmp_path / "t.nk", moving_points()
    export_tracks(path, tracks, FACTS, find_format(path))
    first, second = read_tracker4(path.read_text())
    assert list(first["track_x"]) == [1, 2, 3, 4, 5, 6]
    # By hand: frame 1 of Nuke is frame 0; 360 - (20.75 + 1.7) is the second frame's y.
    assert first["track_x"][2] == 13.425
    assert abs(first["track_y"][2] - 337.55) < 1e-5
    for row, xy in zip((first, second), tracks.xy, strict=True):
        np.testing.assert_allclose(list(row["track_x"].values()), xy[:, 0], atol=1e-4)
        np.testing.assert_allclose(list(row["track_y"].values()), 360 - xy[:, 1], atol=1e-4)
    assert first["enable"] == {1: 1, 3: 0, 5: 1}  # constant between keys
    assert second["enable"] == {1: 1}
    assert (first["name"], second["name"]) == ("point_0", "point_1")
