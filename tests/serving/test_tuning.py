"""What a server keeps of the choice of ``locoexport tune``, and what a package says of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tuned_files import STAMP, stamp_file

from locoexport.pipeline.package import package_for_openvino, package_for_triton
from locoexport.serving.options import ServingOptions
from locoexport.serving.tuning import tuned_for_openvino, tuned_for_triton

USUAL = ServingOptions()


def test_without_a_tuning_nothing_is_said() -> None:
    for tuned in (tuned_for_triton(None, USUAL), tuned_for_openvino(None, USUAL)):
        assert (tuned.options, tuned.said, tuned.departures) == (USUAL, (), ())


def test_threads_of_a_choice_that_the_server_keeps() -> None:
    on_cpu = replace(STAMP, provider="cpu")
    assert tuned_for_triton(on_cpu, USUAL).options.threads == 2
    assert tuned_for_triton(on_cpu, ServingOptions(threads=3)).options.threads == 3
    assert tuned_for_openvino(STAMP, USUAL).options.threads == 2
    assert not tuned_for_openvino(STAMP, USUAL).departures


@pytest.mark.parametrize("provider", ["openvino:precision=bf16", "openvino:precision=f16"])
@pytest.mark.parametrize("tune", [tuned_for_triton, tuned_for_openvino])
def test_a_smaller_precision_is_float32_on_a_server(provider: str, tune) -> None:
    tuned = tune(replace(STAMP, provider=provider), USUAL)
    assert tuned.options == USUAL
    (text,) = tuned.departures
    assert f"chose {provider}" in text
    assert "in float32: correct as well" in text
    assert "a server does not have" in text


def test_what_a_file_may_not_choose_is_not_repeated() -> None:
    tuned = tuned_for_triton(replace(STAMP, provider="tensorrt:trt_engine_cache_path=/x"), USUAL)
    assert "/x" not in tuned.said[0]
    assert tuned.options == USUAL


def test_cuda_is_kept_on_a_gpu() -> None:
    stamp = replace(STAMP, provider="cuda")
    assert not tuned_for_triton(stamp, USUAL).departures
    assert tuned_for_triton(stamp, ServingOptions(device="cpu")).departures
    assert "--triton" in tuned_for_openvino(stamp, USUAL).departures[0]


def test_a_package_for_triton(make_model, tmp_path: Path) -> None:
    model = stamp_file(make_model(), tmp_path / "tuned.onnx", "cpu", 2)
    report = package_for_triton(model, tmp_path / "triton", name="m")
    config = (tmp_path / "triton/m/config.pbtxt").read_text()
    assert "intra_op_thread_count" in config
    assert report.tuning == (
        "`locoexport tune` chose cpu for this file: the server runs it so, with 2 threads.",
    )


def test_a_package_for_openvino_is_float32(make_model, tmp_path: Path) -> None:
    model = stamp_file(make_model(), tmp_path / "tuned.onnx", "openvino:precision=bf16", 2)
    told = []
    report = package_for_openvino(
        model, tmp_path / "models", name="m", notify=lambda notice: told.append(notice.text)
    )
    document = json.loads((tmp_path / "models/config.json").read_text())
    settings = document["model_config_list"][0]["config"]["plugin_config"]
    assert settings["INFERENCE_PRECISION_HINT"] == "f32"
    assert report.tuning[0] in told
    readme = next(path for path in report.files if path.name.startswith("README"))
    assert "in float32" in readme.read_text()
