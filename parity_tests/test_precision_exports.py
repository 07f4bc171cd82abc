"""fp16 and int8 as ``export`` writes them: b0-tiny at 64×64 with dynamic axes, traced once.

Each file is written, judged by its own limit, proven by its sidecar, and studied inside. The
sequences that the cost is measured on are small here; a limit for 64×64 is the tests' own, since at
a fourth of the resolution a pixel of 256×256 is a fourth of a pixel.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from exported import graph_once
from onnx import TensorProto
from tiny_costs import measure_quickly

from locoexport.contract.profile import (
    ExportProfile,
    IntegerForm,
    PrecisionLimits,
    load_profile,
)
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.network.loading import Network, load_network
from locoexport.parity.error_growth import ErrorGrowth
from locoexport.parity.quantiles import PrecisionParity
from locoexport.parity.sidecar import SIDECAR_LIMIT_BYTES, sidecar_path
from locoexport.pipeline import export
from locoexport.pipeline.assembly.graph import FinishedGraph
from locoexport.pipeline.proof.growth import study_growth
from locoexport.pipeline.proof.sidecar_check import verify_with_sidecar
from locoexport.pipeline.proof.studied_model import read_studied
from locoexport.pipeline.verify import verify_model
from locoexport.runtime.session.single import open_session
from locoexport.runtime.video.mp4 import write_mp4

LIMITS = PrecisionLimits(1.0, 60.0, "a test's own, at 64x64", int8_average_jaccard=100.0)
FORMS: dict[str, IntegerForm | None] = {
    "fp16": None,
    "int8": IntegerForm(("transformer", "cmdtop"), 8),
    "int8 encoder": IntegerForm(("transformer", "cmdtop", "encoder"), 7),
}


@pytest.fixture(scope="module")
def profile() -> ExportProfile:
    small = load_profile("b0-tiny").with_options(resolution_hw=(64, 64))
    return replace(small, precision_limits=LIMITS)


@pytest.fixture(scope="module")
def network(profile: ExportProfile) -> Network:
    return load_network(profile, None)


@pytest.fixture(scope="module")
def graph(profile: ExportProfile) -> FinishedGraph:
    return graph_once(profile)


@pytest.fixture(autouse=True)
def quickly(monkeypatch, graph: FinishedGraph) -> None:
    measure_quickly(monkeypatch, sequences=2, frames=4)
    monkeypatch.setattr(export, "build_graph", lambda *arguments, **keywords: graph)


@pytest.fixture(scope="module")
def small_files(
    profile: ExportProfile, graph: FinishedGraph, tmp_path_factory
) -> dict[str, export.ExportReport]:
    """Both precisions, each with its sidecar; of 8 bits with and without the encoder."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        measure_quickly(patch, sequences=2, frames=4)
        patch.setattr(export, "build_graph", lambda *arguments, **keywords: graph)
        return {
            name: export.export_model(
                profile.with_options(precision=name.partition(" ")[0], integer_form=form),
                folder / f"{name}.onnx",
                verify=False,
                sidecar=True,
                force=True,  # at this size eight bits need not be faster
            )
            for name, form in FORMS.items()
        }


@pytest.mark.parametrize("name", FORMS)
def test_a_smaller_file_with_its_cost(
    name: str, small_files: dict[str, export.ExportReport]
) -> None:
    written = small_files[name]
    report, path = written.precision, written.artifact.path
    assert report is not None
    assert report.precision == name.partition(" ")[0]
    assert report.integer_form == written.artifact.metadata.integer_form == FORMS[name]
    assert 0 < report.difference.p50_px <= report.difference.p99_px <= report.limit_px
    assert report.bytes_after < 0.75 * report.bytes_before
    assert report.bytes_after == pytest.approx(path.stat().st_size, rel=1e-2)
    assert report.latency_ratio > 0
    cost = written.artifact.metadata.cost
    assert cost is not None
    assert cost.limit_px == LIMITS.of(report.precision)
    assert cost.p99_px == pytest.approx(report.difference.p99_px, rel=1e-2)


@pytest.mark.parametrize("name", FORMS)
def test_what_computes_in_less(name: str, small_files: dict[str, export.ExportReport]) -> None:
    model = onnx.load(small_files[name].artifact.path)
    types = {tensor.data_type for graph in iterate_graphs(model) for tensor in graph.initializer}
    assert (TensorProto.FLOAT16 if name == "fp16" else TensorProto.INT8) in types
    ops = Counter(node.op_type for node in iterate_nodes(model))
    assert ops["Scan"] == 1
    if name != "fp16":
        assert ops["MatMulInteger"] >= 4 * (3 * 6 + 3 * 9)  # refinements of layers and of levels
        assert (ops["DequantizeLinear"] > ops["Conv"]) == (name == "int8 encoder")
    session = open_session(small_files[name].artifact.path)
    raw = session.run(np.zeros((1, 2, 64, 64, 3), np.float32), np.zeros((1, 3, 3), np.float32))
    assert raw.tracks_xy.dtype == np.float32


@pytest.mark.parametrize("name", ["fp16", "int8"])
def test_verify_and_the_sidecar_hold_it_to_its_own_limit(
    name: str, small_files: dict[str, export.ExportReport]
) -> None:
    path, installed = small_files[name].artifact.path, load_profile("b0-tiny").precision_limits
    assert 0 < sidecar_path(path).stat().st_size < SIDECAR_LIMIT_BYTES
    for report in (verify_model(path), verify_with_sidecar(path)):
        assert isinstance(report.parity, PrecisionParity)
        assert report.passed
        assert report.parity.tolerance.precision == name
        # What the test's own profile allows beyond the installed one counts for nothing.
        assert report.parity.tolerance.p99_px == installed.of(report.parity.tolerance.precision)
        assert report.parity.p99_px > 0
    assert not verify_with_sidecar(path, tolerance_px=1e-7).passed


@pytest.mark.parametrize("name", ["fp16", "int8 encoder"])
def test_a_good_file_has_the_nodes_of_a_fresh_export(
    name: str, small_files: dict[str, export.ExportReport], profile: ExportProfile, network: Network
) -> None:
    found = study(small_files[name], small_files[name].artifact.path, profile, network)
    assert (found.fault, found.faulty, found.missing) == (None, False, ())
    assert found.nodes_compared == len(found.seams) > 60
    backbone = found.stages[0]
    assert (backbone.name, backbone.comes_in) == ("backbone", 0.0)
    # 11 bits and 8 (weights 7), after a dozen products.
    low, high = {"fp16": (2**-12, 2**-6), "int8 encoder": (2**-8, 2**-1)}[name]
    assert low < backbone.goes_out < high


@pytest.mark.parametrize("name", ["fp16", "int8 encoder"])
def test_a_weight_of_the_backbone_that_is_another(
    name: str,
    small_files: dict[str, export.ExportReport],
    profile: ExportProfile,
    network: Network,
    tmp_path: Path,
) -> None:
    model = onnx.load(small_files[name].artifact.path)
    tensor = next(
        tensor
        for graph in iterate_graphs(model)
        for tensor in graph.initializer
        if "_blocks.2._project_conv" in tensor.name
        and tensor.data_type in (TensorProto.FLOAT16, TensorProto.INT8)
        and len(tensor.dims) == 4
    )
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[0] = -values[0]
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, tmp_path / "other.onnx")
    found = study(small_files[name], tmp_path / "other.onnx", profile, network)
    assert found.fault is not None
    assert found.faulty
    assert "weight" in " ".join(found.fault.causes)
    assert found.fault.part == "backbone"


def study(
    good: export.ExportReport, path: Path, profile: ExportProfile, network: Network
) -> ErrorGrowth:
    """The file beside the good one, which serves as the fresh export."""
    return study_growth(
        path,
        good.artifact.metadata,
        profile,
        network,
        "cpu",
        lambda notice: None,
        fresh=lambda: read_studied(good.artifact.path, "cpu"),
    )


def test_ranges_of_a_clip(profile: ExportProfile, network: Network, tmp_path: Path) -> None:
    texture = np.random.default_rng(0).integers(0, 256, (12, 24, 3), dtype=np.uint8)
    wide = texture.repeat(4, 0).repeat(4, 1)
    write_mp4(tmp_path / "clip.mp4", [wide[:, 8 - 2 * t : 88 - 2 * t] for t in range(3)], 10)
    written = export.export_model(
        profile.with_options(precision="int8", integer_form=FORMS["int8 encoder"]),
        tmp_path / "a.onnx",
        calibrate=[tmp_path / "clip.mp4"],
        verify=False,
        force=True,
    )
    assert written.precision is not None
    assert written.precision.calibration == "clip.mp4"
    # Nothing says which ranges a fresh export would need: no node is called faulty.
    found = study_growth(
        written.artifact.path,
        written.artifact.metadata,
        profile,
        network,
        "cpu",
        lambda notice: None,
    )
    assert found.fault is None
    assert "its ranges come from clip.mp4" in found.note
    assert len(found.stages) == 15
