"""``locoexport eval`` on clips whose scores are known, and what it says where something lacks."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from annotated import make_clip, write_pickle
from exported import export_once

from locoexport.contract.profile import AxisSizes, load_profile
from locoexport.evaluation import scored_dataset
from locoexport.evaluation import sides as eval_sides
from locoexport.parity.probes import textured_video
from locoexport.pipeline import evaluate


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Two clips: the tracker is right in one, 3 px off in the other."""
    document = {"right": make_clip(0), "off": make_clip(1, off_px=3)}
    return write_pickle(tmp_path / "davis.pkl", document)


def report_of(finished) -> dict:
    assert finished.code == 0, finished.stderr
    return json.loads(finished.stdout)


def test_scores_of_known_tracks(run, make_model, davis: Path) -> None:
    finished = run("eval", make_model(), "--dataset", davis, "--no-torch", "--json", "-")
    report = report_of(finished)
    assert report["schema"] == "locoexport.eval/1"
    assert (report["sides"], report["query_mode"]) == (["onnx"], "first")
    right, off = (video["scores"]["onnx"] for video in report["videos"])
    assert right["average_jaccard"] == right["average_pts_within_thresh"] == 1
    assert right["occlusion_accuracy"] == off["occlusion_accuracy"] == 1
    assert off["pts_within"] == [0, 0, 1, 1, 1]
    assert off["jaccard"] == [0, 0, 1, 1, 1]
    assert off["median_px"] == pytest.approx(3, abs=1e-4)
    mean = report["mean"]["onnx"]
    assert mean["average_pts_within_thresh"] == pytest.approx((1 + 0.6) / 2)
    assert mean["median_px"] == pytest.approx(1.5, abs=1e-4)
    assert (
        "| b0-tiny (seeded weights) | ONNX fp32 | davis | first | 2 | 80.0 |" in report["markdown"]
    )


def test_published_weights_are_those_of_the_files_profile(run, make_model, davis: Path) -> None:
    finished = run("eval", make_model(), "--dataset", davis, "--checkpoint", "published")
    assert finished.code == 2
    assert "error: Profile b0-tiny names no published weights. The package" in finished.stderr


def test_the_table_and_the_row(run, make_model, davis: Path) -> None:
    finished = run(
        "eval", make_model(), "--dataset", davis, "--no-torch", "--query-mode", "strided"
    )
    assert finished.code == 0, finished.stderr
    assert "TAP-Vid, strided, frames at 256x256, scored at 256x256" in finished.stdout
    assert "| model | runtime | dataset |" in finished.stdout
    # Frames 0 and 5 are asked; asked in 5, the tracker of the other clip is right but in frame 0.
    assert "davis: 2 videos, 20 queries" in finished.stdout


def test_videos_of_other_sizes(run, make_model, tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "a.pkl", [make_clip(size_hw=(120, 200))])
    for more in ([], ["--full-resolution"]):
        report = report_of(
            run("eval", make_model(), "--dataset", path, "--no-torch", "--json", "-", *more)
        )
        assert report["mean"]["onnx"]["average_jaccard"] == 1
        assert report["full_resolution"] == bool(more)


def test_torch_and_onnx_side_by_side(run, exported: Path, tmp_path: Path) -> None:
    """The trained demo weights, 3 frames and 4 points a call: 5 points need two calls."""
    clip = make_clip(frames=3)
    clip["video"] = np.uint8(127.5 + 127.5 * textured_video(3, (256, 256), 0))
    path = write_pickle(tmp_path / "a.pkl", [clip])
    report = report_of(run("eval", exported, "--dataset", path, "--json", "-"))
    assert report["sides"] == ["onnx", "torch"]
    assert report["torch_absent"] is None
    apart = report["torch_against_onnx"]
    # Pixels of 256 of a graph of 64x64: four times the profile's 4e-3.
    assert apart["max_px"] < 1.6e-2
    assert (apart["flips"], apart["compared"]) == (0, 15)
    for figure in ("average_jaccard", "average_pts_within_thresh", "occlusion_accuracy"):
        assert report["mean"]["onnx"][figure] == pytest.approx(report["mean"]["torch"][figure])
    assert "| PyTorch |" in report["markdown"]


def test_a_profile_s_name_is_its_exported_file(run, tmp_path: Path) -> None:
    """The one that the package ships; its weights are found for PyTorch's side."""
    clip = make_clip(frames=3)
    clip["video"] = np.uint8(127.5 + 127.5 * textured_video(3, (256, 256), 0))
    path = write_pickle(tmp_path / "a.pkl", [clip])
    report = report_of(run("eval", "b0-tiny", "--dataset", path, "--json", "-"))
    assert (report["sides"], report["torch_absent"]) == (["onnx", "torch"], None)
    assert report["torch_against_onnx"]["max_px"] < 4e-3


def test_an_interrupted_run_goes_on(run, make_model, davis: Path, monkeypatch) -> None:
    arguments = ("eval", make_model(), "--dataset", davis, "--no-torch", "--json", "-")
    tracked = []
    track = eval_sides.GraphSide.track

    def interrupt_the_second(self, frames_rgb, queries):
        tracked.append(len(frames_rgb))
        if len(tracked) == 2:
            raise KeyboardInterrupt
        return track(self, frames_rgb, queries)

    monkeypatch.setattr(eval_sides.GraphSide, "track", interrupt_the_second)
    stopped = run(*arguments)
    assert (stopped.code, stopped.stdout) == (130, "")
    last = stopped.stderr.splitlines()[-1]
    assert last.startswith("error: Interrupted. The results of 1 video are kept in ")
    assert last.endswith("; the same command goes on with the next.")
    finished = run(*arguments)
    assert len(tracked) == 3
    assert report_of(finished)["resumed"] == 1
    assert "1 of 2 videos were scored by an earlier" in finished.stderr
    assert report_of(run(*arguments))["resumed"] == 2
    assert report_of(run(*arguments, "--fresh"))["resumed"] == 0
    assert len(tracked) == 5


@pytest.mark.parametrize("why", ["nothing was scored", "nothing can be kept", "--fresh"])
def test_what_an_interrupt_says(
    run, make_model, davis: Path, cache: Path, monkeypatch, why
) -> None:
    """It promises only what is true."""
    tracked = []
    track = eval_sides.GraphSide.track

    def interrupt(self, frames_rgb, queries):
        tracked.append(1)
        if len(tracked) == (1 if why == "nothing was scored" else 2):
            raise KeyboardInterrupt
        return track(self, frames_rgb, queries)

    monkeypatch.setattr(eval_sides.GraphSide, "track", interrupt)
    if why == "nothing can be kept":
        cache.write_text("a file")
    arguments = ["eval", make_model(), "--dataset", davis, "--no-torch"]
    finished = run(*arguments, *([why] if why == "--fresh" else []))
    assert finished.code == 130
    if why == "--fresh":
        assert "the same command without --fresh goes on with the next." in finished.stderr
    else:
        assert finished.stderr.endswith("error: Interrupted; no half-written file is left.\n")


def test_callers_see_a_keyboard_interrupt(make_model, davis: Path, monkeypatch) -> None:
    answers = iter([scored_dataset._score, KeyboardInterrupt()])

    def score(source, setting):
        answer = next(answers)
        if isinstance(answer, KeyboardInterrupt):
            raise answer
        return answer(source, setting)

    monkeypatch.setattr(scored_dataset, "_score", score)
    with pytest.raises(KeyboardInterrupt, match="kept in"):
        evaluate.evaluate_model(make_model(), str(davis), torch=False)


@pytest.fixture(scope="module")
def exported_uint8() -> Path:
    """b0-tiny at 64x64 that takes uint8 frames of any size."""
    profile = load_profile("b0-tiny").with_options(
        resolution_hw=(64, 64), axes=AxisSizes(1, None, None), input_type="uint8"
    )
    return export_once(profile)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--full-resolution"]])
def test_a_file_that_takes_uint8_frames(run, exported_uint8: Path, tmp_path: Path, more) -> None:
    """It resizes in the graph what eval resizes for the others: both sides agree."""
    clip = make_clip(frames=4, size_hw=(120, 200))
    clip["video"] = np.uint8(127.5 + 127.5 * textured_video(4, (120, 200), 0))
    path = write_pickle(tmp_path / "a.pkl", [clip])
    report = report_of(run("eval", exported_uint8, "--dataset", path, "--json", "-", *more))
    assert report["sides"] == ["onnx", "torch"]
    apart = report["torch_against_onnx"]
    # Pixels of 256 of a graph of 64x64, and OpenCV rounds coordinates of the resize to float32,
    # which moves tracks by up to 1e-2 px (parity_tests/test_uint8_input.py).
    assert apart["max_px"] < 4e-2
    assert (apart["flips"], apart["compared"]) == (0, 20)


def test_records_of_another_command_are_not_used(run, make_model, davis: Path, cache: Path) -> None:
    arguments = ("eval", make_model(), "--dataset", davis, "--no-torch", "--json", "-")
    first = report_of(run(*arguments))
    assert report_of(run(*arguments, "--query-mode", "strided"))["resumed"] == 0
    assert report_of(run(*arguments, "--full-resolution"))["resumed"] == 0
    records = sorted((cache / "locoexport" / "eval").glob("*/00000.json"))
    assert len(records) == 3
    for record in records:
        record.write_text("{}")
    again = report_of(run(*arguments))
    assert again["resumed"] == 1
    assert again["mean"] == first["mean"]


def test_a_cache_that_cannot_be_written_is_told(run, make_model, davis: Path, cache: Path) -> None:
    cache.write_text("a file")
    finished = run("eval", make_model(), "--dataset", davis, "--no-torch", "--json", "-")
    assert report_of(finished)["resumed"] == 0
    assert "cannot be written: an interrupted evaluation will start over" in finished.stderr


def test_videos_without_a_visible_point(run, make_model, tmp_path: Path) -> None:
    hidden = make_clip(1)
    hidden["occluded"][:] = True
    path = write_pickle(tmp_path / "a.pkl", {"seen": make_clip(0), "hidden": hidden})
    report = report_of(run("eval", make_model(), "--dataset", path, "--no-torch", "--json", "-"))
    assert report["skipped"] == ["hidden"]
    assert [video["name"] for video in report["videos"]] == ["seen"]
    write_pickle(path, {"hidden": hidden})
    finished = run("eval", make_model(), "--dataset", path, "--no-torch")
    assert (finished.code, finished.stdout) == (2, "")
    assert "holds no video with a visible point" in finished.stderr


def test_figures_that_cannot_be_scored_are_null(run, make_model, tmp_path: Path) -> None:
    clip = make_clip()
    clip["occluded"][:, 1:] = True
    path = write_pickle(tmp_path / "a.pkl", [clip])
    report = report_of(run("eval", make_model(), "--dataset", path, "--no-torch", "--json", "-"))
    assert report["mean"]["onnx"]["average_pts_within_thresh"] is None
    assert report["mean"]["onnx"]["occlusion_accuracy"] == 0
    # The same from the record.
    again = report_of(run("eval", make_model(), "--dataset", path, "--no-torch", "--json", "-"))
    assert again["resumed"] == 1
    assert again["mean"] == report["mean"]


def test_generated_sequences(run, make_model) -> None:
    arguments = ("eval", make_model(), "--dataset", "synthetic", "--videos", "1", "--no-torch")
    report = report_of(run(*arguments, "--json", "-"))
    assert (report["dataset"], len(report["videos"])) == ("synthetic", 1)
    assert report["videos"][0]["frames"] == 24
    assert math.isfinite(report["mean"]["onnx"]["average_jaccard"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no.onnx", "--dataset", "synthetic"], "There is no model file no.onnx"),
        (["no.ckpt", "--dataset", "synthetic"], "There is no model or checkpoint no.ckpt"),
        (["B5", "--dataset", "synthetic"], "There is no model or checkpoint B5. Did you mean b5?"),
        (["no.onnx", "--dataset", "nowhere"], "There is no dataset 'nowhere'"),
        (["no.onnx", "--dataset", "synthetic", "--query-mode", "last"], "no query mode 'last'"),
        (["no.onnx", "--dataset", "synthetic", "--videos", "0"], "--videos is 0"),
        (["no.onnx", "--dataset", "synthetic", "--provider", "gpu"], "gpu"),
        (["no.onnx"], "Missing option '--dataset'"),
    ],
)
def test_wrong_use(run, arguments: list[str], says: str) -> None:
    finished = run("eval", *arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr


def test_a_file_of_fixed_frames(run, make_model, davis: Path) -> None:
    finished = run("eval", make_model(frames=4), "--dataset", davis, "--no-torch")
    assert finished.code == 2
    assert "is fixed to 4 frames and a clip has 6" in finished.stderr


def test_without_torch_onnx_alone(make_model, davis: Path, tmp_path: Path) -> None:
    script = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "torch" else find_spec(name)

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx"):
            raise ImportError(f"{name} was imported")

sys.meta_path.insert(0, Refuse())
from locoexport.cli import main
sys.argv = ["locoexport", *sys.argv[1:]]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "eval", str(make_model()), "--dataset", str(davis)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "torch is not installed, so only the ONNX file was scored" in done.stderr
    assert "torch is not installed, so only the ONNX file was scored" in done.stdout
    assert "80.0" in done.stdout


def test_the_same_figures_as_the_public_metrics(make_model, davis: Path) -> None:
    """The pipeline adds nothing of its own to what ``tapvid_metrics`` says."""
    report = evaluate.evaluate_model(make_model(), str(davis), torch=False)
    assert [video.name for video in report.videos] == ["right", "off"]
    assert np.isclose(report.mean("onnx").average_jaccard, 0.8)
