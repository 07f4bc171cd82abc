"""A live export for Triton: a sequence batcher that keeps the memory, by Triton's own schema."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from exported import export_once
from moving_square import square_frames
from triton_wheel import fetch_tritonclient

from locoexport.contract.profile import load_profile
from locoexport.errors import UsageError
from locoexport.pipeline.package import package_for_openvino, package_for_triton
from locoexport.runtime.live.tracker import LiveTracker
from locoexport.serving import triton_schema
from locoexport.serving.options import ServingOptions, ShapeRange

pytestmark = pytest.mark.slow
POINTS = 5
OPTIONS = ServingOptions(points=ShapeRange(1, POINTS, 8))


@pytest.fixture(scope="module", autouse=True)
def schema() -> Iterator[None]:
    try:
        folder = fetch_tritonclient()
    except RuntimeError as error:
        pytest.skip(str(error))
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def model() -> Path:
    return export_once(load_profile("b0-tiny").with_options(resolution_hw=(64, 64)), live="open")


@pytest.fixture(scope="module")
def repository(model: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("triton") / "repo"
    report = package_for_triton(model, folder, name="cam", options=OPTIONS)
    assert report.schema_checked
    assert report.models == ("cam_encoder", "cam_query", "cam_live", "cam_start", "cam")
    return folder


def configs(folder: Path) -> dict:
    return {
        path.parent.name: triton_schema.check_config(path.read_text())
        for path in sorted(folder.glob("*/config.pbtxt"))
    }


def dims(tensors) -> dict[str, list[int]]:
    return {tensor.name: list(tensor.dims) for tensor in tensors}


def test_the_server_keeps_the_memory(repository: Path) -> None:
    newest = configs(repository)["cam_live"]
    (state,) = newest.sequence_batching.state
    assert (state.input_name, state.output_name) == ("memory", "next_memory")
    assert list(state.dims) == [POINTS, 7, 387]
    (initial,) = state.initial_state
    assert (initial.zero_data, list(initial.dims)) == (True, [POINTS, 7, 387])
    assert newest.sequence_batching.HasField("oldest")
    assert not newest.HasField("dynamic_batching")
    assert "memory" not in dims(newest.input)
    assert "next_memory" not in dims(newest.output)
    assert not newest.model_warmup


def test_what_clients_see(repository: Path) -> None:
    found = configs(repository)
    assert dims(found["cam_start"].input) == {
        "video_input": [1, 64, 64, 3],
        "query_input": [POINTS, 3],
    }
    supports = {"support_hires", "support_lowres", "support_highest"}
    assert set(dims(found["cam_start"].output)) == supports
    assert set(dims(found["cam"].input)) == {"video_input", "query_input", *supports}
    assert dims(found["cam"].output) == {
        "tracks": [POINTS, 1, 2],
        "occlusion": [POINTS, 1],
        "expected_dist": [POINTS, 1],
    }
    text = (repository / "README-cam.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ast.parse(code)
    assert "--load-model=cam_start" in text


def test_served_as_it_says_it_answers_as_the_live_tracker(repository: Path, model: Path) -> None:
    frames = square_frames(4)
    points = np.random.default_rng(1).uniform(8, 56, (POINTS, 2)).astype(np.float32)
    with LiveTracker(model, window=8, threads=1) as tracker:
        tracker.add(points)
        expected = [tracker.push(frame).xy for frame in frames]
    found = configs(repository)
    sessions = {
        name: onnxruntime.InferenceSession(repository / name / "1/model.onnx")
        for name in ("cam_encoder", "cam_query", "cam_live")
    }
    (state,) = found["cam_live"].sequence_batching.state
    kept = np.zeros((1, *state.initial_state[0].dims), np.float32)

    def ask(ensemble: str, known: dict) -> dict:
        for step in found[ensemble].ensemble_scheduling.step:
            session = sessions[step.model_name]
            given = {inner: known[outer] for inner, outer in step.input_map.items()}
            if step.model_name == "cam_live":
                given[state.input_name] = known[state.input_name]
            names = [output.name for output in session.get_outputs()]
            known |= dict(zip(names, session.run(names, given), strict=True))
        return known

    queries = np.insert(points, 0, 0, axis=1)[None]
    supports = {}
    for index, frame in enumerate(frames):
        video = frame[None, None].astype(np.float32) / 255 * 2 - 1
        given = {"video_input": video, "query_input": queries}
        if index == 0:
            answer = ask("cam_start", dict(given))
            supports = {output.name: answer[output.name] for output in found["cam_start"].output}
        answer = ask("cam", {**given, **supports, state.input_name: kept})
        kept = answer[state.output_name]
        assert list(kept.shape[1:]) == list(state.dims)
        np.testing.assert_allclose(answer["tracks"][0, :, 0], expected[index], atol=4e-3)
        queries = np.insert(points, 0, -1, axis=1)[None]


def test_what_is_not_packaged(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave --tensorrt out"):
        package_for_triton(model, tmp_path / "repo", options=ServingOptions(tensorrt=True))
    with pytest.raises(UsageError, match="packaged only for Triton"):
        package_for_openvino(model, tmp_path / "repo")
    assert list(tmp_path.iterdir()) == []
