import gc
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from synthetic_tracker import MODEL_HW, VELOCITY_XY

from locoexport.errors import (
    ModelFileError,
    ProviderUnavailableError,
    QueryError,
    UsageError,
    VideoError,
)
from locoexport.runtime.session import single as session_module
from locoexport.runtime.session.single import open_session


def _video(batch: int = 1, frames: int = 3) -> np.ndarray:
    return np.zeros((batch, frames, *MODEL_HW, 3), np.float32)


def _points(batch: int = 1, points: int = 2) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 2, (batch, points, 3)).astype(np.float32)


def test_runs_at_dynamic_shapes(make_model) -> None:
    model = open_session(make_model())
    assert (model.fixed_batch, model.fixed_frames, model.fixed_points) == (None, None, None)
    assert model.resolution_hw == MODEL_HW
    assert model.metadata.profile == "b0-tiny"
    for batch, frames, points in ((1, 1, 1), (2, 3, 5)):
        queries = _points(batch, points)
        raw = model.run(_video(batch, frames), queries)
        elapsed = np.arange(frames) - queries[..., :1]
        expected = queries[:, :, None, [2, 1]] + elapsed[..., None] * np.array(VELOCITY_XY)
        np.testing.assert_allclose(raw.tracks_xy, expected, atol=1e-6)
        assert raw.occlusion.shape == raw.expected_dist.shape == (batch, points, frames)


def test_fixed_axes_are_told_and_enforced(make_model) -> None:
    model = open_session(make_model(batch=1, frames=4, points=2))
    assert (model.fixed_batch, model.fixed_frames, model.fixed_points) == (1, 4, 2)
    with pytest.raises(VideoError, match=r"shape \(1, 4, 24, 32, 3\), not float32 of shape \(1, 3"):
        model.run(_video(), _points())
    with pytest.raises(QueryError, match=r"shape \(1, 2, 3\), not float32 of shape \(1, 5, 3\)"):
        model.run(_video(frames=4), _points(points=5))


def test_wrong_arrays_are_refused(make_model) -> None:
    model = open_session(make_model())
    with pytest.raises(VideoError, match="float64"):
        model.run(_video().astype(np.float64), _points())
    with pytest.raises(VideoError, match=r"\(batch, frames, 24, 32, 3\)"):
        model.run(np.zeros((1, 2, 32, 24, 3), np.float32), _points())
    with pytest.raises(VideoError):
        model.run(_video(frames=0), _points())
    with pytest.raises(QueryError):
        model.run(_video(), _points(points=0))
    with pytest.raises(QueryError, match=r"\(1, points, 3\), not float32 of shape \(2, 2, 3\)"):
        model.run(_video(), _points(batch=2))
    with pytest.raises(QueryError, match=r"not float32 of shape \(2, 3\)"):
        model.run(_video(), _points()[0])
    bad = _points()
    bad[0, 1, 2] = np.nan
    with pytest.raises(QueryError, match="Query point 1 of batch entry 0"):
        model.run(_video(), bad)


def test_node_placement_comes_from_the_profile(make_model, tmp_path: Path) -> None:
    path = make_model()
    model = open_session(path, profile_prefix=tmp_path / "profile")
    for _ in range(3):
        model.run(_video(), _points())
    (placement,) = model.node_placement()
    assert placement[0] == "cpu"
    assert 5 <= placement[1] <= len(onnx.load(path).graph.node)
    assert model.node_placement() == (placement,)
    with pytest.raises(UsageError, match="profile_prefix"):
        open_session(path).node_placement()


def test_node_placement_needs_a_run(make_model, tmp_path: Path) -> None:
    model = open_session(make_model(), profile_prefix=tmp_path / "profile")
    with pytest.raises(UsageError, match="Run the model"):
        model.node_placement()


@pytest.mark.parametrize("keep", [0, 10, 500, -200, -1])
def test_truncated_file(make_model, keep: int) -> None:
    path = make_model()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=r"model\.onnx"):
        open_session(path)


def test_files_that_are_not_ours(make_model, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model file"):
        open_session(tmp_path / "absent.onnx")
    with pytest.raises(ModelFileError, match="no model file"):
        open_session(tmp_path)
    text = tmp_path / "text.onnx"
    text.write_text("This is not ONNX.\n" * 20)
    with pytest.raises(ModelFileError, match="cannot open"):
        open_session(text)
    foreign = tmp_path / "foreign.onnx"
    graph = helper.make_graph(
        [helper.make_node("Relu", ["a"], ["b"])],
        "foreign",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    foreign.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="no locoexport metadata"):
        open_session(foreign)
    with pytest.raises(ModelFileError, match="its inputs are a and its outputs b"):
        open_session(foreign, require_metadata=False)
    with pytest.raises(ModelFileError, match="contradicts itself"):
        open_session(make_model(metadata_hw=(256, 256)))
    with pytest.raises(ModelFileError, match="its inputs are query_input, video"):
        open_session(make_model(rename={"video_input": "video"}))


def test_metadata_may_be_waived(make_model) -> None:
    model = open_session(make_model(metadata_hw=None), require_metadata=False)
    assert model.resolution_hw == MODEL_HW
    with pytest.raises(ModelFileError, match="carries no locoexport metadata"):
        _ = model.metadata


def test_bad_options(make_model) -> None:
    path = make_model()
    with pytest.raises(UsageError, match="no provider 'gpu'"):
        open_session(path, "gpu")
    with pytest.raises(UsageError, match="threads is 0"):
        open_session(path, threads=0)
    assert open_session(path, threads=1).provider == "cpu"


def test_threads_are_set_where_not_all_cores_may_be_used(monkeypatch) -> None:
    def threads(asked: int | None = None) -> int:
        return session_module.session_options("cpu", threads=asked).intra_op_num_threads

    monkeypatch.setattr(session_module, "restricted_threads", lambda: None)
    assert (threads(), threads(3)) == (0, 3)  # 0 is ONNX Runtime's own choice
    monkeypatch.setattr(session_module, "restricted_threads", lambda: 2)
    assert (threads(), threads(3)) == (2, 3)


def test_the_number_of_threads_changes_no_bit(make_model) -> None:
    path, video, points = make_model(), _video(2, 5), _points(2, 7)
    one, two = (open_session(path, threads=count).run(video, points) for count in (1, 2))
    for name in ("tracks_xy", "occlusion", "expected_dist"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_profile_of_a_model_that_cannot_be_opened_writes_no_log(tmp_path, capfd) -> None:
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    path = tmp_path / "m.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    with pytest.raises(ModelFileError, match="cannot open"):
        open_session(path, profile_prefix=tmp_path / "profile")
    gc.collect()
    assert capfd.readouterr() == ("", "")


def test_a_session_on_another_provider_than_asked_is_refused(
    make_model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe passes but the real model lands on the CPU: no silent fallback there either."""
    monkeypatch.setattr(session_module, "require_provider", lambda _: None)
    real = session_module.create_session
    monkeypatch.setattr(
        session_module, "create_session", lambda path, _, options: real(path, "cpu", options)
    )
    with pytest.raises(ProviderUnavailableError, match="on cpu although you chose cuda"):
        open_session(make_model(), "cuda")


def test_what_onnx_runtime_would_log_of_a_node_never_reaches_the_terminal(capfd) -> None:
    node = helper.make_node("Reshape", ["a", "shape"], ["b"], name="evil\x1b[2J")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
        [helper.make_tensor("shape", TensorProto.INT64, [1], [7])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), session_module.session_options("cpu")
    )
    with pytest.raises(Exception, match="evil"):
        session.run(None, {"a": np.zeros(3, np.float32)})
    assert capfd.readouterr() == ("", "")
