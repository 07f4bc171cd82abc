"""What works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from locoexport import __version__
from locoexport.errors import ProviderUnavailableError
from locoexport.machine.hardware import Cpu, Memory, read_cpu, read_memory
from locoexport.machine.installation import (
    OPENCV_PACKAGES,
    RUNTIME_PACKAGES,
    CacheFolder,
    Package,
    cache_folder,
    find_packages,
    import_failure,
    nvidia_driver,
)

if TYPE_CHECKING:
    from locoexport.pipeline.diagnosis.outlook import ModelOutlook

__all__ = [
    "DoctorReport",
    "Installation",
    "Problem",
    "ProviderState",
    "built_for",
    "examine",
    "find_problems",
]

Severity = Literal["error", "warning", "info"]
_NATIVE_MODULES = ("onnxruntime", "cv2", "av")
_LITTLE_MEMORY = 2 * 2**30
_WANTED_RUNTIME = "onnxruntime-gpu"


@dataclass(frozen=True)
class ProviderState:
    """An execution provider: whether a one-node model really ran on it here.

    ``listed`` is what ONNX Runtime says of itself, which proves nothing. ``remedy`` is empty where
    the provider works.
    """

    name: str
    listed: bool
    works: bool
    missing: str
    remedy: str


@dataclass(frozen=True)
class Problem:
    """Something missing or wrong and the command that mends it (empty where there is none).

    An ``error`` stops everything, a ``warning`` some commands, an ``info`` is good to know.
    """

    severity: Severity
    text: str
    command: str


@dataclass(frozen=True)
class Installation:
    """What was found, before it is judged. ``broken`` maps modules to why they do not import."""

    packages: tuple[Package, ...]
    broken: dict[str, str]
    providers: tuple[ProviderState, ...]
    built_for: str | None
    driver: str | None
    cpu: Cpu
    memory: Memory
    cache: CacheFolder

    @property
    def cpu_provider_works(self) -> bool:
        """What the exit code of ``doctor`` hangs on."""
        return any(state.name == "cpu" and state.works for state in self.providers)

    def installed(self, *names: str) -> list[Package]:
        """Those of the named packages that are installed."""
        return [found for found in self.packages if found.name in names and found.version]


@dataclass(frozen=True)
class DoctorReport:
    """All that ``doctor`` has to say; ``outlook`` of the file that it was given, if any."""

    version: str
    python: str
    system: str
    found: Installation
    problems: tuple[Problem, ...]
    outlook: ModelOutlook | None = None


def examine(model: str | Path | None = None) -> DoctorReport:
    """Look at everything; nothing is installed or written.

    Args:
        model: a file to run once on every provider that works here, to tell where its nodes ran;
            for the others it is forecast. Left out where ONNX Runtime cannot be imported.

    Raises:
        ModelFileError: there is no file ``model``.
    """
    broken = {
        module: reason
        for module in _NATIVE_MODULES
        if (reason := import_failure(module)) is not None
    }
    working = "onnxruntime" not in broken
    found = Installation(
        packages=find_packages(),
        broken=broken,
        providers=_probe_providers() if working else (),
        built_for=built_for() if working else None,
        driver=nvidia_driver(),
        cpu=read_cpu(),
        memory=read_memory(),
        cache=cache_folder(),
    )
    outlook = None
    if model is not None and working:
        from locoexport.pipeline.diagnosis.outlook import foresee

        here = [state.name for state in found.providers if state.works]
        absent = [state.name for state in found.providers if not state.works]
        outlook = foresee(Path(model), here, absent)
    return DoctorReport(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        found=found,
        problems=tuple(find_problems(found)),
        outlook=outlook,
    )


def find_problems(found: Installation) -> Iterator[Problem]:
    """What is wrong with an installation, the worst first."""
    problems = [
        *_runtime_problems(found),
        *_opencv_problems(found),
        *_package_problems(found),
        *_provider_problems(found),
        *_machine_problems(found),
    ]
    order: tuple[Severity, ...] = ("error", "warning", "info")
    yield from sorted(problems, key=lambda problem: order.index(problem.severity))


def _probe_providers() -> tuple[ProviderState, ...]:
    import onnxruntime

    from locoexport.runtime.session.providers import PROVIDERS, probe_provider, require_provider

    listed = onnxruntime.get_available_providers()
    states = []
    for name, full in PROVIDERS.items():
        probe, remedy = probe_provider(name), ""
        try:
            require_provider(name)
        except ProviderUnavailableError as error:
            remedy = str(error).rpartition(f"To get {name}: ")[2].rstrip(".")
        states.append(ProviderState(name, full in listed, probe.works, probe.missing, remedy))
    return tuple(states)


def built_for() -> str | None:
    """The CUDA and cuDNN that the installed ONNX Runtime was built for; None without either."""
    try:
        from onnxruntime.capi import build_and_package_info as info
    except ImportError:
        return None
    cuda, cudnn = getattr(info, "cuda_version", ""), getattr(info, "cudnn_version", "")
    said = [f"{name} {version}" for name, version in (("CUDA", cuda), ("cuDNN", cudnn)) if version]
    return " and ".join(said) or None


def _runtime_problems(found: Installation) -> Iterator[Problem]:
    installed = [package.name for package in found.installed(*RUNTIME_PACKAGES)]
    if len(installed) > 1:
        kept = _WANTED_RUNTIME if _WANTED_RUNTIME in installed else installed[0]
        yield Problem(
            "error" if "onnxruntime" in found.broken else "warning",
            f"{' and '.join(installed)} are installed at once: they overwrite each other's files, "
            "and which providers work is left to chance.",
            f"pip uninstall -y {' '.join(installed)} && pip install {kept}",
        )
    if "onnxruntime" in found.broken:
        yield Problem(
            "error",
            f"ONNX Runtime cannot be imported: {found.broken['onnxruntime']}",
            "pip install --force-reinstall " + (installed[0] if installed else "locoexport"),
        )
    elif not found.cpu_provider_works:
        yield Problem(
            "error",
            "ONNX Runtime's CPU provider does not work.",
            "pip install --force-reinstall " + (installed[0] if installed else "onnxruntime"),
        )


def _opencv_problems(found: Installation) -> Iterator[Problem]:
    installed = [package.name for package in found.installed(*OPENCV_PACKAGES)]
    if len(installed) > 1:
        yield Problem(
            "warning",
            f"{' and '.join(installed)} are installed at once: they overwrite each other's files.",
            f"pip uninstall -y {' '.join(installed)} && pip install 'opencv-python<5'",
        )
    reason = found.broken.get("cv2")
    if reason is None:
        return
    if "libGL" in reason or "libgthread" in reason or "libglib" in reason:
        yield Problem(
            "error",
            f"OpenCV cannot be imported: {reason}. This machine has no OpenGL library, which "
            "opencv-python wants even where it shows nothing.",
            "apt-get install -y libgl1 libglib2.0-0"
            "   (or: pip uninstall -y opencv-python && pip install 'opencv-python-headless<5')",
        )
    else:
        yield Problem(
            "error",
            f"OpenCV cannot be imported: {reason}",
            "pip install --force-reinstall 'opencv-python<5'",
        )


def _package_problems(found: Installation) -> Iterator[Problem]:
    if "av" in found.broken:
        yield Problem(
            "error",
            f"PyAV cannot be imported, so no clip can be read: {found.broken['av']}",
            "pip install --force-reinstall av",
        )
    for extra, needed_by in (
        ("export", "export, verify and inspect need it"),
        ("plot", "bench --plot needs it"),
        ("eval", "eval needs it where videos are not 256x256"),
        ("download", "--checkpoint hf://... or https://... needs it"),
        ("many", "track-many needs it"),
        ("demo", "demo needs it"),
    ):
        absent = [p.name for p in found.packages if p.extra == extra and p.version is None]
        if absent:
            yield Problem(
                "warning" if extra == "export" else "info",
                f"Not installed: {', '.join(absent)}; {needed_by}.",
                f"pip install 'locoexport[{extra}]'",
            )


def _provider_problems(found: Installation) -> Iterator[Problem]:
    for state in found.providers:
        if not state.listed or state.works or state.name == "cpu":
            continue
        reason = f"ONNX Runtime lists {state.name}, but it does not load: {state.missing}."
        if state.name in ("cuda", "tensorrt") and found.driver is None:
            reason += " This machine has no NVIDIA driver."
        if found.built_for is not None:
            reason += f" This build wants {found.built_for}."
        severity: Severity = "info" if found.driver is None else "warning"
        yield Problem(severity, reason, state.remedy)


def _machine_problems(found: Installation) -> Iterator[Problem]:
    cpu, memory, cache = found.cpu, found.memory, found.cache
    if cpu.architecture in ("x86_64", "AMD64") and cpu.has("AVX2") is False:
        yield Problem(
            "warning", "The processor has no AVX2: everything runs several times slower.", ""
        )
    if memory.available < _LITTLE_MEMORY:
        yield Problem(
            "warning",
            f"Only {memory.available / 1e9:.1f} GB of memory are free: exporting and long clips "
            "may fail. Close other programs, or track fewer points at a time.",
            "",
        )
    if not cache.writable:
        yield Problem(
            "warning",
            f"The cache folder {cache.path} cannot be written: bench needs MODEL.onnx then.",
            "export XDG_CACHE_HOME=/a/folder/that/you/may/write",
        )
