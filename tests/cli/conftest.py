from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from locoexport.cli import main
from locoexport.runtime.video.mp4 import write_mp4

if TYPE_CHECKING:
    from locoexport.contract.profile import ExportProfile
    from locoexport.pipeline.assembly.graph import FinishedGraph

FRAMES, POINTS = 3, 4


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys, monkeypatch) -> Callable[..., Finished]:
    """Run ``locoexport`` in this process; a traceback is never an answer."""

    def run_command(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["locoexport", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        streams = capsys.readouterr()
        assert "Traceback" not in streams.out + streams.err
        return Finished(int(ended.value.code or 0), streams.out, streams.err)

    return run_command


@pytest.fixture(scope="session")
def tiny_profile() -> ExportProfile:
    """b0-tiny at 64x64, for 3 frames and 4 points: quick to verify."""
    from locoexport.contract.profile import AxisSizes, load_profile

    return load_profile("b0-tiny").with_options(
        resolution_hw=(64, 64), axes=AxisSizes(1, FRAMES, POINTS)
    )


@pytest.fixture(scope="session")
def tiny_graph(tiny_profile: ExportProfile) -> FinishedGraph:
    """Its graph with the shipped weights, traced and simplified once for all tests."""
    from exported import graph_once

    return graph_once(tiny_profile)


@pytest.fixture(scope="session")
def exported(tiny_profile: ExportProfile, tiny_graph: FinishedGraph, tmp_path_factory) -> Path:
    """The file of it."""
    from locoexport.pipeline import export

    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "build_graph", lambda *arguments, **keywords: tiny_graph)
        export.export_model(tiny_profile, path, verify=False)
    return path


@pytest.fixture(scope="session")
def exported_half(tiny_profile: ExportProfile, tiny_graph: FinishedGraph, tmp_path_factory) -> Path:
    """The same in fp16, with its sidecar beside it."""
    from tiny_costs import measure_quickly

    from locoexport.pipeline import export

    path = tmp_path_factory.mktemp("half") / "half.onnx"
    with pytest.MonkeyPatch.context() as patch:
        measure_quickly(patch)
        patch.setattr(export, "build_graph", lambda *arguments, **keywords: tiny_graph)
        export.export_model(
            tiny_profile.with_options(precision="fp16"), path, verify=False, sidecar=True
        )
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """3 frames of 48x80: a coarse texture that moves 2 px to the right a frame."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    texture = np.random.default_rng(0).integers(0, 256, (12, 24, 3), dtype=np.uint8)
    wide = texture.repeat(4, 0).repeat(4, 1)
    write_mp4(path, [wide[:, 8 - 2 * t : 88 - 2 * t] for t in range(FRAMES)], 10)
    return path
