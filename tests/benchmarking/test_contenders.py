"""What is timed: graphs and the PyTorch model, and processes of their own for memory."""

import subprocess
import sys

import numpy as np
import pytest

from locoexport.benchmarking import fresh_process as fresh
from locoexport.benchmarking.contenders import DeviceGraph, open_graph
from locoexport.benchmarking.fresh_process import FreshTask, run_fresh
from locoexport.benchmarking.matrix_products import measure_gemm
from locoexport.benchmarking.report import FreshRun
from locoexport.errors import ModelFileError
from locoexport.parity.probes import make_probe
from locoexport.runtime.session.single import ModelSession, create_checked_session

PROBE = make_probe("textured", batch=1, frames=3, points=4, size_hw=(24, 32), seed=0)


def test_a_graph_runs_and_keeps_its_results(make_model) -> None:
    graph = open_graph(make_model(), "cpu", "ours")
    graph.prepare(PROBE.video, PROBE.query_points_tyx)
    graph.run()
    assert graph.outputs().tracks_xy.shape == (1, 4, 3, 2)
    assert graph.transfers() is None
    assert graph.fresh_task(3, 4) == FreshTask(3, 4, (24, 32), "cpu", graph=str(graph.session.path))


def test_io_binding_gives_the_same_results(make_model) -> None:
    """The path for CUDA, with this machine's memory as the device."""
    path = make_model()
    opened = create_checked_session(path, "cpu", profile_prefix=None, threads=None, cached=False)
    model = ModelSession(opened, "cpu", require_metadata=False)
    device = DeviceGraph(model, opened.session, "bound", device="cpu")
    host = open_graph(path, "cpu", "ours")
    for contender in (device, host):
        contender.prepare(PROBE.video, PROBE.query_points_tyx)
        contender.run()
    for name in ("tracks_xy", "occlusion", "expected_dist"):
        np.testing.assert_array_equal(
            getattr(device.outputs(), name), getattr(host.outputs(), name)
        )
    transfers = device.transfers()
    assert transfers.upload.median > 0
    assert transfers.download.median > 0
    device.run()
    np.testing.assert_array_equal(device.outputs().tracks_xy, host.outputs().tracks_xy)


def test_a_file_that_is_no_tracker_is_refused(tmp_path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelFileError):
        open_graph(path, "cpu", "ours")


def test_both_sides_have_the_same_number_of_threads(make_model, monkeypatch) -> None:
    import torch

    from locoexport.benchmarking import contenders, torch_model
    from locoexport.models import locotrack

    before = torch.get_num_threads()
    for module in (contenders, torch_model):
        monkeypatch.setattr(module, "usable_threads", lambda: 1)
    try:
        ours = open_graph(make_model(), "cpu", "ours")
        model = locotrack.create_model("b0-tiny")
        theirs = torch_model.TorchModel(model, "b0-tiny", mode="eager", device="cpu")
        assert (ours.threads, theirs.threads, torch.get_num_threads()) == (1, 1, 1)
    finally:
        torch.set_num_threads(before)


def test_a_fresh_process_measures_memory_and_load_time(make_model) -> None:
    found = run_fresh(FreshTask(2, 3, (24, 32), graph=str(make_model())))
    assert isinstance(found, FreshRun), found
    assert found.load_seconds > 0
    assert found.before_bytes > 0
    assert found.peak_bytes > 0.9 * found.before_bytes


def test_a_fresh_process_that_fails_says_why() -> None:
    found = run_fresh(FreshTask(2, 3, (24, 32), graph="/nowhere/model.onnx"))
    assert isinstance(found, str)
    assert "There is no model file /nowhere/model.onnx" in found


def test_a_fresh_process_that_is_killed_says_so(monkeypatch) -> None:
    done = subprocess.CompletedProcess([], -9, "", "")
    monkeypatch.setattr(fresh.subprocess, "run", lambda *_, **__: done)
    assert "signal 9" in str(run_fresh(FreshTask(2, 3, (24, 32))))


def test_rate_of_products(monkeypatch) -> None:
    from locoexport.benchmarking import matrix_products as gemm

    monkeypatch.setattr(gemm, "_SIDE", {"cpu": 64})
    rate, by = measure_gemm("cpu")
    assert rate > 1e6
    assert by in ("numpy", "ONNX Runtime")
    assert measure_gemm("coreml") is None


def test_a_graph_can_be_timed_without_torch_and_onnx(make_model) -> None:
    script = (
        "import sys, importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n in ('torch', 'onnx') else real(n, *a)\n"
        "for name in ('torch', 'onnx', 'locoexport.models'): sys.modules[name] = None\n"
        "from locoexport.pipeline.bench import bench_model\n"
        "from locoexport.benchmarking import matrix_products; matrix_products._SIDE = {'cpu': 64}\n"
        "report = bench_model(sys.argv[1], frames=[2], points=[3])\n"
        "assert len(report.cells[0].sides) == 1 and report.cells[0].flops is None\n"
        "assert any('onnx is not installed' in w for w in report.warnings)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(make_model())], check=True)
