"""``locoexport demo``: exit codes, and serving until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from locoexport.runtime.video.mp4 import write_mp4

NODE_MODULES = Path(__file__).parents[3] / "parity_tests" / "browser" / "node_modules"
needs_packages = pytest.mark.skipif(
    not (NODE_MODULES / "onnxruntime-web").is_dir(), reason="make browser-tools was not run"
)
_ABSENT = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "starlette" else find(name)
from locoexport.cli import main
sys.argv = ["locoexport", "demo"]
main()
"""


def demo(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locoexport", "demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_without_the_extra_the_pip_command_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", _ABSENT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install 'locoexport[demo]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no.onnx"], "There is no model file no.onnx"),
        (["--port", "70000"], "--port is 70000"),
        (["--export", "no/such/folder"], "The folder no/such does not exist"),
        (["--video", "no.mp4"], "There is no video file no.mp4"),
        (["--export", "."], "exists already"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_use_is_exit_2(arguments: list[str], said: str) -> None:
    done = demo(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_a_broken_model_and_a_runtime_folder_without_packages_are_exit_2(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(make_model("m.onnx").read_bytes()[:500])
    assert demo(broken).returncode == 2
    done = demo(tmp_path / "m.onnx", "--runtime", tmp_path)
    assert done.returncode == 2
    assert "npm install onnxruntime-web@" in " ".join(done.stderr.split())


@needs_packages
def test_it_serves_on_loopback_until_it_is_interrupted(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, np.zeros((3, 32, 32, 3), np.uint8), 10)
    command = [sys.executable, "-m", "locoexport", "demo", str(make_model("m.onnx"))]
    command += ["--video", str(clip), "--port", "0", "--runtime", str(NODE_MODULES)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}site.json") as answer:
            assert json.load(answer)["clip"]["name"] == "clip.mp4"
        os.kill(server.pid, signal.SIGINT)
        out, error = server.communicate(timeout=60)
    assert (server.returncode, out) == (0, "")
    assert "Traceback" not in error


@needs_packages
def test_the_page_is_written_for_any_host(make_model: Callable[..., Path], tmp_path: Path) -> None:
    done = demo(make_model("m.onnx"), "--export", tmp_path / "site", "--runtime", NODE_MODULES)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "clip" / "big-buck-bunny.mp4").is_file()
    assert (tmp_path / "site" / "packages" / "onnxruntime-web" / "ort.wasm.min.mjs").is_file()
    assert done.stdout.startswith("page ")
