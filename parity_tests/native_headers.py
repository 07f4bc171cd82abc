"""ONNX Runtime's C++ headers, out of Debian's package of them, as data.

ONNX Runtime's own packages on PyPI and npm bring the library and no headers; Debian 13 has them, in
85 kB. apt downloads the package under a configuration of its own, so that any Debian can, without
being root; nothing is installed, and nothing of the machine's own configuration changes.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["HEADER", "NoHeadersError", "fetch_headers"]

HEADER = "onnxruntime_cxx_api.h"
_SUITE, _PACKAGE, _VERSION = "trixie", "libonnxruntime-dev", "1.21.0+dfsg-1"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TIMEOUT_S = 120


class NoHeadersError(Exception):
    """They cannot be had here; the message says why."""


def fetch_headers(folder: Path) -> Path:
    """The folder that holds the headers, below ``folder``; downloaded unless they lie there.

    apt checks the package against Debian's signature.

    Raises:
        NoHeadersError: this is no Debian, or its mirror does not answer or lacks the package.
    """
    folder = folder.resolve()
    include = folder / _VERSION / "usr" / "include" / "onnxruntime"
    if (include / HEADER).is_file():
        return include
    if not _KEYRING.is_file() or any(map(_lacks, ("apt-get", "dpkg-deb"))):
        raise NoHeadersError("this machine is no Debian")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        options = _private_configuration(scratch, _mirror())
        _run("apt-get", *options, "--quiet", "update", folder=scratch)
        _run("apt-get", *options, "download", f"{_PACKAGE}={_VERSION}", folder=scratch)
        package = next(scratch.glob("*.deb"))
        _run("dpkg-deb", "--extract", str(package), "unpacked", folder=scratch)
        if not (scratch / "unpacked" / "usr" / "include" / "onnxruntime" / HEADER).is_file():
            raise NoHeadersError(f"{package.name} does not hold {HEADER}")
        shutil.rmtree(folder / _VERSION, ignore_errors=True)
        (scratch / "unpacked").rename(folder / _VERSION)
    return include


def _mirror() -> str:
    """Where this machine gets Debian from."""
    targets = _run("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)")
    for line in targets.splitlines():
        address, _, rest = line.partition(" ")
        if rest == "Debian Debian":
            return address
    raise NoHeadersError("apt knows no mirror of Debian")


def _private_configuration(folder: Path, mirror: str) -> list[str]:
    """Options by which apt sees one suite, and keeps its state in ``folder``."""
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "sources" / "debian.sources").write_text(
        f"Types: deb\nURIs: {mirror}\nSuites: {_SUITE}\nComponents: main\nSigned-By: {_KEYRING}\n"
    )
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(folder / "sources"),
        "Dir::State::Lists": str(folder / "lists"),
        "Dir::Cache": str(folder / "cache"),
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        # Root's apt downloads as a user who may not write into a temporary folder.
        "APT::Sandbox::User": "",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _run(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise NoHeadersError(f"{command[0]} did not answer in time") from None
    if done.returncode:
        raise NoHeadersError(f"{command[0]}: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


def _lacks(program: str) -> bool:
    return shutil.which(program) is None
