"""What benchmarks/speed.py measured, with round numbers: before it knew of opponents, and since."""

from __future__ import annotations

from typing import Any

EAGER, PLAIN, DEFAULT = "torch eager", "plain graph", "default graph"
AUTOCAST, COMPILE, TUNED = "torch bf16 autocast", "torch compile", "tuned (openvino)"


def make_cell(points: int, **seconds: float) -> dict[str, Any]:
    """Eager takes 4 s, plain 3 s and the default graph 2 s; others as named."""
    taken = {EAGER: 4.0, PLAIN: 3.0, DEFAULT: 2.0, **seconds}
    return {
        "frames": 24,
        "points": points,
        "names": list(taken),
        "seconds": [[each] * 3 for each in taken.values()],
        "medians": list(taken.values()),
        "others_share": 0.01,
        "apart_px": [0.0] * len(taken),
        "eager_over_default": {"median": 2.0, "p10": 2.0, "p90": 2.0},
        "plain_over_default": {"median": 1.5, "p10": 1.5, "p90": 1.5},
        "work_flops": 1e11,
        "own_flops": 1e11,
        "peak_bytes": [5e8] * len(taken),
    }


def make_document(*cells: dict[str, Any], variant: str = "b0-wide", **measured) -> dict[str, Any]:
    """A whole document of one variant; ``measured`` is what it has beside its cells."""
    return {
        "cpu": {"model": "a processor", "physical_cores": 2, "features": ["AVX2"]},
        "busy_before": 0.01,
        "gemm_flops": {"before": 1e11, "after": 1e11, "by": "numpy"},
        "variants": {
            variant: {
                "cells": list(cells) or [make_cell(64)],
                "parts_seconds": {"backbone": 1.0},
                "parts_flops": {"backbone": 10**10},
                **measured,
            }
        },
    }


def make_error(p99_px: float | None, *, finite: bool = True) -> dict[str, Any]:
    """How far one side is from eager."""
    p50_px = None if p99_px is None else p99_px / 10
    return {"p50_px": p50_px, "p99_px": p99_px, "compared": 99, "clips": 3, "finite": finite}
