"""benchmarks/gpu_pages.py: docs/gpu.md says what docs/gpu.json holds, and no dry run gets there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gpu_pages import NOTHING, write_page, write_tables
from gpu_setting import DRY_LABEL

ROOT = Path(__file__).parents[2]
SPREAD = {"median": 2.0, "p10": 1.5, "p90": 2.5}
SIDE = {"error": None, "ms": SPREAD, "ratio": SPREAD, "p99_px": 1e-5, "finite": True}
PROVEN = {
    "state": "measured",
    "sampling": "gather",
    "target": "cuda",
    "px": 1e-3,
    "logits": 1e-4,
    "apart": 2,
    "shapes": [[1, 2, 1]],
    "placement": {"cuda": 90, "cpu": 10},
    "elsewhere": [{"part": "x", "op_type": "Shape", "provider": "cpu", "count": 10}],
}
MACHINE = {
    "card": "NVIDIA H200",
    "memory_bytes": 141 * 2**30,
    "capability": "9.0",
    "driver": "580.1",
    "cpu": "Some CPU, 16 cores",
    "onnxruntime": "1.31.1",
    "onnxruntime_built_for": "CUDA 13.0",
    "torch": "2.11.0+cu130",
    "torch_cuda": "13.0",
    "torch_cudnn": 91000,
    "tensorrt": None,
}


def document(**more: object) -> dict:
    parts = {
        "parity b0 gather cuda": PROVEN,
        "parity b2 gather cuda": PROVEN | {"state": "failed", "error": "beyond its tolerance"},
        "parity b5 gather cuda": {"state": "failed", "error": "died | of SIGSEGV"},
        "torch b0 24x64": {
            "state": "measured",
            "rows": [
                {"name": "this file, bound", **SIDE},
                {"name": "torch eager", "error": "no | memory"},
                {"name": "torch autocast fp16", **SIDE, "finite": False},
            ],
        },
        "throughput b0": {
            "state": "measured",
            "rows": [
                {
                    "name": "this file, bound",
                    "error": None,
                    "frames": 24,
                    "points": 256,
                    "points_per_second": 5000.4,
                    "us_a_frame_and_point": 8.33,
                }
            ],
        },
        "tests": {
            "state": "absent",
            "error": "no test ran: no card",
            "passed": 0,
            "failed": 0,
            "skipped": 10,
        },
        "tensorrt b0-tiny 24x64": {
            **PROVEN,
            "target": "tensorrt",
            "rows": [{"name": "TensorRT", **SIDE}],
        },
        "tensorrt b0 24x64": {"state": "absent", "error": "libnvinfer.so.10 is missing"},
    }
    return {"dry": False, "machine": MACHINE, "planned": 9, "parts": parts, **more}


def test_the_page_says_what_the_figures_say() -> None:
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    figures = ROOT / "docs" / "gpu.json"
    found = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else None
    assert f"-->\n{write_tables(found)}\n<!-- gpu: end -->" in page
    assert (write_tables(found) == NOTHING) == (found is None)


def test_what_failed_and_what_is_not_there_is_no_pass() -> None:
    text = write_tables(document())
    assert "**NVIDIA H200** (141 GiB, compute capability 9.0), driver 580.1" in text
    assert "4 of 9 parts are measured, 2 failed, 2 are not there on this machine." in text
    assert "| b0 | gather | cuda | 1.0e-03 | 1.0e-04 | 2 | 10 of 100 | pass |" in text
    assert "| b2 | gather | cuda | 1.0e-03 | 1.0e-04 | 2 | 10 of 100 | **FAIL**: beyond" in text
    assert text.count("| pass |") == 2
    assert "- parity b5 gather cuda: died | of SIGSEGV" in text
    assert "- tensorrt b0 24x64: libnvinfer.so.10 is missing" in text
    assert "| 0 | 0 | 10 | no test ran: no card |" in text
    assert "| b0 | 24x64 | torch eager | **failed**: no / memory | - | - | - | - |" in text
    assert "**not finite**" in text
    assert "| b0 | this file, bound | 24 x 256 | 5000 | 8.3 |" in text
    assert "| b0-tiny | gather | tensorrt | 1.0e-03 | 1.0e-04 | 2 | 10 of 100 | pass |" in text
    assert "| b0-tiny | 24x64 | TensorRT | 2.00 (1.50-2.50) |" in text
    assert "1 sides or sizes of measured parts failed" in text
    assert "1 were not reached" in text
    for block in text.split("\n\n"):
        columns = {line.count("|") for line in block.split("\n") if line.startswith("|")}
        assert len(columns) <= 1, block


def test_every_line_of_a_dry_run_says_so() -> None:
    dry = document(dry=True, machine=MACHINE | {"card": None})
    text = write_tables(dry)
    for line in filter(None, text.split("\n")):
        assert DRY_LABEL in line or line.startswith("|---"), line
        assert "CUDA" not in line
    assert "No GPU took part" in text


def test_no_dry_run_gets_into_the_page(tmp_path) -> None:
    page = tmp_path / "gpu.md"
    page.write_bytes((ROOT / "docs" / "gpu.md").read_bytes())
    with pytest.raises(SystemExit, match="dry run"):
        write_page(document(dry=True), page)
    assert page.read_bytes() == (ROOT / "docs" / "gpu.md").read_bytes()
    write_page(document(), page)
    assert NOTHING not in page.read_text(encoding="utf-8")
    assert "NVIDIA H200" in page.read_text(encoding="utf-8")
