"""``locoexport tune``, end to end on a file without weights, where nothing is exported."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import onnx
import pytest
from synthetic_tracker import synthetic_metadata, tracker_bytes
from tiny_costs import measure_quickly

from locoexport.contract.metadata import WeightsOrigin
from locoexport.pipeline.tuning import candidates, search, stages
from locoexport.runtime.session.single import open_session

HW = (32, 32)


def square_tracker(**options: object) -> bytes:
    """The synthetic tracker at a resolution that a profile may have; it sees every point."""
    rename = {",24,32,3]": ",32,32,3]", "Mul(bright, eight)": "Sub(bright, eight)"}
    return tracker_bytes(metadata_hw=HW, rename=rename, **options)


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path) -> None:
    measure_quickly(monkeypatch)
    monkeypatch.setattr(candidates, "usable_cores", lambda: 2)
    monkeypatch.setattr(candidates, "usable_threads", lambda: 1)
    monkeypatch.setattr(stages, "_ROUNDS", 3)
    monkeypatch.setattr(stages, "FINAL_ROUNDS", 4)
    monkeypatch.setattr(search, "FINAL_ROUNDS", 4)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lost(tmp_path) -> Path:
    """A tracker whose weights are nowhere."""
    model = onnx.load_from_string(square_tracker())
    metadata = replace(synthetic_metadata(HW), weights=WeightsOrigin("lost.ckpt", "0" * 64))
    onnx.helper.set_model_props(model, metadata.to_properties())
    path = tmp_path / "lost.onnx"
    onnx.save(model, path)
    return path


def tune(run, *arguments: object):
    return run("tune", *arguments, "--provider", "cpu", "--frames", 3, "--points", 4)


def test_a_file_alone_is_tried_on_runtimes_and_threads(run, lost, tmp_path) -> None:
    plot, report = tmp_path / "tune.png", tmp_path / "tune.json"
    done = tune(run, lost, "-o", "best.onnx", "--plot", plot, "--json", report)
    assert done.code == 0, done.stderr
    document = json.loads(report.read_text())
    assert document["schema"] == "locoexport.tune/1"
    names = [row["name"] for row in document["candidates"]]
    assert names == ["fp32 planar, cpu", "fp32 planar, cpu, 2 threads"]
    assert all(row["error"]["max_px"] == 0 for row in document["candidates"])
    assert "lost.ckpt" in document["only_given"]
    assert any("lost.ckpt" in warning for warning in document["warnings"])
    assert "warning: Only runtimes and threads are tried" in done.stderr
    assert matplotlib.image.imread(plot).ndim == 3
    stamp = open_session(tmp_path / "best.onnx").metadata.tuning
    assert stamp is not None
    assert (stamp.provider, stamp.frames, stamp.points) == ("cpu", 3, 4)
    assert (stamp.p99_px, stamp.limit_px, stamp.limit_aj) == (0, 0.5, None)
    assert stamp.machine == document["machine"]


def test_a_second_run_takes_what_the_first_finished(run, lost) -> None:
    tune(run, lost, "-o", "one.onnx", "--work", "work")
    done = tune(run, lost, "-o", "two.onnx", "--work", "work", "--json", "-")
    document = json.loads(done.stdout)
    assert document["kept_trials"] >= len(document["candidates"])
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()
    fresh = tune(run, lost, "-o", "three.onnx", "--work", "work", "--json", "-", "--fresh")
    assert json.loads(fresh.stdout)["kept_trials"] == 0


def test_after_an_interruption_nothing_half_written_is_left(run, lost, monkeypatch) -> None:
    from locoexport.pipeline.tuning import trials

    def interrupted(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trials, "take_turns", interrupted)
        assert tune(run, lost, "-o", "best.onnx", "--work", "work").code == 130
    assert not Path("best.onnx").exists()
    (folder,) = Path("work").iterdir()
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {"error"}
    assert tune(run, lost, "-o", "best.onnx", "--work", "work").code == 0


def test_a_clip_counts_too(run, lost, clip) -> None:
    done = tune(run, lost, "-o", "best.onnx", "--clip", clip, "--json", "-")
    assert done.code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["sequences"].endswith(f"; {clip.name}")
    assert document["candidates"][0]["error"]["compared"] > 3 * 16


def test_a_provider_that_is_not_here_is_a_row(run, lost) -> None:
    done = tune(run, lost, "-o", "best.onnx", "--provider", "coreml", "--json", "-")
    assert done.code == 0
    rows = {row["name"]: row for row in json.loads(done.stdout)["candidates"]}
    assert rows["fp32 planar, coreml"]["verdict"] == "failed"
    assert "cannot be used on this machine" in rows["fp32 planar, coreml"]["reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit-px", "0"], "--limit-px is 0"),
        (["--limit-px", "nan"], "--limit-px is nan"),
        (["--limit-aj", "-1"], "--limit-aj is -1"),
        (["--provider", "gpu"], "no provider 'gpu'"),
        (["--clip", "none.mp4"], "no clip none.mp4"),
        (["--backbone", "b0"], "pass one of them"),
        (["--checkpoint", "none.ckpt"], "no checkpoint file none.ckpt"),
        (["-o", "best.pt"], "name the file best.onnx"),
        (["--plot", "tune.svg"], "written as .png"),
        (["--frames", "0"], "not a positive number"),
    ],
)
def test_what_is_refused_before_any_work(run, lost, arguments, says) -> None:
    done = run("tune", lost, *arguments)
    assert done.code == 2
    assert says in done.stderr
    assert not Path("best.onnx").exists()


def test_a_size_that_the_file_does_not_take(run, tmp_path) -> None:
    (tmp_path / "fixed.onnx").write_bytes(square_tracker(frames=5))
    done = run("tune", "fixed.onnx", "--frames", 3)
    assert done.code == 2
    assert "fixed to 5 frames" in done.stderr


@pytest.mark.slow
def test_an_int8_file_that_wins_carries_its_evidence(
    tiny_profile, tiny_graph, tmp_path, monkeypatch
) -> None:
    """With the times given: what is exported, compared, chosen and written is real."""
    from locoexport.pipeline import export
    from locoexport.pipeline.tuning import trials
    from locoexport.pipeline.tuning.search import tune_model

    def given_times(contenders, rounds, *, progress):
        faster = 2.0 if "int8" in contenders[0].name else 1.0
        return [[1 / faster] * rounds, [1.0] * rounds]

    monkeypatch.setattr(export, "build_graph", lambda *arguments, **keywords: tiny_graph)
    monkeypatch.setattr(trials, "take_turns", given_times)
    monkeypatch.setattr(stages, "graph_forms", lambda profile: [candidates.usual_form(profile)])
    monkeypatch.setattr(candidates, "QUANTISED_PARTS", ("transformer",))
    monkeypatch.setattr(stages, "thread_counts", list)
    report = tune_model(tiny_profile, "best.onnx", providers=["cpu"], limit_px=100.0)
    assert [(row.verdict, row.reason) for row in report.rows] == [("reference", ""), ("wins", "")]
    session = open_session("best.onnx")
    stamp, cost = session.metadata.tuning, session.metadata.cost
    assert stamp is not None
    assert cost is not None
    assert session.metadata.precision == "int8"
    assert (stamp.ratio, stamp.latency_ms, stamp.limit_px) == (2.0, 500.0, 100.0)
    error = report.chosen.trial.error
    assert error is not None
    assert 0 < error.p99_px < 100
    assert stamp.p99_px == pytest.approx(error.p99_px, rel=0.01)
    within = tune_model(tiny_profile, "again.onnx", providers=["cpu"], limit_px=error.p99_px / 2)
    assert [row.verdict for row in within.rows] == ["wins", "too far"]
    assert within.kept_trials == 2
    assert open_session("again.onnx").metadata.precision == "fp32"
