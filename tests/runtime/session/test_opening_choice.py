"""Which provider a file is opened on: its own choice, as far as it is allowed and works here."""

import re
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from tuned_files import STAMP, stamp_file

from locoexport.errors import ModelFileError, ProviderUnavailableError
from locoexport.machine.hardware import read_cpu
from locoexport.runtime.session import opening
from locoexport.runtime.session.opening import (
    allowed_choice,
    choose_proof_run,
    choose_run,
    open_model,
)
from locoexport.runtime.session.provider_options import USUAL_RUN, RunChoice
from locoexport.runtime.session.providers import ProviderProbe


@pytest.fixture
def on_machine(monkeypatch):
    """Make these providers work, on a processor with these features and that many cores."""

    def pretend(*working: str, features: tuple[str, ...] | None = (), cores: int = 4) -> None:
        def probe(name: str) -> ProviderProbe:
            return ProviderProbe(name, name in working, "" if name in working else "it is missing")

        cpu = replace(read_cpu(), features=features, model="a processor")
        monkeypatch.setattr(opening, "probe_provider", probe)
        monkeypatch.setattr(opening, "read_cpu", lambda: cpu)
        monkeypatch.setattr(opening, "usable_threads", lambda: cores)

    return pretend


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("cpu", "cpu"),
        ("cuda", "cuda"),
        ("openvino", "openvino"),
        ("openvino:device=CPU", "openvino"),
        ("openvino:precision=f32,device=CPU", "openvino"),
        ("openvino:precision=bf16", "openvino:precision=bf16"),
        ("openvino:precision=f16", "openvino:precision=f16"),
    ],
)
def test_what_a_file_may_choose(text: str, spelled: str) -> None:
    assert allowed_choice(text) == spelled


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CPU",
        "rocm",
        "cpu:x=1",
        "cuda:device_id=1",
        "cuda:gpu_mem_limit=9",
        "cuda:use_tf32=1",
        "openvino:device=GPU",
        "openvino:device=AUTO:GPU,CPU",
        "openvino:precision=u4",
        "openvino:cache_dir=/tmp",
        "tensorrt",
        "tensorrt:trt_engine_cache_path=/etc",
        "dml",
        "coreml",
        "webgpu",
    ],
)
def test_what_a_file_may_not_choose(text: str, make_model, tmp_path: Path, on_machine) -> None:
    assert allowed_choice(text) is None
    on_machine("cpu", "cuda", "tensorrt", "openvino", "dml", "coreml", "webgpu")
    choice = choose_run(stamp_file(make_model(), tmp_path / "tuned.onnx", text))
    assert (choice.provider, choice.chosen_by) == ("cpu", "fallback")
    assert repr(text) in choice.warning
    assert "a file may choose only" in choice.warning


def test_a_file_without_a_tuning_is_for_the_cpu(make_model) -> None:
    assert choose_run(make_model()) == USUAL_RUN
    model = open_model(make_model())
    assert model.provider == "cpu"
    assert model.choice == USUAL_RUN


def test_a_choice_that_works_is_kept(make_model, tmp_path: Path, on_machine) -> None:
    on_machine("cpu", "openvino", features=("AVX-512 BF16",))
    path = stamp_file(make_model(), tmp_path / "tuned.onnx", "openvino:precision=bf16", 2)
    assert choose_run(path) == RunChoice("openvino:precision=bf16", 2, "tune")


def test_threads_are_never_more_than_may_be_used(make_model, tmp_path: Path, on_machine) -> None:
    path = stamp_file(make_model(), tmp_path / "tuned.onnx", "cpu", 64)
    on_machine("cpu", cores=3)
    assert choose_run(path).threads == 3
    assert choose_run(path, threads=1).threads == 1  # the user's own
    assert choose_run(path, "cpu") == RunChoice("cpu")  # nothing of the file is asked


@pytest.mark.parametrize(
    ("provider", "features", "reason"),
    [
        ("openvino", (), None),
        ("openvino:precision=bf16", ("AVX2",), "a processor.*bfloat16"),
        ("openvino:precision=bf16", None, "not known to compute in bfloat16"),
        ("openvino:precision=f16", ("AVX-512 BF16",), "not known to compute in float16"),
        ("cuda", (), "it is missing .*doctor"),
    ],
)
def test_a_choice_that_does_not_work_is_left_for_the_cpu(
    provider: str, features, reason: str | None, make_model, tmp_path: Path, on_machine
) -> None:
    on_machine("cpu", "openvino", features=features)
    path = stamp_file(make_model(), tmp_path / "tuned.onnx", provider, 2)
    choice = choose_run(path)
    if reason is None:
        assert (choice.provider, choice.warning) == (provider, "")
        return
    assert (choice.provider, choice.threads, choice.chosen_by) == ("cpu", None, "fallback")
    for part in (repr(provider), "correct as well", "1.5 times as fast", "'a machine'"):
        assert part in choice.warning
    assert re.search(reason, choice.warning)


def test_the_cpu_is_opened_where_the_choice_cannot_be(
    make_model, tmp_path: Path, on_machine, monkeypatch
) -> None:
    path = stamp_file(make_model(), tmp_path / "tuned.onnx", "openvino")
    on_machine("cpu", "openvino")
    opened = opening.open_session

    def refuse(path, provider, **options):
        if provider != "cpu":
            raise ModelFileError("OpenVINO cannot open it.")
        return opened(path, provider, **options)

    monkeypatch.setattr(opening, "open_session", refuse)
    model = open_model(path)
    assert (model.provider, model.choice.chosen_by) == ("cpu", "fallback")
    assert "OpenVINO cannot open it" in model.choice.warning
    with pytest.raises(ModelFileError, match="OpenVINO cannot open it"):
        open_model(path, "openvino")


def test_a_provider_that_was_named_is_never_left(make_model, tmp_path: Path) -> None:
    path = stamp_file(make_model(), tmp_path / "tuned.onnx", "cpu", 1)
    with pytest.raises(ProviderUnavailableError):
        open_model(path, "dml")
    model = open_model(path, "cpu")
    assert model.choice == RunChoice("cpu")


def test_a_damaged_tuning_is_refused_when_it_is_opened(make_model, tmp_path: Path) -> None:
    model = onnx.load(make_model())
    entry = model.metadata_props.add()
    entry.key, entry.value = "locoexport.tuning", '{"provider": "cpu"}'
    path = tmp_path / "damaged.onnx"
    onnx.save(model, path)
    assert choose_run(path) == USUAL_RUN
    for provider in (None, "cpu"):
        with pytest.raises(ModelFileError, match=r"locoexport\.tuning cannot be read"):
            open_model(path, provider)


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="There is no model file"):
        open_model(tmp_path / "none.onnx")


def test_a_proof_of_float32_runs_in_float32(make_model, tmp_path: Path, on_machine) -> None:
    on_machine("cpu", "openvino", features=("AVX-512 BF16",))
    path = stamp_file(make_model(), tmp_path / "bf16.onnx", "openvino:precision=bf16")
    choice = choose_proof_run(path)
    assert choice.provider == "cpu"
    assert "is not verified" in choice.warning
    assert f"{STAMP.p99_px:.2g} px" in choice.warning
    assert choose_proof_run(path, "openvino:precision=bf16").provider == "openvino:precision=bf16"
    path = stamp_file(make_model(), tmp_path / "f32.onnx", "openvino")
    assert choose_proof_run(path).provider == "openvino"
