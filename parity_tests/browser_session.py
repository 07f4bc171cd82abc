"""The page in a real browser: what is needed, the server, and running a scenario of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from locoexport.demo.server import bind, make_app, make_server
from locoexport.demo.site import Site

__all__ = ["NODE_MODULES", "export_demo", "missing_tools", "run_scenario", "served", "served_demo"]

_FOLDER = Path(__file__).parent / "browser"
NODE_MODULES = _FOLDER / "node_modules"
LIMIT_S = 120
"""What any process of these tests may take; waits within the page are shorter (gestures.mjs)."""
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing_tools() -> str:
    """What the browser tests lack on this machine; empty where they can run."""
    if shutil.which("node") is None:
        return "node is not installed"
    if _chromium() is None:
        return f"none of {', '.join(_CHROMIUM_NAMES)} is installed"
    if not (NODE_MODULES / "playwright-core").is_dir():
        return f"{NODE_MODULES} is not filled: make browser-tools"
    return ""


def export_demo(site: Path, model: Path, clip: Path) -> None:
    """``locoexport demo --export``."""
    command = [sys.executable, "-m", "locoexport", "demo", str(model), "--video", str(clip)]
    command += ["--export", str(site), "--runtime", str(NODE_MODULES)]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)


@contextmanager
def served_demo(*arguments: str | Path) -> Iterator[str]:
    """``locoexport demo`` with the tests' own packages, on any port; gives its address."""
    command = [sys.executable, "-m", "locoexport", "demo", *map(str, arguments)]
    command += ["--port", "0", "--runtime", str(NODE_MODULES)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stderr is not None
    # readline has no limit of its own: it ends when the server does.
    alarm = threading.Timer(LIMIT_S, server.kill)
    alarm.start()
    try:
        url = server.stdout.readline().strip()
        alarm.cancel()
        if not url:
            pytest.fail(f"no address within {LIMIT_S} s: {server.communicate(timeout=60)[1]}")
        yield url
    finally:
        alarm.cancel()
        server.terminate()
        _ended(server)


def _ended(server: subprocess.Popen[str]) -> None:
    try:
        server.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate(timeout=60)
        pytest.fail("the server did not end within 60 s of SIGTERM")


@contextmanager
def served(site: Site, *, host: str = "127.0.0.1") -> Iterator[str]:
    """Any site behind the command's own server, in this process; gives its address.

    It listens on 127.0.0.1, and answers as one that listens on ``host``.
    """
    listener = bind("127.0.0.1", 0)
    server = make_server(make_app(site, host))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive(), "the server did not end within 60 s"


def run_scenario(scenario: str, url: str, *, limit_s: int = LIMIT_S, **order: Any) -> Any:
    """Run a scenario of ``browser/scenarios.mjs`` or ``browser/races.mjs``; fails where the page
    had an uncaught error, or asked for anything that does not come from the server."""
    document = {"scenario": scenario, "url": url, "chromium": _chromium(), "limit_s": limit_s}
    command = ["node", str(_FOLDER / "run.mjs"), json.dumps({**document, **order}, default=str)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"{scenario} waited {limit_s} s for node run.mjs, which said: {late.stderr!r}")
    assert done.returncode == 0, done.stderr[:3000]
    answer = json.loads(done.stdout)
    assert answer["pageErrors"] == []
    assert answer["elsewhere"] == []
    assert answer["uploads"] == []
    return answer["result"]


def _chromium() -> str | None:
    given = os.environ.get("LOCOEXPORT_CHROMIUM")
    found = (shutil.which(name) for name in _CHROMIUM_NAMES)
    return given or next((path for path in found if path is not None), None)
