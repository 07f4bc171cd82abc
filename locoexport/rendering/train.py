"""The report of ``locoexport train``."""

from __future__ import annotations

from typing import Any

from locoexport.pipeline.training.run import TrainReport

__all__ = ["train_document", "train_text"]


def train_document(report: TrainReport) -> dict[str, Any]:
    """As JSON."""
    return {"schema": "locoexport/train/1", "steps": report.steps_done}


def train_text(report: TrainReport) -> str:
    """As text."""
    return f"{report.steps_done} steps in {report.seconds:.0f} s\n"
