"""benchmarks/gpu_plan.py: which parts there are, and which files they read."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gpu_files import FileSpec
from gpu_plan import Part, list_files, list_parts
from gpu_setting import Setting

from locoexport.models.locotrack import VARIANTS


def test_parity_is_of_every_variant_sampling_and_target() -> None:
    parts = list_parts(Setting("cuda", False, None, Path()))
    names = [part.name for part in parts]
    assert len(set(names)) == len(names)
    expected = {
        f"parity {variant} {sampling} {target}"
        for variant in VARIANTS
        for sampling in ("gather", "planar")
        for target in ("cpu", "cuda", "tensorrt")
    }
    assert {name for name in names if name.startswith("parity")} == expected
    assert len(expected) == 6 * len(VARIANTS)
    kinds = {name.split()[0] for name in names}
    assert kinds == {
        *("parity", "torch", "compile", "compile-autocast", "binding", "capture", "fp16"),
        *("bf16", "throughput", "tests", "tensorrt"),
    }
    dry = list_parts(Setting("cpu", True, None, Path()))
    assert {part.name.split()[0] for part in dry} == kinds


def test_every_file_that_is_read_is_listed_once() -> None:
    spec = FileSpec("b0")
    parts = [Part("fp16", 1, spec, 2, 4), Part("capture", 1, spec, 2, 4), Part("tests", 1)]
    files = list_files(parts)
    assert files == (spec, replace(spec, precision="fp16"), replace(spec, fixed=(2, 4)))
    names = [file.file_name for file in files]
    assert names == [
        "b0-gather-cuda-fp32.onnx",
        "b0-gather-cuda-fp16.onnx",
        "b0-gather-cuda-fp32-2x4.onnx",
    ]
