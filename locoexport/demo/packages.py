"""The npm packages that the page is made of besides our own files, pinned by hash.

They are not in the wheel (14 MB of WebAssembly for one command). They come from the npm registry
into the cache folder, whole tarballs whose sha512 is checked, or from a folder like node_modules.
Either way every file that is served has to have the pinned sha256.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from locoexport.errors import InputError, LocoExportError, MachineError, UsageError
from locoexport.machine.installation import cache_path
from locoexport.machine.web_address import parse_web_address, redact_address
from locoexport.machine.writing.output_files import sha256_of, whole_file

__all__ = ["WEB_PACKAGES", "WebPackage", "fetch_packages", "packages_in"]

_REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class WebPackage:
    """A package of the npm registry.

    Attributes:
        name: in the registry, and of its folder on the page.
        version: the pinned one.
        integrity: of the tarball, as package-lock.json writes it (``sha512-`` and base64).
        licence: SPDX identifier.
        files: name on the page → path in the package and sha256.
    """

    name: str
    version: str
    integrity: str
    licence: str
    files: dict[str, tuple[str, str]]


WEB_PACKAGES = (
    WebPackage(
        name="onnxruntime-web",
        version="1.30.0",
        integrity="sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
        licence="MIT",
        files={
            "ort.wasm.min.mjs": (
                "dist/ort.wasm.min.mjs",
                "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
            ),
            "ort-wasm-simd-threaded.mjs": (
                "dist/ort-wasm-simd-threaded.mjs",
                "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
            ),
            "ort-wasm-simd-threaded.wasm": (
                "dist/ort-wasm-simd-threaded.wasm",
                "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
            ),
        },
    ),
    WebPackage(
        name="mediabunny",
        version="1.61.0",
        integrity="sha512-WciPOYwKZwgYkoBKcEK6JzzIf+w5whypPzFdOihOylZ/5Qv19FmNfRnTcaprH+jD136YpEASU30Eb6VNCJiz3A==",
        licence="MPL-2.0",
        files={
            "mediabunny.min.mjs": (
                "dist/bundles/mediabunny.min.mjs",
                "fa696c53494b6b09a8b310ec51e3c44a59e79513234fb832255a38c686162009",
            ),
            "LICENSE": (
                "LICENSE",
                "3f3d9e0024b1921b067d6f7f88deb4a60cbe7a78e76c64e3f1d7fc3b779b9d04",
            ),
        },
    ),
)


def packages_in(folder: Path) -> dict[str, Path]:
    """The page's package files by their place on the page, from a folder of packages.

    Args:
        folder: holds a folder a package, as node_modules does.

    Raises:
        UsageError: a file is missing, or is not that of the pinned version.
    """
    found = {}
    for package in WEB_PACKAGES:
        for name, (source, sha256) in package.files.items():
            path = folder / package.name / source
            wanted = f"{package.name}@{package.version}"
            if not path.is_file():
                raise UsageError(
                    f"{folder} holds no {package.name}/{source}; it must be a folder like "
                    f"node_modules with {wanted} in it: npm install {wanted}."
                )
            if sha256_of(path) != sha256:
                raise UsageError(
                    f"{path} is not the file of {wanted}; install that version: "
                    f"npm install {wanted}."
                )
            found[f"packages/{package.name}/{name}"] = path
    return found


def fetch_packages(announce: Callable[[str], None]) -> dict[str, Path]:
    """The page's package files, from the cache folder or else from the npm registry.

    ``announce`` is told of each download. The environment variable ``NPM_CONFIG_REGISTRY`` names
    another registry, as it does for npm.

    Raises:
        MachineError: a package cannot be downloaded, or is not what was pinned.
    """
    folder = cache_path() / "web"
    for package in WEB_PACKAGES:
        if not _unpacked(folder, package):
            announce(f"fetching {package.name} {package.version} into {folder}, once")
            _fetch(folder, package)
    return {
        f"packages/{package.name}/{name}": _place(folder, package) / source
        for package in WEB_PACKAGES
        for name, (source, _) in package.files.items()
    }


def _place(folder: Path, package: WebPackage) -> Path:
    return folder / f"{package.name}-{package.version}"


def _unpacked(folder: Path, package: WebPackage) -> bool:
    paths = {_place(folder, package) / source: sha for source, sha in package.files.values()}
    return all(path.is_file() and sha256_of(path) == sha for path, sha in paths.items())


def _fetch(folder: Path, package: WebPackage) -> None:
    from locoexport.machine.download import download

    registry = (os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY).rstrip("/")
    archive = f"{package.name}-{package.version}.tgz"
    try:
        address = parse_web_address(f"{registry}/{package.name}/-/{archive}")
        tarball = download(address, folder / archive, lambda path: _check(path, package))
    except LocoExportError as error:
        raise MachineError(
            f"{package.name}@{package.version} cannot be had from {redact_address(registry)}: "
            f"{error} Without a network, install "
            f"{' '.join(f'{each.name}@{each.version}' for each in WEB_PACKAGES)} elsewhere with "
            "npm and pass --runtime node_modules."
        ) from error
    _unpack(tarball, _place(folder, package), package)
    tarball.unlink()


def _check(tarball: Path, package: WebPackage) -> None:
    digest = base64.b64decode(package.integrity.removeprefix("sha512-")).hex()
    with open(tarball, "rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != digest:
        raise InputError(f"The registry's {tarball.name} has sha512 {found}, not {digest}.")


def _unpack(tarball: Path, place: Path, package: WebPackage) -> None:
    with tarfile.open(tarball) as archive:
        for source, sha256 in package.files.values():
            member = archive.extractfile(f"package/{source}")
            data = b"" if member is None else member.read()
            if hashlib.sha256(data).hexdigest() != sha256:
                raise MachineError(
                    f"{source} in {tarball} is not what was pinned for {package.name}."
                )
            path = place / source
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                temporary.write_bytes(data)
