"""A trace: its names and axes, what it computes at other shapes, and what it refuses."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exported import seeded_profile

from locoexport.contract.interface import GraphInterface, interface_of
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.contract.profile import AxisSizes, ExportProfile
from locoexport.errors import GraphCheckFailedError
from locoexport.models import locotrack
from locoexport.network import tracing
from locoexport.network.recording import model_seams
from locoexport.network.tracing import TracedGraph, trace
from locoexport.parity.probes import make_probe, to_uint8
from locoexport.rewrites import apply_rewrites, select_rewrites

# A real network is traced.
pytestmark = pytest.mark.slow

SIZE_HW = (64, 64)


def profile_of(**options: object) -> ExportProfile:
    return seeded_profile("b0-tiny").with_options(resolution_hw=SIZE_HW, **options)


def rewritten(profile: ExportProfile) -> locotrack.LocoTrack:
    return apply_rewrites(locotrack.create_model("b0-tiny", SIZE_HW), select_rewrites(profile))


def interface(profile: ExportProfile, role="whole") -> GraphInterface:
    grids = tuple(locotrack.create_model("b0-tiny", SIZE_HW).grid_shapes())
    return interface_of(role, profile.axes, SIZE_HW, grids, profile.input_type)


@pytest.fixture(scope="module")
def traced() -> TracedGraph:
    profile = profile_of()
    return trace(rewritten(profile), profile, interface(profile))


@pytest.fixture(scope="module")
def session(traced: TracedGraph) -> onnxruntime.InferenceSession:
    model = traced.model.SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def test_names_opset_and_torch(traced: TracedGraph) -> None:
    graph = traced.model.graph
    assert [value.name for value in graph.input] == [VIDEO_INPUT, QUERY_INPUT]
    names = [value.name for value in graph.output]
    assert names[:3] == list(OUTPUT_NAMES)
    seams = [seam.tensor for seam in model_seams(locotrack.create_model("b0-tiny", SIZE_HW))]
    assert set(names[3:]) == set(seams) - set(OUTPUT_NAMES)
    assert [entry.version for entry in traced.model.opset_import] == [17]
    assert traced.torch_version == torch.__version__
    assert traced.node_count == len(graph.node) > 1000


def test_axes_are_open_where_the_interface_says(traced: TracedGraph) -> None:
    video, queries = (
        [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in traced.model.graph.input
    )
    assert video == ["batch", "frames", 64, 64, 3]
    assert queries == ["batch", "points", 3]
    for seam in traced.model.graph.output[3:]:
        assert all(d.dim_param for d in seam.type.tensor_type.shape.dim), seam.name


def test_fixed_axes_are_stated() -> None:
    profile = profile_of(axes=AxisSizes(1, 4, 6))
    video, queries = trace(rewritten(profile), profile, interface(profile)).model.graph.input
    assert [d.dim_value for d in video.type.tensor_type.shape.dim] == [1, 4, 64, 64, 3]
    assert [d.dim_value for d in queries.type.tensor_type.shape.dim] == [1, 6, 3]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 7, 2), (3, 4, 9)])
def test_it_computes_what_the_model_computes_at_sizes_of_no_trace(session, sizes) -> None:
    batch, frames, points = sizes
    probe = make_probe(
        "textured", batch=batch, frames=frames, points=points, size_hw=SIZE_HW, seed=1
    )
    inputs = {VIDEO_INPUT: probe.video, QUERY_INPUT: probe.query_points_tyx}
    tracks = session.run(["tracks"], inputs)[0]
    with torch.inference_mode():
        expected = locotrack.create_model("b0-tiny", SIZE_HW).track_resized(
            torch.from_numpy(probe.video), torch.from_numpy(probe.query_points_tyx)
        )
    # The profiles' own tolerance.
    np.testing.assert_allclose(tracks, expected.tracks, rtol=0, atol=4e-3)


def test_frames_of_any_size_where_the_input_is_uint8() -> None:
    profile = profile_of(input_type="uint8")
    graph = trace(rewritten(profile), profile, interface(profile)).model
    video = graph.graph.input[0].type.tensor_type
    assert video.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_param for d in video.shape.dim[:4]] == ["batch", "frames", "height", "width"]
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    model = locotrack.create_model("b0-tiny", SIZE_HW)
    for size_hw in ((48, 80), (90, 70)):
        probe = make_probe("textured", batch=1, frames=2, points=3, size_hw=size_hw, seed=2)
        frames_u8, queries = to_uint8(probe.video), probe.query_points_tyx
        inputs = {VIDEO_INPUT: frames_u8, QUERY_INPUT: queries}
        tracks = session.run(["tracks"], inputs)[0]
        # Resized by torch, and points and tracks scaled by hand.
        frames = torch.from_numpy(frames_u8[0]).permute(0, 3, 1, 2) / 127.5 - 1
        resized = torch.nn.functional.interpolate(frames, SIZE_HW, mode="bilinear")
        scale = torch.tensor([1, SIZE_HW[0] / size_hw[0], SIZE_HW[1] / size_hw[1]])
        with torch.inference_mode():
            expected = model.track_resized(
                resized.permute(0, 2, 3, 1)[None], torch.from_numpy(queries) * scale
            )
        np.testing.assert_allclose(
            tracks, expected.tracks / scale.flip(0)[:2], rtol=0, atol=4e-3 * max(size_hw) / 64
        )


@pytest.mark.parametrize("role", ["encoder", "query", "tracker"])
def test_the_files_of_a_split_take_and_give_what_the_interface_says(role) -> None:
    profile = profile_of()
    asked = interface(profile, role)
    graph = trace(rewritten(profile), profile, asked, role).model.graph
    assert [value.name for value in graph.input] == list(asked.inputs)
    assert [value.name for value in graph.output][: len(asked.outputs)] == list(asked.outputs)


class _SizeAsNumber(torch.nn.Module):
    """Keeps a size of the trace: right at that size alone."""

    def forward(self, video: torch.Tensor, query_points: torch.Tensor):
        frames = int(video.shape[1] * torch.ones(())) + len(video)
        return query_points[..., :2] * frames, query_points[..., 0], query_points[..., 1]


class _Other(torch.nn.Module):
    def forward(self, video: torch.Tensor, query_points: torch.Tensor):
        return query_points[..., :2], query_points[..., 0], query_points[..., 1]


def trace_module(module: torch.nn.Module, monkeypatch, profile: ExportProfile) -> TracedGraph:
    monkeypatch.setattr(tracing, "_module_of", lambda *arguments: module)
    monkeypatch.setattr(tracing, "model_seams", lambda model: ())
    return trace(rewritten(profile), profile, interface(profile))


def test_a_size_of_the_trace_in_the_models_own_code_is_refused(monkeypatch) -> None:
    with pytest.raises(GraphCheckFailedError, match=r"cannot be traced for every shape: .*test_tr"):
        trace_module(_SizeAsNumber(), monkeypatch, profile_of())


def test_another_opset_than_asked_is_refused(monkeypatch) -> None:
    def export(*arguments: object, opset_version: int, **options: object) -> None:
        real(*arguments, opset_version=opset_version + 1, **options)

    real = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(GraphCheckFailedError, match=r"wrote opset \{'': 18\}, not 17 as asked"):
        trace_module(_Other(), monkeypatch, profile_of())
