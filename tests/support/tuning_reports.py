"""Trials and a report of a search, with round numbers."""

from pathlib import Path
from typing import Any

from locoexport.contract.profile import IntegerForm
from locoexport.machine.hardware import Cpu
from locoexport.pipeline.tuning.candidates import Candidate, Form
from locoexport.pipeline.tuning.report import Limits, TrackError, Trial, Tuned, TuneReport

__all__ = ["make_error", "make_trial", "make_tuning"]

INT8 = Form(
    "gather", precision="int8", integer_form=IntegerForm(("transformer", "cmdtop", "encoder"), 8)
)


def make_error(p99_px: float = 0.2, **changed: Any) -> TrackError:
    """An error of that 99th percentile."""
    values: dict[str, Any] = {
        "p50_px": p99_px / 4,
        "p99_px": p99_px,
        "max_px": 10 * p99_px,
        "flips": 3,
        "compared": 1000,
        "average_jaccard_change": -0.1,
    }
    return TrackError(**values | changed)


def make_trial(
    candidate: Candidate | None = None,
    *,
    ratio: float = 1.5,
    rounds: int = 10,
    p99_px: float = 0.2,
    **error: Any,
) -> Trial:
    """A trial that is so many times as fast as float32, which takes a second."""
    return Trial(
        candidate or Candidate(Form("gather"), "cpu"),
        12_345_678,
        (1 / ratio,) * rounds,
        (1.0,) * rounds,
        0.0,
        make_error(p99_px, **error),
    )


def make_tuning() -> TuneReport:
    """A report with a row of every kind."""
    fp32 = Form("gather")
    far = make_trial(Candidate(INT8, "cpu"), ratio=1.9, p99_px=3.25)
    rows = (
        Tuned(make_trial(ratio=1.0, p99_px=0.0), "reference"),
        Tuned(make_trial(Candidate(fp32, "openvino"), ratio=1.3), "faster"),
        Tuned(make_trial(Candidate(INT8, "cpu", 12), rounds=30), "wins"),
        Tuned(far, "too far", "p99 3.25 px, beyond 0.5 px"),
        Tuned(Trial(Candidate(fp32, "cuda"), failure="There is no such card."), "failed", "No."),
    )
    return TuneReport(
        output=Path("best.onnx"),
        title="b0-tiny, 256x256, opset 17",
        rows=rows,
        winner=2,
        limits=Limits(0.5, 0.3),
        frames=24,
        points=64,
        sequences="6 synthetic of 24 frames, seed 0",
        cpu=Cpu("a processor", "x86_64", 2, 4, 4, ("AVX2",)),
        machine="a processor, 4 cores",
        work=Path("/cache/tuning/b0-tiny-0123456789abcdef"),
        kept_trials=1,
        seconds=321.0,
    )
