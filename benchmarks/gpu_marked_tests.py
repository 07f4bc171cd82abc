"""The tests that carry a mark, run by pytest in a process of its own and counted."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpu_setting import ROOT

__all__ = ["count_outcomes", "find_marked", "run_marked"]

_TESTS = ("parity_tests", "tests")


def find_marked(mark: str) -> list[str]:
    """Test files in which the mark stands."""
    return sorted(
        str(path.relative_to(ROOT))
        for folder in _TESTS
        for path in (ROOT / folder).rglob("test_*.py")
        if f"@pytest.mark.{mark}\n" in path.read_text(encoding="utf-8")
    )


def run_marked(mark: str) -> dict[str, Any]:
    """Passed, failed and skipped tests with that mark; ``reason`` is the first skip's.

    Raises:
        RuntimeError: pytest could not run them at all; its last lines are in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", mark]
        done = subprocess.run(
            [*command, f"--junitxml={report}", *find_marked(mark)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _path()},
            capture_output=True,
            text=True,
        )
        if not report.is_file() or done.returncode not in (0, 1):
            lines = f"{done.stdout}\n{done.stderr}".split("\n")
            said = " ".join(" ".join(lines[-15:]).split())
            raise RuntimeError(f"pytest ended with {done.returncode}: {said}")
        return count_outcomes(report.read_text(encoding="utf-8"))


def _path() -> str:
    """The checkout first: on a machine where nothing is installed it is the package."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def count_outcomes(junit: str) -> dict[str, Any]:
    """Out of pytest's own report (JUnit's XML)."""
    cases = ElementTree.fromstring(junit).findall(".//testcase")
    failed = [case for case in cases if _has(case, "failure") or _has(case, "error")]
    skipped = [element for case in cases for element in case.findall("skipped")]
    return {
        "passed": len(cases) - len(failed) - len(skipped),
        "failed": len(failed),
        "skipped": len(skipped),
        "reason": skipped[0].get("message", "") if skipped else "",
        "failing": [f"{case.get('classname')}::{case.get('name')}" for case in failed],
    }


def _has(case: ElementTree.Element, child: str) -> bool:
    return case.find(child) is not None
