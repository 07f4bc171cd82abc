"""What the GPU benchmark runs on: its setting, the packages it needs, and the machine's names."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "DRY_LABEL",
    "ROOT",
    "Setting",
    "describe_machine",
    "digest_sources",
    "find_obstacles",
    "list_missing",
]

ROOT = Path(__file__).resolve().parents[1]
DRY_LABEL = "CPU, dry run"
"""Stands on every line of a run without a GPU."""

MEASURING = {
    "torch": "torch",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime-gpu",
    "psutil": "psutil",
    "platformdirs": "platformdirs",
    "safetensors": "safetensors",
    "cv2": "opencv-python-headless",
}
"""By what is imported: the package to carry."""
EXPORTING = {
    "onnx": "onnx",
    "onnx_ir": "onnx-ir",
    "onnxsim": "onnxsim",
    "rich": "rich",
    "av": "av",
}
"""What making files needs besides; with ``--models`` they may be missing."""
_SOURCES = ("locoexport", "models", "export_profiles")


@dataclass(frozen=True)
class Setting:
    """What every part is told.

    ``models`` is a folder of files that were made beforehand; ``work`` is where others are made.
    """

    provider: str
    dry: bool
    models: Path | None
    work: Path

    @property
    def device(self) -> str:
        """Torch's and ONNX Runtime's name of where tensors lie."""
        return "cpu" if self.dry else "cuda"


def list_missing(modules: Iterable[str]) -> list[str]:
    """Those that cannot be found here; nothing is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def find_obstacles(*, exports: bool, dry: bool) -> list[str]:
    """Why the benchmark cannot run here, a line each; empty where it can.

    ``exports``: files have to be made here too.
    """
    needed = {**MEASURING, **(EXPORTING if exports else {})}
    if missing := list_missing(needed):
        lines = [f"the package {needed[name]} is missing (module {name})" for name in missing]
        lines.append("carry them as wheels: " + " ".join(needed[name] for name in missing))
        if set(missing) <= set(EXPORTING):
            lines.append("or bring files that --export-to DIR made elsewhere, and add --models DIR")
        return lines
    return [] if dry else _without_gpu()


def _without_gpu() -> list[str]:
    import torch

    from locoexport.runtime.session.providers import probe_provider

    lines = []
    if not torch.cuda.is_available():
        lines.append(f"PyTorch {torch.__version__} finds no CUDA device")
    probe = probe_provider("cuda")
    if not probe.works:
        lines.append(f"ONNX Runtime cannot use CUDA: {probe.missing}")
    return lines


def digest_sources() -> str:
    """Of everything that decides what a file holds and how it runs; figures of two do not mix."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".toml", ".safetensors") and path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def describe_machine(*, dry: bool) -> dict[str, Any]:
    """Names and versions of all that takes part; without a GPU there is no card in it."""
    import platform

    import onnxruntime
    import torch

    from locoexport.machine.hardware import read_cpu
    from locoexport.machine.installation import installed_version
    from locoexport.runtime.session.providers import built_for

    cpu = read_cpu()
    found: dict[str, Any] = {
        "card": None,
        "cpu": f"{cpu.model}, {cpu.usable_cores} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "onnx": installed_version("onnx"),
    }
    if dry:
        return found
    card = torch.cuda.get_device_properties(0)
    return found | {
        "card": card.name,
        "memory_bytes": card.total_memory,
        "capability": f"{card.major}.{card.minor}",
        "driver": _read_driver(),
        "torch_cuda": torch.version.cuda,
        "torch_cudnn": torch.backends.cudnn.version(),
        "onnxruntime_built_for": built_for(),
        "tensorrt": next(
            filter(None, map(installed_version, ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"))),
            None,
        ),
    }


def _read_driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[0].strip() or None
