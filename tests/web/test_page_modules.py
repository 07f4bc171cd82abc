"""Modules of the page that need no browser: the progress bar, colours, deleting a point."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "locoexport" / "web"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def _check(web: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(HERE / "check_page.mjs"), str(web)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def _modules(folder: Path) -> Path:
    """A copy that node takes for modules."""
    for room in ("engine", "page"):
        shutil.copytree(WEB / room, folder / room)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def test_they_keep_what_they_promise(tmp_path: Path) -> None:
    done = _check(_modules(tmp_path))
    assert (done.returncode, done.stdout) == (0, "held\n"), done.stderr


@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        ("page/pace.js", "Math.max(this.#shown, Math.min", "Math.min(1, Math.min"),
        ("page/pace.js", "spent > OVERDUE ? null", "spent > 9 ? null"),
        ("page/pace.js", "this.#size.frames - this.#size.overlap", "this.#size.frames"),
        ("page/colours.js", "alone(this.#alone++)", "alone(this.#alone)"),
        ("engine/queries.js", "each !== point", "each.x > point.x"),
        ("engine/tracks.js", "kept(tracks.xy, 2 * frames)", "kept(tracks.xy, frames)"),
    ],
)
def test_a_mistake_in_them_is_found(module: str, right: str, wrong: str, tmp_path: Path) -> None:
    path = _modules(tmp_path) / module
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    assert _check(tmp_path).returncode == 1
