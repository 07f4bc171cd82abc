"""One table, two languages: the Python runtime and the page's modules say the same."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from vectors import TABLE, make_vectors

_RUNNER = Path(__file__).with_name("check_vectors.mjs")
_MODULES = Path(__file__).parents[2] / "locoexport" / "web"
# OpenCV's resize differs by one float32 rounding between its code paths (SSE, AVX2, NEON).
_TOLERANCE = 2.5e-7


def test_the_python_runtime_still_says_what_the_table_says() -> None:
    _same(json.loads(TABLE.read_text(encoding="utf-8")), json.loads(json.dumps(make_vectors())), "")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_javascript_says_what_the_table_says(tmp_path: Path) -> None:
    done = _run(_copied(tmp_path))
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert set(counts) == set(json.loads(TABLE.read_text(encoding="utf-8")))
    assert all(count > 0 for count in counts.values())


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        ("engine/preprocessing.js", "(i + 0.5) * (size / outSize) - 0.5", "i * (size / outSize)"),
        ("engine/preprocessing.js", "* 2) - 1", "* 2) - 0.99"),
        ("engine/visibility.js", "<= 0.5", "< 0.5"),
        ("engine/stitching.js", "time > best", "time < best"),
        ("engine/stitching.js", "than.size - of.size", "of.size - than.size"),
        ("engine/stitching.js", "own ? middle : window.commitFrom", "window.commitFrom"),
        ("engine/stitching.js", "Math.floor(this.#size.overlap / 2)", "1"),
        ("engine/windows.js", "previous.end - size.overlap", "previous.end"),
        ("engine/tracks.js", 'padStart(2, "0")', 'padStart(1, "0")'),
    ],
)
def test_a_mistake_in_the_javascript_is_found(
    module: str, right: str, wrong: str, tmp_path: Path
) -> None:
    copy = _copied(tmp_path)
    text = (copy / module).read_text(encoding="utf-8")
    assert right in text
    (copy / module).write_text(text.replace(right, wrong), encoding="utf-8")
    assert _run(copy).returncode == 1


def _copied(folder: Path) -> Path:
    """The modules where node takes .js files for ES modules, which browsers do unasked."""
    copy = folder / "web"
    shutil.copytree(_MODULES, copy)
    (copy / "package.json").write_text('{"type": "module"}')
    return copy


def _run(modules: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(_RUNNER), str(TABLE), str(modules)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def _same(expected: Any, found: Any, place: str) -> None:
    if isinstance(expected, dict):
        assert expected.keys() == found.keys(), place
        for key, value in expected.items():
            _same(value, found[key], f"{place}/{key}")
    elif isinstance(expected, list):
        assert len(expected) == len(found), place
        for index, value in enumerate(expected):
            _same(value, found[index], f"{place}/{index}")
    elif isinstance(expected, float) and "/video" in place:
        assert found == pytest.approx(expected, abs=_TOLERANCE), place
    else:
        assert found == expected, place
