"""OpenVINO's own package behind the runtime's calls: for real, where it is installed."""

import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from locoexport.errors import ModelFileError
from locoexport.parity.probes import make_probe
from locoexport.runtime.session.providers import OPENVINO_PROVIDER, probe_provider
from locoexport.runtime.session.single import open_session
from locoexport.runtime.tracking.tracker import PointTracker

pytest.importorskip("openvino")
NATIVE = OPENVINO_PROVIDER not in onnxruntime.get_available_providers()
pytestmark = pytest.mark.skipif(not NATIVE, reason="this ONNX Runtime has OpenVINO itself")


def probe(frames: int, points: int):
    return make_probe("noise", batch=1, frames=frames, points=points, size_hw=(24, 32), seed=0)


def test_it_works_here() -> None:
    assert probe_provider("openvino").works


def test_a_model_answers_as_on_the_cpu(make_model, tmp_path: Path) -> None:
    path = make_model()
    here = open_session(path, "openvino", profile_prefix=tmp_path / "p")
    there = open_session(path)
    for frames, points in ((3, 4), (5, 2), (3, 4)):  # open axes
        inputs = probe(frames, points)
        ours = here.run(inputs.video, inputs.query_points_tyx)
        theirs = there.run(inputs.video, inputs.query_points_tyx)
        np.testing.assert_allclose(ours.tracks_xy, theirs.tracks_xy, atol=1e-5)
        np.testing.assert_allclose(ours.occlusion, theirs.occlusion, atol=1e-5)
    assert here.metadata == there.metadata
    assert here.resolution_hw == there.resolution_hw
    assert (here.fixed_batch, here.fixed_frames, here.fixed_points) == (None, None, None)
    ((provider, nodes),) = here.node_placement()
    assert provider == "openvino"
    assert nodes > 5


def test_nodes_are_counted_however_fast_they_were(make_model, tmp_path: Path) -> None:
    # A node that takes less than a microsecond is NOT_RUN by its status: the count wandered
    # between 4 and 11 from run to run.
    counts = set()
    for run in range(20):
        session = open_session(make_model(), "openvino", profile_prefix=tmp_path / f"p{run}")
        for _ in range(run % 4 + 1):
            session.run(probe(3, 4).video, probe(3, 4).query_points_tyx)
        counts.add(session.node_placement())
    assert len(counts) == 1


def test_fixed_axes_are_known(make_model) -> None:
    session = open_session(make_model(batch=1, frames=3, points=4), "openvino")
    assert (session.fixed_batch, session.fixed_frames, session.fixed_points) == (1, 3, 4)


def test_results_are_kept_from_the_next_run(make_model) -> None:
    session = open_session(make_model(), "openvino")
    first = session.run(probe(3, 4).video, probe(3, 4).query_points_tyx)
    kept = first.tracks_xy.copy()
    other = probe(3, 4).query_points_tyx + np.float32(7)
    session.run(probe(3, 4).video, other)
    np.testing.assert_array_equal(first.tracks_xy, kept)


def test_threads_may_share_a_session(make_model) -> None:
    session = open_session(make_model(), "openvino")
    expected, found = {}, {}
    for points in range(1, 9):
        inputs = probe(3, points)
        expected[points] = session.run(inputs.video, inputs.query_points_tyx).tracks_xy

    def run(points: int) -> None:
        inputs = probe(3, points)
        for _ in range(5):
            found[points] = session.run(inputs.video, inputs.query_points_tyx).tracks_xy

    threads = [threading.Thread(target=run, args=(points,)) for points in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for points, tracks in expected.items():
        np.testing.assert_array_equal(found[points], tracks)


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"cannot open .*bad\.onnx on openvino"):
        open_session(tmp_path / "bad.onnx", "openvino")


def test_a_tracker_runs_on_it(make_model) -> None:
    tracker = PointTracker(make_model(), provider="openvino")
    frames = np.zeros((5, 24, 32, 3), np.uint8)
    tracks = tracker.track(frames, np.array([[0, 10, 12]], np.float32))
    assert tracks.xy.shape == (1, 5, 2)
    np.testing.assert_allclose(tracks.xy[0, :, 0], 12 + 0.5 * np.arange(5), atol=1e-4)
