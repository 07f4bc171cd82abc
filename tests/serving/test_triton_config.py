"""``locoexport package --triton``: what is written, and that Triton's own schema takes it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from triton_wheel import fetch_tritonclient

from locoexport.errors import CheckFailedError, OutputError
from locoexport.pipeline import package as module
from locoexport.pipeline.package import package_for_triton
from locoexport.runtime.session.opening import open_model
from locoexport.serving import triton_schema
from locoexport.serving.options import ServedModel, ServingOptions, ShapeRange, Tensor
from locoexport.serving.triton_config import ensemble_config, model_config


@pytest.fixture(scope="session", autouse=True)
def schema() -> Iterator[None]:
    """Triton's schema, from tritonclient's wheel, whose pins contradict ours: not installed."""
    try:
        folder = fetch_tritonclient()
    except RuntimeError as error:
        pytest.skip(str(error))
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def split_model() -> Path:
    """A split export of b0-tiny with the shipped weights at 64x64; not verified."""
    from exported import export_once

    from locoexport.contract.profile import load_profile

    profile = load_profile("b0-tiny").with_options(resolution_hw=(64, 64))
    return export_once(profile, split=True).with_name("model.encoder.onnx")


def parsed(folder: Path) -> dict:
    return {
        path.parent.name: triton_schema.check_config(path.read_text())
        for path in sorted(folder.glob("*/config.pbtxt"))
    }


def shapes(tensors) -> dict[str, list[int]]:
    return {tensor.name: list(tensor.dims) for tensor in tensors}


def test_a_single_file(make_model, tmp_path: Path) -> None:
    model = make_model()
    report = package_for_triton(model, tmp_path / "repo")
    assert report.schema_checked
    assert [str(p.relative_to(tmp_path / "repo")) for p in report.files] == [
        "locotrack_b0_tiny/1/model.onnx",
        "locotrack_b0_tiny/config.pbtxt",
        "README-locotrack_b0_tiny.md",
    ]
    assert (tmp_path / "repo/locotrack_b0_tiny/1/model.onnx").read_bytes() == model.read_bytes()
    (config,) = parsed(tmp_path / "repo").values()
    assert (config.name, config.platform) == ("locotrack_b0_tiny", "onnxruntime_onnx")
    assert config.max_batch_size == 4
    assert config.HasField("dynamic_batching")
    assert shapes(config.input) == {"video_input": [-1, 24, 32, 3], "query_input": [-1, 3]}
    assert shapes(config.output) == {
        "tracks": [-1, -1, 2],
        "occlusion": [-1, -1],
        "expected_dist": [-1, -1],
    }
    (group,) = config.instance_group
    assert (group.count, group.Kind.Name(group.kind)) == (1, "KIND_AUTO")
    (warmup,) = config.model_warmup
    assert warmup.batch_size == 1
    assert list(warmup.inputs["video_input"].dims) == [24, 24, 32, 3]
    assert list(warmup.inputs["query_input"].dims) == [64, 3]
    assert not config.HasField("optimization")
    assert names(tmp_path) == ["model.onnx", "repo"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_fixed_batch_is_not_batched(make_model, tmp_path: Path) -> None:
    package_for_triton(make_model(batch=1, frames=5, points=7), tmp_path / "repo", name="fixed")
    config = parsed(tmp_path / "repo")["fixed"]
    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert shapes(config.input) == {"video_input": [1, 5, 24, 32, 3], "query_input": [1, 7, 3]}
    (warmup,) = config.model_warmup
    assert (warmup.batch_size, list(warmup.inputs["query_input"].dims)) == (0, [1, 7, 3])


def test_what_may_be_chosen(make_model, tmp_path: Path) -> None:
    options = ServingOptions(
        device="gpu",
        instances=2,
        max_batch=8,
        threads=3,
        tensorrt=True,
        precision="FP16",
        frames=ShapeRange(4, 16, 32),
        points=ShapeRange(2, 3, 5),
    )
    said = []
    package_for_triton(make_model(), tmp_path / "repo", options=options, notify=said.append)
    (config,) = parsed(tmp_path / "repo").values()
    (group,) = config.instance_group
    assert (group.count, group.Kind.Name(group.kind)) == (2, "KIND_GPU")
    assert config.parameters["intra_op_thread_count"].string_value == "3"
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["precision_mode"] == "FP16"
    assert accelerator.parameters["trt_profile_min_shapes"] == (
        "video_input:1x4x24x32x3,query_input:1x2x3"
    )
    assert accelerator.parameters["trt_profile_opt_shapes"] == (
        "video_input:1x16x24x32x3,query_input:1x3x3"
    )
    assert accelerator.parameters["trt_profile_max_shapes"] == (
        "video_input:8x32x24x32x3,query_input:8x5x3"
    )
    assert any("--target tensorrt" in notice.text for notice in said)


@pytest.mark.slow
def test_a_split_export_is_an_ensemble_that_does_what_the_file_does(
    split_model: Path, tmp_path: Path
) -> None:
    report = package_for_triton(split_model, tmp_path / "repo", name="loco")
    assert report.models == ("loco_encoder", "loco_query", "loco_tracker", "loco")
    configs = parsed(tmp_path / "repo")
    ensemble = configs["loco"]
    assert ensemble.platform == "ensemble"
    assert shapes(ensemble.input) == {"video_input": [-1, 64, 64, 3], "query_input": [-1, 3]}
    assert set(shapes(ensemble.output)) == {"tracks", "occlusion", "expected_dist"}
    assert (tmp_path / "repo/loco/1").is_dir()
    # Served as the ensemble says, step by step, the files answer what the runtime answers.
    import onnxruntime

    rng = np.random.default_rng(0)
    video = rng.random((2, 3, 64, 64, 3), np.float32) * 2 - 1
    queries = (rng.random((2, 5, 3)) * (2, 63, 63)).astype(np.float32)
    known = {"video_input": video, "query_input": queries}
    for step in ensemble.ensemble_scheduling.step:
        session = onnxruntime.InferenceSession(
            tmp_path / "repo" / step.model_name / "1" / "model.onnx",
            providers=["CPUExecutionProvider"],
        )
        outputs = list(step.output_map)
        feed = {name: known[given] for name, given in step.input_map.items()}
        found = session.run(outputs, feed)
        known |= {step.output_map[o]: array for o, array in zip(outputs, found, strict=True)}
    raw = open_model(split_model).run(video, queries)
    np.testing.assert_allclose(known["tracks"], raw.tracks_xy, atol=1e-3)
    np.testing.assert_allclose(known["occlusion"], raw.occlusion, atol=1e-3)


def test_the_schema_and_the_ensemble_check_can_fail() -> None:
    with pytest.raises(CheckFailedError, match="refuses a config"):
        triton_schema.check_config('name: "a"\nmax_batch: 4\n')
    video, grid = (
        Tensor("v", "tensor(float)", ("batch", 3)),
        Tensor("g", "tensor(float)", ("batch", 2)),
    )
    other = Tensor("g", "tensor(float)", ("batch", 5))
    made = Tensor("w", "tensor(float)", ("batch", 3))
    first = ServedModel("first", (video,), (grid,))
    options = ServingOptions()
    for last, says in (
        (ServedModel("last", (grid,), (made,)), None),
        (ServedModel("last", (other,), (made,)), "last takes g"),
    ):
        configs = {
            m.name: triton_schema.check_config(model_config(m, options)) for m in (first, last)
        }
        ensemble = triton_schema.check_config(ensemble_config("all", (first, last), options))
        if says is None:
            ensemble.output[0].name = "missing"
            says = "makes its output missing"
        with pytest.raises(CheckFailedError, match=says):
            triton_schema.check_ensemble(ensemble, configs)
        with pytest.raises(CheckFailedError, match="has no model"):
            triton_schema.check_ensemble(ensemble, {})


def test_without_the_schema_it_says_not_checked(make_model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "schema_is_here", lambda: False)
    said = []
    report = package_for_triton(make_model(), tmp_path / "repo", notify=said.append)
    assert not report.schema_checked
    assert "were not checked" in said[0].text


def test_other_models_in_the_repository_stay(make_model, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (repo / "other").mkdir(parents=True)
    model = make_model()
    package_for_triton(model, repo, name="mine")
    with pytest.raises(OutputError, match="mine exists already"):
        package_for_triton(model, repo, name="mine")
    (repo / "mine" / "stale").write_text("")
    package_for_triton(model, repo, name="mine", force=True)
    assert names(repo) == ["README-mine.md", "mine", "other"]
    assert not (repo / "mine" / "stale").exists()
    assert names(tmp_path) == ["model.onnx", "repo"]


def test_the_readme_has_commands_and_code_that_parse(make_model, tmp_path: Path) -> None:
    package_for_triton(
        make_model(), tmp_path / "repo", name="m", options=ServingOptions(tensorrt=True)
    )
    text = (tmp_path / "repo" / "README-m.md").read_text()
    assert "--load-model=m" in text
    assert "--gpus all" in text
    assert "/engines" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    ast.parse(code)
    assert 'client.infer("m", inputs)' in code
    assert "(1, 24, 24, 32, 3)" in code
