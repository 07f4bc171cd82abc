"""The page's npm packages: from a folder, the cache or a registry; never the wrong bytes."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from locoexport.demo import packages
from locoexport.demo.packages import WEB_PACKAGES, WebPackage, fetch_packages, packages_in
from locoexport.errors import MachineError, UsageError

LOCK = Path(__file__).parents[2] / "parity_tests" / "browser" / "package-lock.json"
CODE = b"export const answer = 42;\n"


def _ignore(_: str) -> None:
    """Nobody is told."""


def _tarball(data: bytes) -> bytes:
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/dist/code.mjs")
        info.size = len(data)
        archive.addfile(info, BytesIO(data))
    return stream.getvalue()


TARBALL = _tarball(CODE)


def _package(tarball: bytes = TARBALL, code: bytes = CODE) -> WebPackage:
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    files = {"code.mjs": ("dist/code.mjs", hashlib.sha256(code).hexdigest())}
    return WebPackage("tiny", "1.2.3", f"sha512-{digest}", "MIT", files)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A registry on this machine that serves one package; gives the paths asked for."""
    place = tmp_path / "registry" / "tiny" / "-" / "tiny-1.2.3.tgz"
    place.parent.mkdir(parents=True)
    place.write_bytes(TARBALL)
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(tmp_path / "registry"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield asked
        server.shutdown()
        thread.join()


def test_the_pins_are_those_of_the_lock_file() -> None:
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    for package in WEB_PACKAGES:
        entry = locked[f"node_modules/{package.name}"]
        assert (entry["version"], entry["integrity"]) == (package.version, package.integrity)
        assert entry["license"] == package.licence


def test_a_package_is_fetched_once_and_served_from_the_cache(
    registry: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "WEB_PACKAGES", (_package(),))
    found = fetch_packages(_ignore)
    assert list(found) == ["packages/tiny/code.mjs"]
    assert found["packages/tiny/code.mjs"].read_bytes() == CODE
    assert fetch_packages(_ignore) == found
    assert registry == ["/tiny/-/tiny-1.2.3.tgz"]
    assert not list((tmp_path / "cache").rglob("*.tgz"))


def test_damage_in_the_cache_is_mended(
    registry: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "WEB_PACKAGES", (_package(),))
    fetch_packages(_ignore)["packages/tiny/code.mjs"].write_bytes(b"something else")
    assert fetch_packages(_ignore)["packages/tiny/code.mjs"].read_bytes() == CODE
    assert len(registry) == 2


@pytest.mark.parametrize(
    "wrong", [_package(tarball=_tarball(b"other")), _package(code=b"other")], ids=["tar", "file"]
)
def test_other_bytes_than_the_pinned_ones_are_refused(
    registry: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: WebPackage
) -> None:
    monkeypatch.setattr(packages, "WEB_PACKAGES", (wrong,))
    with pytest.raises(MachineError, match=r"tiny"):
        fetch_packages(_ignore)
    assert not list((tmp_path / "cache").rglob("code.mjs"))


def test_without_a_network_the_message_says_what_to_do(
    registry: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "WEB_PACKAGES", (_package(),))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    with pytest.raises(MachineError, match=r"--runtime node_modules"):
        fetch_packages(_ignore)


def test_a_folder_of_packages_is_checked_file_by_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "WEB_PACKAGES", (_package(),))
    with pytest.raises(UsageError, match=r"npm install tiny@1\.2\.3"):
        packages_in(tmp_path)
    path = tmp_path / "tiny" / "dist" / "code.mjs"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another version")
    with pytest.raises(UsageError, match=r"is not the file of tiny@1\.2\.3"):
        packages_in(tmp_path)
    path.write_bytes(CODE)
    assert packages_in(tmp_path) == {"packages/tiny/code.mjs": path}
