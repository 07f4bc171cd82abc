"""``--input uint8``: one file for frames of any size, against torch and doing it outside."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from clips import fetch_clips
from exhaustive import matrix
from exported import export_once, seeded_profile
from golden_files import goldens

from locoexport.contract.profile import OPSETS, AxisSizes, ExportProfile, load_profile
from locoexport.errors import UsageError
from locoexport.graphs.walking import iterate_nodes
from locoexport.models import locotrack
from locoexport.network.loading import load_network
from locoexport.network.oracle import measure_noise, run_reference
from locoexport.notices import ignore
from locoexport.parity.pointwise import NOISE_FACTOR
from locoexport.parity.probes import make_probe, to_uint8
from locoexport.pipeline.export import export_model
from locoexport.pipeline.proof.pointwise import make_probes, prove
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.queries.points import grid_queries
from locoexport.runtime.session.single import open_session
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.video.clips import Clip, read_clip
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input

SHAPES = ((1, 2, 3), (2, 3, 4), (1, 4, 9), (1, 2, 5), (1, 3, 2))
# Against the same network fed with frames that OpenCV resized. Asked for are 1e-2 px; what is left
# is that OpenCV rounds coordinates to float32.
OUTSIDE_PX = 1e-2
# Points of a real clip where the oracle cannot be trusted to that: parity's own rule. At one of
# the 36 on bikes the two largest cells of a heatmap are equal bit by bit: on one processor the file
# takes the one, on another the other (2.6 px), and noise of 1e-6 moves the oracle 2.4 px of 256.
MOST_APART = {"carphone_pristine.mp4": 0, "bikes.mp4": 4}


def _from_frames(profile: ExportProfile) -> ExportProfile:
    return profile.with_options(input_type="uint8")


def _assert_parity(profile: ExportProfile, tmp_path: Path) -> None:
    session = open_session(export_once(profile), profile_prefix=tmp_path / "ort")
    probes = make_probes(SHAPES, profile.axes, profile.resolution_hw, "uint8")
    report = prove(session, load_network(profile, None).model, probes, profile.tolerance, ignore)
    assert report.passed, report
    sizes = {case.name.rpartition(" of ")[2] for case in report.cases}
    assert len(sizes) == len(SHAPES) + 1


@pytest.mark.parametrize(
    ("opset", "sampling"),
    matrix(
        product(OPSETS, ("planar", "gather")),
        [(17, "gather"), (20, "planar")],
    ),
)
def test_every_opset(opset: int, sampling: str, tmp_path: Path) -> None:
    profile = _from_frames(seeded_profile("b0-tiny", opset, sampling))
    _assert_parity(profile, tmp_path)
    model = onnx.load(export_once(profile))
    assert model.opset_import[0].version == opset
    resizes = [node.name for node in iterate_nodes(model) if node.op_type == "Resize"]
    assert not [name for name in resizes if "/encoder/" in name]


@pytest.mark.parametrize(
    "variant",
    matrix((name for name in locotrack.VARIANTS if name != "b0-tiny"), ["b0"]),
)
def test_other_variants(variant: str, tmp_path: Path) -> None:
    _assert_parity(_from_frames(seeded_profile(variant)), tmp_path)


@pytest.mark.parametrize(
    "options",
    matrix([{"target": "cuda"}, {"without": ("frame-scan",)}], [{"target": "cuda"}]),
)
def test_without_a_scan(options: dict, tmp_path: Path) -> None:
    _assert_parity(_from_frames(seeded_profile("b0-tiny")).with_options(**options), tmp_path)


def test_frames_are_resized_inside_the_scan() -> None:
    model = onnx.load(export_once(_from_frames(seeded_profile("b0-tiny"))))
    (scan,) = [node for node in model.graph.node if node.op_type == "Scan"]
    (body,) = [attribute.g for attribute in scan.attribute if attribute.name == "body"]
    assert body.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    # Six gathers read four corners; nothing of a whole clip is ever made of floats.
    assert sum(node.op_type == "Gather" for node in body.node) == 6
    assert scan.input[0] in {node.output[0] for node in model.graph.node}


def test_fixed_axes_and_another_resolution(tmp_path: Path) -> None:
    profile = _from_frames(seeded_profile("b0-tiny")).with_options(
        axes=AxisSizes(batch=1, frames=4, points=6), resolution_hw=(192, 320)
    )
    report = export_model(profile, tmp_path / "fixed.onnx")
    assert report.parity is not None
    assert report.parity.passed
    signature = open_session(tmp_path / "fixed.onnx").signature
    assert (signature.resolution_hw, signature.input_type) == ((192, 320), "uint8")
    assert (signature.fixed_batch, signature.fixed_frames, signature.fixed_points) == (1, 4, 6)


def test_a_split_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="With --split frames are float32"):
        export_model(_from_frames(load_profile("b0-tiny")), tmp_path / "m.onnx", split=True)


def test_golden_of_the_resize_first_path() -> None:
    (golden,) = (golden for golden in goldens() if golden.case == "inference")
    path = export_once(_from_frames(seeded_profile(golden.variant)))
    video, queries = golden.inputs()
    frames = to_uint8(np.asarray(video))
    np.testing.assert_allclose(frames / 127.5 - 1, video, atol=1e-6)
    answer = open_session(path).run(frames, np.asarray(queries, np.float32))
    arrays = golden.arrays()
    np.testing.assert_allclose(answer.tracks_xy, arrays["tracks"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("size_hw", [(64, 48), (97, 131), (256, 256), (540, 960), (1080, 1920)])
def test_equal_to_doing_it_outside(size_hw: tuple[int, int]) -> None:
    probe = make_probe("textured", batch=1, frames=5, points=30, size_hw=size_hw, seed=4)
    frames = to_uint8(probe.video)[0]
    inside_frame = (probe.query_points_tyx[0] >= 0).all(1) & (
        probe.query_points_tyx[0, :, 1:] <= size_hw
    ).all(1)
    queries = probe.query_points_tyx[0][inside_frame]
    with PointTracker(export_once(_from_frames(seeded_profile("b0-tiny")))) as tracker:
        found = tracker.track(frames, queries)
    with PointTracker(export_once(seeded_profile("b0-tiny"))) as tracker:
        expected = tracker.track(frames, queries)
    np.testing.assert_allclose(found.xy, expected.xy, rtol=0, atol=OUTSIDE_PX)
    np.testing.assert_allclose(found.confidence, expected.confidence, rtol=0, atol=1e-3)


def oracle_moves(clip: Clip, queries: np.ndarray) -> np.ndarray:
    """How far input noise of 1e-6 moves the oracle at each point, in pixels of the clip."""
    profile = load_profile("b0-tiny")
    model = load_network(profile, None).model
    frame_hw, working_hw = clip.frames_rgb.shape[1:3], profile.resolution_hw
    video = to_model_input(clip.frames_rgb, working_hw)
    points = scale_queries_to_model(queries, frame_hw, working_hw)[None]
    reference = run_reference(model, video, points)
    noise = measure_noise(model, video, points, reference, range(len(queries)))
    return noise.noise_px[0] * max(f / w for f, w in zip(frame_hw, working_hw, strict=True))


@pytest.mark.clips
@pytest.mark.parametrize("name", matrix(MOST_APART, ["carphone_pristine.mp4"]))
def test_equal_to_doing_it_outside_on_a_real_clip(name: str) -> None:
    try:
        path = fetch_clips(Path(__file__).parents[1] / ".data" / "clips")[name]
    except RuntimeError as error:
        pytest.skip(f"the clips cannot be fetched here: {error}")
    profile = load_profile("b0-tiny")
    clip = read_clip(path, max_frames=20)
    queries = grid_queries(6, *clip.frames_rgb.shape[1:3])
    with PointTracker(export_once(_from_frames(profile)), window=12) as tracker:
        found = tracker.track(clip, queries)
    with PointTracker(export_once(profile), window=12) as tracker:
        expected = tracker.track(clip, queries)
    worst = np.abs(found.xy - expected.xy).max((1, 2))
    apart = np.flatnonzero(worst > OUTSIDE_PX)
    assert len(apart) <= MOST_APART[name], worst[apart]
    if len(apart):
        assert (worst[apart] <= NOISE_FACTOR * oracle_moves(clip, queries)[apart]).all()
    np.testing.assert_array_equal(found.visible, expected.visible)
    report = verify_model(export_once(_from_frames(profile)), video=path).parity
    assert report.passed, report
