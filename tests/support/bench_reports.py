from pathlib import Path

import pytest

from locoexport.benchmarking.report import (
    Agreement,
    BenchReport,
    Cell,
    FreshRun,
    GemmRate,
    PartTimes,
    Side,
    paired_ratios,
)
from locoexport.inspection.parts import Part
from locoexport.machine.hardware import Cpu, Load
from locoexport.runtime.session.placement import Placement


@pytest.fixture
def report() -> BenchReport:
    """As ``make_report``."""
    return make_report()


def make_report() -> BenchReport:
    """A benchmark of two sides at two sizes, with round numbers."""
    ours, theirs = (0.1,) * 10, (0.25,) * 10
    fresh = FreshRun(0.5, 50_000_000, 200_000_000)

    def cell(frames: int, scale: float) -> Cell:
        seconds = [tuple(value * scale for value in side) for side in (ours, theirs)]
        return Cell(
            frames=frames,
            points=64,
            sides=(
                Side("ONNX Runtime", 2, seconds[0], frames * 640 / scale, fresh=fresh),
                Side(
                    "torch eager",
                    2,
                    seconds[1],
                    frames * 256 / scale,
                    fresh=fresh,
                    ratio=paired_ratios(*seconds),
                    agreement=Agreement(1e-6, 1e-3),
                ),
            ),
            others_share=0.01,
            flops=5_000_000_000,
            flops_by_part={Part("backbone"): 3 * 10**9, Part("transformer", 0): 2 * 10**9},
            parts=PartTimes({Part("backbone"): 0.06, Part("transformer", 0): 0.03}, 0.01, 3),
        )

    return BenchReport(
        model=Path("model.onnx"),
        title="b0-tiny, 256x256, opset 17",
        provider="cpu",
        runs=10,
        cells=(cell(8, 1.0), cell(24, 3.0)),
        placement=Placement("cpu", (("cpu", 2655),), ()),
        gemm=GemmRate(99e9, 100e9, "numpy"),
        cpu=Cpu("a processor", "x86_64", 2, 2, 2, ("AVX2",)),
        load=Load(0.01, 0.5, 2),
        versions={"python": "3.11"},
        warnings=(),
    )
