"""SLEAP's files, written and read back by sleap-io."""

from pathlib import Path

import numpy as np
import pytest
from moving_points import FACTS, moving_points

from locoexport.errors import PackageMissingError
from locoexport.runtime.exchange.formats import export_tracks, find_format
from locoexport.runtime.queries.points import read_queries


def test_sleap_io_reads_the_labels(tmp_path: Path) -> None:
    sleap = pytest.importorskip("sleap_io")
    tracks, path = moving_points(), tmp_path / "clip.slp"
    export_tracks(path, tracks, FACTS, find_format(path))
    labels = sleap.load_slp(str(path), open_videos=False)
    assert labels.videos[0].filename == "clip.mp4"
    assert labels.skeleton.node_names == ["point_0", "point_1"]
    assert [frame.frame_idx for frame in labels] == list(range(6))
    for frame in labels:
        (instance,) = frame.instances
        expected = tracks.xy[:, frame.frame_idx]
        np.testing.assert_allclose(instance.points["xy"] + 0.5, expected, atol=1e-4)
        np.testing.assert_array_equal(
            instance.points["visible"], tracks.visible[:, frame.frame_idx]
        )
        confidence = tracks.confidence[:, frame.frame_idx]
        np.testing.assert_allclose(instance.points["score"], confidence, atol=1e-6)
    np.testing.assert_allclose(read_queries(path), tracks.query_points, atol=1e-4)


def test_sleap_io_reads_the_analysis(tmp_path: Path) -> None:
    sleap = pytest.importorskip("sleap_io")
    tracks, path = moving_points(), tmp_path / "clip.h5"
    export_tracks(path, tracks, FACTS, find_format(path, "sleap"))
    labels = sleap.load_analysis_h5(str(path))
    places = labels.numpy()  # (frames, tracks, nodes, 2)
    assert places.shape == (6, 1, 2, 2)
    expected = np.where(tracks.visible[..., None], tracks.xy, np.nan).swapaxes(0, 1)
    np.testing.assert_allclose(places[:, 0] + 0.5, expected, atol=1e-4)
    np.testing.assert_allclose(read_queries(path), tracks.query_points, atol=1e-4)


def test_without_sleap_io_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PackageMissingError, match=r"needs sleap_io.*pip install"):
        export_tracks(tmp_path / "t.slp", moving_points(), FACTS, find_format("t.slp"))
    assert list(tmp_path.iterdir()) == []
