"""The proof of a live export: it holds for every form of the files, and fails for a changed one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from exported import live_once, live_profile
from moving_square import square_frames
from onnx import numpy_helper

from locoexport.contract.checkpoint_settings import CheckpointSettings
from locoexport.contract.interface import LiveWindow
from locoexport.contract.profile import AxisSizes, ExportProfile
from locoexport.errors import UsageError
from locoexport.network.loading import load_network
from locoexport.notices import ignore
from locoexport.parity.pointwise import ParityReport
from locoexport.parity.probes import Probe
from locoexport.pipeline.export import export_model
from locoexport.pipeline.live.proof import prove_live
from locoexport.runtime.live.session import open_live
from locoexport.runtime.video.frames import to_model_input

TWO_LEVELS = CheckpointSettings(refinement_resolutions=((64, 64), (96, 96)))


def proof_of(path: Path, profile: ExportProfile) -> ParityReport:
    """On a clip in which points can be told from one another, at so small a size too."""
    network, size_hw = load_network(profile, None), profile.working_hw
    video = to_model_input(square_frames(5, size_hw), size_hw)
    queries = np.array(
        [[0, 12, 12], [0, 16, 18], [0, 20, 14], [1, 12, 20], [2, 18, 18]], np.float32
    )
    probe = Probe("square", "clip", video, queries[None])
    return prove_live(open_live(path), network.model, [probe], profile.tolerance, ignore)


@pytest.mark.parametrize(
    ("profile", "window"),
    [
        pytest.param(live_profile(), "open", id="open"),
        pytest.param(live_profile(opset=20), 3, id="opset-20, W=3", marks=pytest.mark.exhaustive),
        pytest.param(live_profile(opset=16), 1, id="opset-16, W=1", marks=pytest.mark.slow),
        pytest.param(
            live_profile(axes=AxisSizes(1, None, 5)), 4, id="5 points", marks=pytest.mark.slow
        ),
        pytest.param(
            live_profile(settings=TWO_LEVELS), "open", id="two levels", marks=pytest.mark.slow
        ),
        pytest.param(live_profile("b0"), "open", id="b0", marks=pytest.mark.exhaustive),
        pytest.param(live_profile("resnet-small"), "open", id="resnet", marks=pytest.mark.slow),
    ],
)
def test_the_files_are_the_loop_in_pytorch(profile: ExportProfile, window: LiveWindow) -> None:
    path = live_once(profile, window)
    session = open_live(path)
    assert session.window == (None if window == "open" else window)
    assert session.fixed_points == profile.axes.points
    report = proof_of(path, profile)
    assert report.passed
    assert [case.points for case in report.cases] == [5]


def test_a_changed_weight_fails(tmp_path: Path) -> None:
    profile = live_profile()
    source = live_once(profile)
    for role in ("encoder", "query", "live"):
        name = f"model.{role}.onnx"
        (tmp_path / name).write_bytes((source.parent / name).read_bytes())
    graph = onnx.load(tmp_path / "model.live.onnx")
    bias = next(each for each in graph.graph.initializer if "output_proj.bias" in each.name)
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.1), bias.name))
    onnx.save(graph, tmp_path / "model.live.onnx")
    assert not proof_of(tmp_path / "model.onnx", profile).passed


@pytest.mark.parametrize("axes", [AxisSizes(batch=2), AxisSizes(frames=24)])
def test_several_clips_or_frames_at_a_time_are_refused(axes: AxisSizes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one clip and one frame"):
        export_model(live_profile(axes=axes), tmp_path / "m.onnx", live="open")


def test_what_a_live_export_cannot_go_with_is_refused(tmp_path: Path) -> None:
    for given in ({"split": True}, {"sidecar": True}):
        with pytest.raises(UsageError):
            export_model(live_profile(), tmp_path / "m.onnx", live=4, **given)
    with pytest.raises(UsageError, match="frames are float32"):
        export_model(replace(live_profile(), input_type="uint8"), tmp_path / "m.onnx", live=4)
    assert list(tmp_path.iterdir()) == []
