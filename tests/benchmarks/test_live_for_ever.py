"""benchmarks/live_for_ever.py: hundreds of frames in place of a hundred thousand."""

import importlib.util
import sys
from pathlib import Path

import pytest
from exported import live_once

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "live_for_ever.py"


@pytest.mark.slow
def test_a_tracker_takes_no_more_memory_after_hundreds_of_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = importlib.util.spec_from_file_location("live_for_ever", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "live_for_ever", script)  # dataclasses look there
    spec.loader.exec_module(script)
    found = script.endure(live_once(), 400, told=0)
    assert found.pushes == 400
    assert abs(found.growth) < 0.01
    assert found.last_bytes > 10**7
