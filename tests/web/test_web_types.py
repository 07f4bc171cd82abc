"""The page's modules pass TypeScript's checker: their types are in JSDoc."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "parity_tests" / "browser"
TSC = TOOLS / "node_modules" / "typescript" / "bin" / "tsc"


@pytest.mark.skipif(
    shutil.which("node") is None or not TSC.is_file(), reason="make browser-tools was not run"
)
def test_types() -> None:
    command = ["node", str(TSC), "-p", str(TOOLS / "tsconfig.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
