"""ONNX Runtime's profile → seconds by part."""

import pytest

from locoexport.benchmarking.profiling import profile_parts, sum_by_part
from locoexport.inspection.parts import UNATTRIBUTED, Part
from locoexport.parity.probes import make_probe

A, B = Part("a"), Part("b", 1)


def run(start: int, duration: int) -> dict:
    return {"name": "model_run", "cat": "Session", "ts": start, "dur": duration, "args": {}}


def kernel(name: str, start: int, duration: int, op: str = "Conv") -> dict:
    event = {"name": f"{name}_kernel_time", "cat": "Node", "ts": start, "dur": duration}
    return event | {"args": {"op_name": op}}


def test_events_are_summed_by_run_and_part() -> None:
    events = [
        {"name": "session_initialization", "cat": "Session", "ts": 0, "dur": 90, "args": {}},
        kernel("x", 50, 5),  # before any run: folding of constants
        run(200, 100),
        run(100, 50),
        kernel("x", 101, 10),
        kernel("y", 112, 20),
        kernel("x", 210, 30),
        kernel("x", 250, 30),
        kernel("stranger", 285, 5),
        kernel("loop", 205, 90, op="Loop"),
    ]
    first, second = sum_by_part(events, {"x": A, "y": B, "loop": A})
    assert first.by_part == pytest.approx({A: 10e-6, B: 20e-6})
    assert first.outside == pytest.approx(20e-6)
    assert second.by_part == pytest.approx({A: 60e-6, UNATTRIBUTED: 5e-6})
    assert second.total == pytest.approx(100e-6)


def test_a_real_profile_has_an_entry_for_every_size(make_model) -> None:
    probes = [
        make_probe("noise", batch=1, frames=frames, points=2, size_hw=(24, 32), seed=0)
        for frames in (2, 40)
    ]
    small, large = profile_parts(make_model(), probes)
    assert (small.runs, large.runs) == (3, 3)
    assert small.total > 0
    assert sum(large.by_part.values()) > 0
