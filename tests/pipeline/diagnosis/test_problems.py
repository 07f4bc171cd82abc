"""What doctor makes of an installation: each fault with the command that mends it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from locoexport.errors import PackageMissingError
from locoexport.machine import installation
from locoexport.machine.hardware import Cpu, Memory
from locoexport.machine.installation import CacheFolder, Package, cache_folder, require_packages
from locoexport.pipeline import doctor
from locoexport.pipeline.diagnosis.problems import find_problems
from locoexport.pipeline.diagnosis.report import Installation, Problem, ProviderState
from locoexport.pipeline.doctor import examine

SOUND = Installation(
    packages=(
        Package("numpy", "2", ""),
        Package("torch", "2", "export"),
        Package("onnx", "1", "export"),
        Package("matplotlib", "3", "plot"),
        Package("onnxruntime-gpu", "1.31", ""),
        Package("opencv-python", "4.14", ""),
    ),
    broken={},
    providers=(
        ProviderState("cpu", True, True, "", ""),
        ProviderState("coreml", False, False, "built without it", "on macOS: ..."),
    ),
    built_for="CUDA 13.0",
    driver=None,
    cpu=Cpu("a processor", "x86_64", 2, 4, 4, ("AVX2",)),
    memory=Memory(16 * 10**9, 8 * 10**9, None),
    cache=CacheFolder(Path("/cache"), True, 0, 10**9),
)


def only(found: Installation) -> Problem:
    problems = list(find_problems(found))
    assert len(problems) == 1, problems
    return problems[0]


def with_packages(*more: Package) -> Installation:
    return replace(SOUND, packages=SOUND.packages + more)


def test_a_sound_installation_has_no_problems() -> None:
    assert list(find_problems(SOUND)) == []
    assert SOUND.cpu_provider_works


def test_two_runtimes_at_once() -> None:
    problem = only(with_packages(Package("onnxruntime", "1.31", "")))
    assert problem.severity == "warning"
    assert "at once" in problem.text
    assert problem.command == (
        "pip uninstall -y onnxruntime-gpu onnxruntime && pip install onnxruntime-gpu"
        "   (or, for the CPU alone: pip install onnxruntime)"
    )


def test_the_plain_runtime_alone_is_sound() -> None:
    packages = tuple(
        replace(package, name="onnxruntime") if package.name == "onnxruntime-gpu" else package
        for package in SOUND.packages
    )
    assert list(find_problems(replace(SOUND, packages=packages))) == []
    broken = replace(SOUND, packages=packages, broken={"onnxruntime": "gone"}, providers=())
    assert only(broken).command == "pip install --force-reinstall onnxruntime"


def test_a_runtime_that_cannot_be_imported() -> None:
    broken = replace(SOUND, broken={"onnxruntime": "no such symbol"}, providers=())
    problem = only(broken)
    assert (problem.severity, broken.cpu_provider_works) == ("error", False)
    assert "no such symbol" in problem.text
    assert problem.command == "pip install --force-reinstall onnxruntime-gpu"


def test_opencv_without_libgl() -> None:
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    problem = only(replace(SOUND, broken={"cv2": reason}))
    assert problem.severity == "error"
    assert "libGL.so.1" in problem.text
    assert "apt-get install -y libgl1" in problem.command
    assert "opencv-python-headless" in problem.command


def test_two_opencvs_at_once() -> None:
    problem = only(with_packages(Package("opencv-python-headless", "4.14", "")))
    assert "pip uninstall -y opencv-python opencv-python-headless" in problem.command


def test_missing_extras() -> None:
    packages = tuple(
        replace(package, version=None) if package.extra else package for package in SOUND.packages
    )
    export, plot = find_problems(replace(SOUND, packages=packages))
    assert (export.severity, export.command) == ("warning", "pip install 'locoexport[export]'")
    assert "torch, onnx" in export.text
    assert (plot.severity, plot.command) == ("info", "pip install 'locoexport[plot]'")


@pytest.mark.parametrize(("driver", "severity"), [(None, "info"), ("580.1", "warning")])
def test_cuda_that_is_listed_but_does_not_load(driver: str | None, severity: str) -> None:
    state = ProviderState("cuda", True, False, "the library libx.so is missing", "pip install x")
    problem = only(replace(SOUND, driver=driver, providers=(*SOUND.providers, state)))
    assert (problem.severity, problem.command) == (severity, "pip install x")
    assert "libx.so" in problem.text
    assert "CUDA 13.0" in problem.text
    assert ("no NVIDIA driver" in problem.text) is (driver is None)


def test_a_weak_machine() -> None:
    old = replace(SOUND.cpu, features=())
    assert "AVX2" in only(replace(SOUND, cpu=old)).text
    unknown = replace(SOUND.cpu, features=None)
    assert list(find_problems(replace(SOUND, cpu=unknown))) == []
    assert "0.5 GB" in only(replace(SOUND, memory=Memory(10**9, 5 * 10**8, None))).text
    locked = replace(SOUND.cache, writable=False)
    assert "XDG_CACHE_HOME" in only(replace(SOUND, cache=locked)).command


def test_the_worst_comes_first() -> None:
    broken = replace(
        with_packages(Package("onnxruntime", "1.31", ""), Package("x", None, "plot")),
        broken={"av": "gone"},
    )
    assert [problem.severity for problem in find_problems(broken)] == ["error", "warning", "info"]


def test_inspect_wants_onnx_alone() -> None:
    problem = only(with_packages(Package("onnx", None, "inspect")))
    assert (problem.severity, problem.command) == ("info", "pip install 'locoexport[inspect]'")


def test_this_machine() -> None:
    report = examine()
    assert report.found.cpu_provider_works
    cpu = report.found.providers[0]
    assert (cpu.name, cpu.works, cpu.remedy) == ("cpu", True, "")
    for state in report.found.providers[1:]:
        assert state.works or (state.missing and state.remedy), state


def test_a_broken_runtime_is_a_finding_not_a_crash(monkeypatch) -> None:
    monkeypatch.setattr(
        doctor, "import_failure", lambda name: "gone" if name == "onnxruntime" else None
    )
    report = examine()
    assert not report.found.cpu_provider_works
    assert report.problems[0].severity == "error"


def test_why_a_module_does_not_import(tmp_path, monkeypatch) -> None:
    (tmp_path / "wants_a_library.py").write_text("raise ImportError('libGL.so.1:\\n gone')")
    monkeypatch.syspath_prepend(tmp_path)
    assert installation.import_failure("wants_a_library") == "libGL.so.1: gone"
    assert installation.import_failure("json") is None


def test_cache_folder_that_does_not_exist_yet(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new" / "deep"))
    cache = cache_folder()
    if sys.platform == "linux":
        assert cache.path == tmp_path / "new" / "deep" / "locoexport"
    assert (cache.writable, cache.size_bytes) == (True, 0)
    assert not (tmp_path / "new").exists()


def test_missing_packages_name_the_extra() -> None:
    require_packages("json", extra="export")
    with pytest.raises(PackageMissingError, match=r"needs no_such_module.*locoexport\[plot\]"):
        require_packages("json", "no_such_module", extra="plot")


def test_doctor_needs_neither_torch_nor_onnx() -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'onnx'): sys.modules[name] = None\n"
        "from locoexport.pipeline.doctor import examine\n"
        "assert examine().found.cpu_provider_works\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
