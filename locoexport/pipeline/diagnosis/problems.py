"""What is wrong with an installation, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterator

from locoexport.machine.installation import (
    OPENCV_PACKAGES,
    RUNTIME_PACKAGES,
)
from locoexport.pipeline.diagnosis.report import (
    Installation,
    Problem,
    Severity,
)

__all__ = ["NATIVE_MODULES", "find_problems"]

NATIVE_MODULES = ("onnxruntime", "cv2", "av")
_LITTLE_MEMORY = 2 * 2**30
_WANTED_RUNTIME = "onnxruntime-gpu"
_CPU_ALONE = "   (or, for the CPU alone: pip install onnxruntime)"


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


def _runtime_problems(found: Installation) -> Iterator[Problem]:
    installed = [package.name for package in found.installed(*RUNTIME_PACKAGES)]
    if len(installed) > 1:
        kept = _WANTED_RUNTIME if _WANTED_RUNTIME in installed else installed[0]
        yield Problem(
            "error" if "onnxruntime" in found.broken else "warning",
            f"{' and '.join(installed)} are installed at once: they overwrite each other's files, "
            "and which providers work is left to chance.",
            f"pip uninstall -y {' '.join(installed)} && pip install {kept}"
            + (_CPU_ALONE if _WANTED_RUNTIME in installed else ""),
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
            "opencv-python needs even if it shows no window.",
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
        ("export", "export and verify need it"),
        ("inspect", "inspect needs it"),
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
            reason += f" This build needs {found.built_for}."
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
            f"The cache folder {cache.path} cannot be written: of the profiles only the built-in "
            "b0-tiny can be run by name. Pass MODEL.onnx for the others.",
            "export XDG_CACHE_HOME=/a/folder/that/you/may/write",
        )
