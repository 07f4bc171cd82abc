"""A whole benchmark on a tiny graph, and what it refuses."""

import json
import shutil
from dataclasses import replace

import pytest

from locoexport.benchmarking import distrust
from locoexport.benchmarking import matrix_products as gemm
from locoexport.benchmarking.distrust import Distrust
from locoexport.benchmarking.report import Agreement, GemmRate, paired_ratios
from locoexport.contract.profile import load_profile
from locoexport.errors import ModelFileError, OutputError, ProviderUnavailableError, UsageError
from locoexport.machine.hardware import Load
from locoexport.pipeline import bench, cached_export, model_choice
from locoexport.pipeline.bench import bench_model
from locoexport.pipeline.cached_export import cache_key
from locoexport.rendering.bench import bench_document
from locoexport.runtime.session.providers import probe_provider


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(gemm, "_SIDE", {"cpu": 64})
    monkeypatch.setattr(bench, "measure_load", lambda: Load(0.0, 0.0, 2))


def test_a_graph_against_another(make_model) -> None:
    theirs = make_model("other.onnx")
    notices = []
    report = bench_model(
        make_model(),
        frames=[2, 3],
        points=[4],
        against=str(theirs),
        notify=notices.append,
    )
    assert [(cell.frames, cell.points) for cell in report.cells] == [(2, 4), (3, 4)]
    for cell in report.cells:
        assert [side.name for side in cell.sides] == ["ONNX Runtime", "other.onnx"]
        assert all(len(side.seconds) == 10 for side in cell.sides)
        assert all(side.fresh is not None for side in cell.sides)
        ours, other = cell.sides
        assert (ours.ratio, ours.agreement) == (None, None)
        assert other.ratio is not None
        assert other.agreement == Agreement(0.0, 0.0)
        assert cell.flops == 0  # this graph multiplies no matrices
        assert cell.parts is not None
        median = cell.sides[0].latency.median
        assert cell.sides[0].point_frames_per_second == pytest.approx(4 * cell.frames / median)
    assert any(notice.text == "timing 2 x 4" and notice.done == 10 for notice in notices)
    document = json.loads(json.dumps(bench_document(report)))
    assert document["schema"] == "locoexport.bench/1"
    assert len(document["cells"][1]["sides"][0]["seconds"]) == 10


def test_a_graph_against_several(make_model) -> None:
    moved = make_model("moved.onnx", rename={"{0.5, -0.25}": "{1.5, -0.25}"})
    against = [str(make_model("same.onnx")), str(moved)]
    report = bench_model(make_model(), frames=[3], points=[4], against=against)
    (cell,) = report.cells
    assert [side.name for side in cell.opponents] == ["same.onnx", "moved.onnx"]
    same, other = cell.opponents
    assert all(
        side.ratio == paired_ratios(cell.sides[0].seconds, side.seconds) for side in (same, other)
    )
    assert same.agreement == Agreement(0.0, 0.0)
    assert other.agreement is not None
    assert other.agreement.worst_px > 0.5
    assert ["moved.onnx" in warning for warning in report.warnings if "compute" in warning] == [
        True
    ]


def test_two_graphs_that_differ_are_told_apart(make_model) -> None:
    moved = make_model("moved.onnx", rename={"{0.5, -0.25}": "{1.5, -0.25}"})
    report = bench_model(make_model(), frames=[3], points=[4], against=str(moved))
    agreement = report.cells[0].opponents[0].agreement
    assert agreement is not None
    assert agreement.worst_px > 0.5
    assert any("do not compute the same" in warning for warning in report.warnings)


def test_alone(make_model) -> None:
    report = bench_model(make_model(), frames=[2], points=[4], against="none")
    assert len(report.cells[0].sides) == 1
    assert report.cells[0].opponents == ()


def test_axes_that_the_file_fixes(make_model) -> None:
    path = make_model(batch=1, frames=3, points=5)
    report = bench_model(path, against="none")
    assert [(cell.frames, cell.points) for cell in report.cells] == [(3, 5)]
    with pytest.raises(UsageError, match="fixed to 3 frames"):
        bench_model(path, frames=[4], against="none")
    with pytest.raises(UsageError, match="batch of 2"):
        bench_model(make_model(batch=2), against="none")


def test_wrong_use(make_model) -> None:
    path = make_model()
    with pytest.raises(UsageError, match="at least 10"):
        bench_model(path, runs=9)
    with pytest.raises(UsageError, match="pass one of them"):
        bench_model(path, backbone="b0")
    with pytest.raises(UsageError, match="expected torch, compile, autocast, none or"):
        bench_model(path, against="tensorflow")
    with pytest.raises(UsageError, match="Did you mean autocast"):
        bench_model(path, against=["torch", "autocats"])
    with pytest.raises(UsageError, match="an opponent twice: torch, torch"):
        bench_model(path, against=["torch", "torch"])
    with pytest.raises(UsageError, match="leave out the others"):
        bench_model(path, against=["none", "torch"])
    with pytest.raises(UsageError, match="no provider 'gpu'"):
        bench_model(path, provider="gpu")
    with pytest.raises(ModelFileError, match="no model file"):
        bench_model(path, against="/nowhere/other.onnx")
    foreign = make_model("foreign.onnx", metadata_hw=None)
    for mode in ("torch", "autocast"):
        with pytest.raises(UsageError, match="carries no locoexport metadata"):
            bench_model(foreign, against=mode)


def test_a_file_without_metadata_is_timed_alone_by_default(make_model) -> None:
    report = bench_model(make_model(metadata_hw=None), frames=[2], points=[2])
    assert len(report.cells[0].sides) == 1


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_missing_provider_ends_it_before_anything_is_exported(provider, monkeypatch) -> None:
    if probe_provider(provider).works:
        pytest.skip(f"{provider} works here")

    def exported(*_: object) -> None:
        raise AssertionError("exported for a provider that is not there")

    monkeypatch.setattr(model_choice, "load_profile", exported)
    with pytest.raises(ProviderUnavailableError, match=r"onnxruntime-gpu\[cuda,cudnn\]") as caught:
        bench_model(backbone="b0", provider=provider)
    assert caught.value.exit_code == 3


def test_an_export_is_kept_and_used_again(make_model, tmp_path, monkeypatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    model, calls = make_model(), []

    def export_model(profile, path, *, checkpoint, force, notify) -> None:
        assert checkpoint is None
        calls.append(profile.name)
        shutil.copy(model, path)

    monkeypatch.setattr("locoexport.pipeline.export.export_model", export_model)
    profile = load_profile("b0-tiny")
    path = cached_export.cached_export(profile, lambda _: None)
    assert path == cached_export.cached_export(profile, lambda _: None)
    assert path.name.startswith("b0-tiny-op17-")
    assert calls == ["b0-tiny"]
    path.write_bytes(b"cut short")
    cached_export.cached_export(profile, lambda _: None)
    assert calls == ["b0-tiny", "b0-tiny"]


def test_what_the_key_hangs_on() -> None:
    profile = load_profile("b0-tiny")
    others = [
        profile.with_options(opset=16),
        profile.with_options(sampling="planar"),
        profile.with_options(resolution_hw=(64, 64)),
        replace(profile, demo_weights=None),
        load_profile("b0"),
    ]
    keys = {cache_key(one) for one in (profile, *others)}
    assert len(keys) == 6
    assert cache_key(profile) in keys


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(OutputError, match="XDG_CACHE_HOME"):
        cached_export.cached_export(load_profile("b0-tiny"), lambda _: None)


@pytest.fixture
def doubts(monkeypatch) -> Distrust:
    monkeypatch.setattr(distrust, "running_reduced", lambda: False)
    return Distrust(lambda _: None)


def test_a_steady_quiet_machine_is_trusted(report, doubts) -> None:
    doubts.about_load(0.05, "before the benchmark")
    for cell in report.cells:
        doubts.about_cell(cell)
    doubts.about_rate(report.gemm)
    assert doubts.reasons == ()


def test_reasons_to_doubt(report, doubts) -> None:
    cell = report.cells[0]
    ours, theirs = cell.sides
    uneven = replace(theirs, seconds=(0.1,) * 5 + (0.3,) * 5)
    apart = replace(theirs, agreement=Agreement(3.0, 4.0))
    doubts.about_load(0.5, "before the benchmark")
    doubts.about_cell(replace(cell, others_share=0.4))
    doubts.about_cell(replace(cell, sides=(ours, uneven)))
    doubts.about_cell(replace(cell, sides=(ours, apart)))
    doubts.about_rate(GemmRate(100e9, 50e9, "numpy"))
    doubts.about_rate(GemmRate(100e9, 50e9, "numpy"))
    texts = "\n".join(doubts.reasons)
    assert len(doubts.reasons) == 4
    assert "other processes took 50% of it before the benchmark" in texts
    assert "torch eager at 8 x 64" in texts
    assert "The tracks of torch eager are 3 px from those under test" in texts
    assert "100 GFLOP/s before the benchmark and at 50 after" in texts


def test_tracks_that_are_no_numbers_are_worse_than_any_distance(report, doubts) -> None:
    cell = report.cells[0]
    for apart in (3.0, float("nan"), 5.0):
        side = replace(cell.sides[1], agreement=Agreement(apart, apart))
        doubts.about_cell(replace(cell, sides=(cell.sides[0], side)))
    (reason,) = doubts.reasons
    assert "The tracks of torch eager are no finite numbers (median, at 8 x 64)" in reason


def test_a_kind_of_reason_is_told_once_and_reported_at_its_worst(report, monkeypatch) -> None:
    monkeypatch.setattr(distrust, "running_reduced", lambda: False)
    told = []
    doubts = Distrust(lambda notice: told.append(notice.text))
    cell = report.cells[0]
    doubts.about_load(0.2, "before the benchmark")
    for share in (0.3, 0.6, 0.4):
        doubts.about_cell(replace(cell, others_share=share))
    assert len(told) == 1
    assert "20% of it before the benchmark" in told[0]
    (reason,) = doubts.reasons
    assert "60% of it during the runs at 8 x 64" in reason


def test_the_report_of_a_busy_machine_says_so_first(report) -> None:
    from locoexport.rendering.bench import bench_document, bench_text

    assert not report.measured_busy
    assert "BUSY" not in str(bench_text(report).renderables[0])
    cell = replace(report.cells[0], others_share=0.34)
    busy = replace(report, cells=(cell, *report.cells[1:]))
    assert busy.measured_busy
    assert "BUSY MACHINE: other processes took up to 34%" in str(bench_text(busy).renderables[0])
    assert bench_document(busy)["measured_busy"] is True
