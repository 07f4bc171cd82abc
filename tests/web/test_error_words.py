"""Running out of memory is said in words, whichever way the browser says it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ERRORS = Path(__file__).parents[2] / "locoexport" / "web" / "engine" / "errors.js"
_SCRIPT = """
const { DemoError, inWords } = await import(process.argv[1]);
console.log(JSON.stringify([
  new RangeError("Array buffer allocation failed"),
  new Error("failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc"),
  new Error("Aborted(OOM). Build with -sASSERTIONS for more info."),
  5274168,
  new DemoError("Words."),
  new TypeError("x is undefined"),
].map(inWords)));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_words(tmp_path: Path) -> None:
    module = tmp_path / "errors.mjs"
    shutil.copy(ERRORS, module)
    command = ["node", "--input-type=module", "-e", _SCRIPT, module.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *memory, words, unknown = json.loads(done.stdout)
    assert len(memory) == 4
    assert all(text.startswith("The browser ran out of memory. Track fewer") for text in memory)
    assert words == "Words."
    assert unknown.startswith("Something failed that should not: x is undefined.")
