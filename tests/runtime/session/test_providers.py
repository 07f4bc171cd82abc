import subprocess
import sys

import onnxruntime
import pytest
from onnx import TensorProto, helper

from locoexport.errors import ProviderUnavailableError, UsageError
from locoexport.runtime.session import providers
from locoexport.runtime.session.providers import (
    PROVIDERS,
    ProviderProbe,
    probe_provider,
    require_provider,
    resolve_provider,
    working_providers,
)


def test_probe_model_is_the_one_its_comment_describes() -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    assert model.SerializeToString() == providers._PROBE_MODEL


def test_cpu_works_and_unknown_names_are_wrong_use() -> None:
    assert resolve_provider("cpu") == "CPUExecutionProvider"
    assert "cpu" in working_providers()
    require_provider("cpu")
    with pytest.raises(UsageError, match=r"'gpu'; the providers are cpu, cuda"):
        require_provider("gpu")


def test_provider_not_in_this_build_says_so_and_how_to_get_it() -> None:
    absent = [
        name
        for name, full in PROVIDERS.items()
        if full not in onnxruntime.get_available_providers() and not probe_provider(name).works
    ]
    assert absent, "no ONNX Runtime has all providers"
    with pytest.raises(ProviderUnavailableError) as caught:
        require_provider(absent[0])
    assert caught.value.exit_code == 3
    message = str(caught.value)
    assert "built without it" in message
    assert "Providers that work here: cpu" in message
    assert "install" in message


@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_provider_listed_but_not_loadable_names_the_library_and_is_silent(name: str) -> None:
    if PROVIDERS[name] not in onnxruntime.get_available_providers() or probe_provider(name).works:
        pytest.skip(f"needs a build that lists {name} on a machine that lacks it")
    script = (
        "from locoexport.runtime.session.providers import require_provider\n"
        "from locoexport.errors import ProviderUnavailableError\n"
        "try:\n"
        f"    require_provider({name!r})\n"
        "except ProviderUnavailableError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert f"The provider '{name}' cannot be used" in done.stdout
    assert "onnxruntime-gpu[cuda,cudnn]" in done.stdout
    assert ".so" in done.stdout


@pytest.mark.parametrize(("installed", "first"), [("1.32", "uninstall"), (None, "install")])
def test_cuda_takes_the_place_of_the_plain_runtime(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, first: str
) -> None:
    monkeypatch.setattr(providers, "installed_version", lambda name: installed)
    monkeypatch.setattr(
        providers, "probe_provider", lambda name: ProviderProbe(name, name == "cpu")
    )
    with pytest.raises(ProviderUnavailableError) as caught:
        require_provider("cuda")
    assert f"To get cuda: pip {first} " in str(caught.value)
    assert "pip install 'onnxruntime-gpu[cuda,cudnn]'" in str(caught.value)


def test_silent_fallback_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime lists the provider, raises nothing, says nothing, and gives the CPU."""

    class CpuSession:
        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    monkeypatch.setattr(providers, "create_session", lambda *_: CpuSession())
    probe = probe_provider.__wrapped__("coreml")
    assert not probe.works
    assert probe.missing == "ONNX Runtime left it out without saying why"


@pytest.mark.parametrize(
    ("log", "missing"),
    [
        (
            "\x1b[1;31m2026-11-23 [E:onnxruntime:Default, a.cc:1 Get()] Failed to load library "
            "/x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open "
            "shared object file: No such file or directory\n\x1b[m",
            "the library libcublasLt.so.13 is missing",
        ),
        (
            'Error loading "C:\\x\\onnxruntime_providers_cuda.dll" which depends on '
            '"cublasLt64_13.dll" which is missing. (Error 126)',
            "the library cublasLt64_13.dll is missing",
        ),
        (
            "2026-11-23 [E:onnxruntime:Default, cuda_call.cc:1 Call] CUDA failure 100: no "
            "CUDA-capable device is detected.\nmore",
            "CUDA failure 100: no CUDA-capable device is detected",
        ),
    ],
)
def test_missing_part_is_read_out_of_the_log(log: str, missing: str) -> None:
    assert providers._missing_part(log) == missing
