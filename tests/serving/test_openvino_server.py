"""``locoexport package --openvino-ms``: what is written, and that OpenVINO takes it so."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import CheckFailedError, OutputError, UsageError
from locoexport.pipeline import package as module
from locoexport.pipeline.package import package_for_openvino
from locoexport.runtime.session.opening import open_model
from locoexport.serving.options import ServingOptions


def config_of(folder: Path) -> dict[str, dict]:
    document = json.loads((folder / "config.json").read_text())
    return {each["config"]["name"]: each["config"] for each in document["model_config_list"]}


def test_a_single_file(make_model, tmp_path: Path) -> None:
    model = make_model()
    report = package_for_openvino(model, tmp_path / "models")
    assert [str(p.relative_to(tmp_path / "models")) for p in report.files] == [
        "locotrack_b0_tiny/1/model.onnx",
        "README-locotrack_b0_tiny.md",
        "config.json",
    ]
    copy = tmp_path / "models/locotrack_b0_tiny/1/model.onnx"
    assert copy.read_bytes() == model.read_bytes()
    assert config_of(tmp_path / "models") == {
        "locotrack_b0_tiny": {
            "name": "locotrack_b0_tiny",
            "base_path": "/models/locotrack_b0_tiny",
            "target_device": "AUTO",
            "nireq": 1,
            "plugin_config": {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
        }
    }


def test_openvino_answers_with_these_settings(make_model, tmp_path: Path) -> None:
    """What the server does: read the folder's file, compile with the entry's settings, run."""
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    options = ServingOptions(device="cpu", instances=2, threads=1)
    report = package_for_openvino(make_model(), tmp_path / "models", name="m", options=options)
    assert report.schema_checked
    entry = config_of(tmp_path / "models")["m"]
    assert (entry["nireq"], entry["plugin_config"]["NUM_STREAMS"]) == (2, 2)
    file = tmp_path / "models" / "m" / "1" / "model.onnx"
    compiled = openvino.Core().compile_model(file, entry["target_device"], entry["plugin_config"])
    rng = np.random.default_rng(0)
    for frames, points in ((3, 2), (5, 4)):
        video = rng.uniform(-1, 1, (1, frames, 24, 32, 3)).astype(np.float32)
        queries = rng.uniform(0, 3, (1, points, 3)).astype(np.float32)
        answer = compiled({"video_input": video, "query_input": queries})
        expected = open_model(file).run(video, queries)
        np.testing.assert_allclose(answer["tracks"], expected.tracks_xy, rtol=0, atol=1e-4)


def test_other_models_stay(make_model, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    model = make_model()
    package_for_openvino(model, folder, name="one")
    package_for_openvino(model, folder, name="two", options=ServingOptions(device="cpu"))
    with pytest.raises(OutputError, match="one exists already"):
        package_for_openvino(model, folder, name="one")
    package_for_openvino(model, folder, name="one", options=ServingOptions(threads=3), force=True)
    found = config_of(folder)
    assert list(found) == ["two", "one"]
    assert found["two"]["target_device"] == "CPU"
    assert found["one"]["plugin_config"]["INFERENCE_NUM_THREADS"] == 3


@pytest.mark.parametrize("text", ["no json", "[]", '{"model_config_list": [{"a": 1}]}', '{"a": 1}'])
def test_a_config_of_another_kind_is_left_alone(text: str, make_model, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "config.json").write_text(text)
    with pytest.raises(OutputError, match="is not the configuration of an OpenVINO"):
        package_for_openvino(make_model(), tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["config.json"]
    assert (tmp_path / "models" / "config.json").read_text() == text


def test_without_openvino_it_says_not_checked(make_model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    said = []
    report = package_for_openvino(make_model(), tmp_path / "models", notify=said.append)
    assert not report.schema_checked
    assert "not tried with OpenVINO" in said[0].text


def test_a_setting_that_openvino_does_not_know_fails(
    make_model, tmp_path: Path, monkeypatch
) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    monkeypatch.setattr(module, "compile_settings", lambda _: {"NO_SUCH_SETTING": 1})
    with pytest.raises(CheckFailedError, match="OpenVINO cannot compile"):
        package_for_openvino(make_model(), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_what_is_triton_s_is_refused(make_model, tmp_path: Path) -> None:
    for options in (ServingOptions(tensorrt=True), ServingOptions(max_batch=8)):
        with pytest.raises(UsageError, match="is Triton's"):
            package_for_openvino(make_model(), tmp_path / "models", options=options)


def test_the_readme_has_commands_and_code_that_parse(make_model, tmp_path: Path) -> None:
    package_for_openvino(make_model(), tmp_path / "models", name="m")
    text = (tmp_path / "models" / "README-m.md").read_text()
    assert "--config_path /models/config.json --rest_port 8000" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    ast.parse(code)
    assert 'client.infer("m", inputs)' in code
