"""What is installed here: packages by name, the cache folder, an NVIDIA driver.

Versions come from package metadata, so nothing is imported to learn them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from platformdirs import user_cache_path

from locoexport.errors import PackageMissingError

__all__ = [
    "OPENCV_PACKAGES",
    "RUNTIME_PACKAGES",
    "CacheFolder",
    "Package",
    "cache_folder",
    "cache_path",
    "find_packages",
    "import_failure",
    "installed_version",
    "nvidia_driver",
    "package_sources",
    "require_extra",
    "require_packages",
]

RUNTIME_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-webgpu",
    "onnxruntime-qnn",
    "onnxruntime-training",
)
"""Distributions that all install the module ``onnxruntime``: two of them overwrite each other."""
OPENCV_PACKAGES = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""Distributions that all install the module ``cv2``."""

# (distribution, the extra of locoexport that brings it; "" is the base install). Those of "export"
# are imported under the distribution's own name.
_PACKAGES = (
    ("numpy", ""),
    ("av", ""),
    ("psutil", ""),
    ("platformdirs", ""),
    ("typer", ""),
    ("rich", ""),
    ("torch", "export"),
    ("onnx", "export"),
    ("onnxscript", "export"),
    ("onnxsim", "export"),
    ("safetensors", "export"),
    ("onnx", "inspect"),
    ("matplotlib", "plot"),
    ("pillow", "eval"),
    ("huggingface_hub", "download"),
    ("requests", "download"),
    ("filelock", "download"),
    ("pyarrow", "many"),
    ("filelock", "many"),
    ("ray", "ray"),
    ("openvino", "openvino"),
    ("pandas", "exchange"),
    ("tables", "exchange"),
    ("h5py", "exchange"),
    ("sleap-io", "exchange"),
    ("torch", "train"),
    ("safetensors", "train"),
    ("lightning", "train"),
    ("matplotlib", "train"),
    ("google_crc32c", "train"),
    ("starlette", "demo"),
    ("uvicorn", "demo"),
    ("requests", "demo"),
    ("filelock", "demo"),
)


@dataclass(frozen=True)
class Package:
    """A distribution; ``version`` is None where it is not installed."""

    name: str
    version: str | None
    extra: str


@dataclass(frozen=True)
class CacheFolder:
    """Where exports for ``bench`` are kept; ``size_bytes`` is what lies there now."""

    path: Path
    writable: bool
    size_bytes: int
    free_bytes: int | None


def installed_version(name: str) -> str | None:
    """A distribution's version, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def find_packages() -> tuple[Package, ...]:
    """Every package that matters here; of rivals for one module only those that are installed."""
    rivals = [
        Package(name, found, "")
        for name in (*RUNTIME_PACKAGES, *OPENCV_PACKAGES)
        if (found := installed_version(name)) is not None
    ]
    return (*(Package(name, installed_version(name), extra) for name, extra in _PACKAGES), *rivals)


def import_failure(module: str) -> str | None:
    """Why a module cannot be imported, in one line; None where it can."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def require_extra(extra: str) -> None:
    """Check that everything an extra brings can be found; nothing is imported.

    Raises:
        PackageMissingError: something of it is not installed.
    """
    require_packages(*(name for name, brought_by in _PACKAGES if brought_by == extra), extra=extra)


def require_packages(*modules: str, extra: str) -> None:
    """Check that modules can be found; nothing is imported.

    Raises:
        PackageMissingError: one of them is not installed; ``extra`` brings it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise PackageMissingError(
            f"This command needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'}"
            f" not installed: pip install 'locoexport[{extra}]'."
        )


def cache_path() -> Path:
    """Where the cache folder is, whether or not it exists yet."""
    return user_cache_path("locoexport", appauthor=False)


def cache_folder() -> CacheFolder:
    """The cache folder, whether or not it exists yet."""
    path = cache_path()
    nearest = next((folder for folder in (path, *path.parents) if folder.exists()), path)
    files = [file for file in path.glob("**/*") if file.is_file()] if path.is_dir() else []
    try:
        free = shutil.disk_usage(nearest).free
    except OSError:
        free = None
    return CacheFolder(
        path=path,
        writable=nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        size_bytes=sum(file.stat().st_size for file in files),
        free_bytes=free,
    )


def nvidia_driver() -> str | None:
    """The NVIDIA driver's version line, ``nvidia-smi``'s path, or None where there is neither."""
    try:
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return shutil.which("nvidia-smi")


def package_sources() -> list[Path]:
    """This package's Python files, the networks' too, each once; nothing is imported to find them.

    What they compute hangs on them: between releases the code changes under one version.
    """
    # In a checkout the networks are a folder beside the package, in a wheel one inside it.
    folders = [
        Path(folder)
        for package in ("locoexport", "locoexport.models")
        if (spec := importlib.util.find_spec(package)) is not None
        for folder in spec.submodule_search_locations or ()
    ]
    return sorted({file.resolve() for folder in folders for file in folder.rglob("*.py")})
