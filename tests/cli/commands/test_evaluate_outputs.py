"""What ``locoexport eval`` writes besides its report, and several datasets in one call."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from annotated import make_clip, write_pickle
from annotated_csv import write_video_layout

from locoexport.evaluation import sides as eval_sides
from locoexport.runtime.video.clips import read_clip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pickles(tmp_path: Path) -> tuple[Path, Path]:
    """Two files of one name: the tracker is right in a/davis.pkl, 3 px off in b/davis.pkl."""
    found = []
    for folder, off_px in (("a", 0), ("b", 3)):
        (tmp_path / folder).mkdir()
        clips = {"x/../y & z_%": make_clip(0, off_px=off_px)}
        found.append(write_pickle(tmp_path / folder / "davis.pkl", clips))
    return found[0], found[1]


def arguments(model: Path, *datasets: object, more: tuple = ()) -> tuple:
    named = [text for dataset in datasets for text in ("--dataset", dataset)]
    return ("eval", model, *named, "--no-torch", *more)


def test_several_datasets(run, make_model, pickles) -> None:
    finished = run(*arguments(make_model(), *pickles, "synthetic", more=("--videos", "1")))
    assert finished.code == 0, finished.stderr
    rows = [line for line in finished.stdout.splitlines() if line.startswith("| b0-tiny")]
    assert [row.split(" | ")[2] for row in rows] == ["a/davis.pkl", "b/davis.pkl", "synthetic"]
    assert [row.split(" | ")[5] for row in rows[:2]] == ["100.0", "60.0"]


def test_documents_of_several_and_of_one(run, make_model, pickles) -> None:
    model = make_model()
    both = run(*arguments(model, *pickles, more=("--json", "-")))
    document = json.loads(both.stdout)
    assert document["schema"] == "locoexport.evals/1"
    assert [part["schema"] for part in document["datasets"]] == ["locoexport.eval/1"] * 2
    assert document["markdown"].count("\n| b0-tiny") == 2
    one = json.loads(run(*arguments(model, pickles[1], more=("--json", "-"))).stdout)
    # Results of the earlier call are gone on from, dataset by dataset.
    assert (one["schema"], one["dataset"], one["resumed"]) == ("locoexport.eval/1", "davis", 1)
    assert one["mean"] == document["datasets"][1]["mean"]
    # What a reader of the first version of the document reads is where it was.
    assert {*one} >= {
        *("schema", "file", "metadata", "dataset", "query_mode", "full_resolution", "provider"),
        *("sides", "torch_absent", "mean", "torch_against_onnx", "videos", "resumed", "skipped"),
        *("seconds", "markdown"),
    }


def test_a_dataset_twice(run, make_model, pickles) -> None:
    again = os.path.relpath(pickles[0])
    finished = run(*arguments(make_model(), pickles[0], again))
    assert (finished.code, finished.stdout) == (2, "")
    assert "holds the same clips as --dataset" in finished.stderr


def test_an_interrupt_counts_all_datasets(run, make_model, pickles, monkeypatch) -> None:
    tracked = []
    track = eval_sides.GraphSide.track

    def interrupt_the_second(self, frames_rgb, queries):
        tracked.append(1)
        if len(tracked) == 2:
            raise KeyboardInterrupt
        return track(self, frames_rgb, queries)

    monkeypatch.setattr(eval_sides.GraphSide, "track", interrupt_the_second)
    command = arguments(make_model(), *pickles, more=("--json", "-"))
    stopped = run(*command)
    assert stopped.code == 130
    assert "The results of 1 video are kept in" in stopped.stderr
    document = json.loads(run(*command).stdout)
    assert [part["resumed"] for part in document["datasets"]] == [1, 0]


def test_scores_of_tracks(run, make_model, pickles, tmp_path: Path) -> None:
    model, path = make_model(), tmp_path / "tracks.csv"
    first = run(*arguments(model, *pickles, more=("--per-track", path)))
    assert first.code == 0, first.stderr
    text = path.read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["dataset"] for row in rows] == ["a/davis.pkl"] * 5 + ["b/davis.pkl"] * 5
    assert {row["average_jaccard"] for row in rows[:5]} == {"1.0"}
    assert {row["average_jaccard"] for row in rows[5:]} == {"0.6"}
    assert {(row["t"], row["scored_frames"], row["survival"]) for row in rows} == {
        ("0.0", "5", "1.0")
    }
    clip = make_clip(0)
    np.testing.assert_allclose(
        [(float(row["x"]), float(row["y"])) for row in rows[:5]],
        clip["points"][:, 0] * 256,
        atol=1e-4,
    )
    refused = run(*arguments(model, *pickles, more=("--per-track", path)))
    assert refused.code == 2
    assert "exists already" in refused.stderr
    # The same from the records; a record without tracks is scored again.
    resumed = run(*arguments(model, *pickles, more=("--per-track", path, "--force")))
    assert "1 of 1 videos were scored by an earlier" in resumed.stderr
    assert path.read_text() == text
    for table in (tmp_path / "cache").rglob("*.tracks.npy"):
        table.unlink()
    again = run(*arguments(model, *pickles, more=("--per-track", path, "--force")))
    assert "on record" not in again.stderr
    assert path.read_text() == text


def test_rows_of_latex(run, make_model, tmp_path: Path, pickles) -> None:
    odd = write_pickle(tmp_path / "my_50%&~^$#{}<\\.pkl", [make_clip(1, off_px=3)])
    finished = run(*arguments(make_model(), pickles[0], odd, more=("--latex", "-")))
    assert finished.code == 0, finished.stderr
    head, right, off = finished.stdout.splitlines()
    assert head.startswith(r"data set & runtime & queries & AJ & $<\delta^{x}_{avg}$ & OA & Jac. ")
    assert head.endswith(r"$<\delta^{4}$ \\")
    assert right == "davis & ONNX fp32 & first" + " & 100.0" * 13 + r" \\"
    jaccards_and_shares = " & 0.0 & 0.0 & 100.0 & 100.0 & 100.0" * 2
    name = r"my\_50\%\&\textasciitilde{}\textasciicircum{}\$\#\{\}\textless{}\textbackslash{}"
    assert off == (rf"{name} & ONNX fp32 & first & 60.0 & 60.0 & 100.0{jaccards_and_shares} \\")


def test_latex_to_a_file_and_twice_to_one_place(run, make_model, tmp_path: Path, pickles) -> None:
    model, path = make_model(), tmp_path / "rows.tex"
    finished = run(*arguments(model, pickles[0], more=("--latex", path, "--json", "-")))
    assert json.loads(finished.stdout)["dataset"] == "davis"
    assert path.read_text().count("\n") == 2
    for place in ("-", tmp_path / "x.json"):
        refused = run(*arguments(model, pickles[0], more=("--latex", place, "--json", place)))
        assert (refused.code, refused.stdout) == (2, "")
        assert "Two of --json, --latex and --per-track" in refused.stderr


def test_films(run, make_model, pickles, tmp_path: Path) -> None:
    model, folder = make_model(), tmp_path / "films"
    command = arguments(model, *pickles, more=("--film", folder))
    refused = run(*command)
    assert (refused.code, refused.stdout) == (2, "")
    assert f"make it first (mkdir -p {folder})" in refused.stderr
    folder.write_text("")
    assert "is a file; name a folder" in run(*command).stderr
    folder.unlink()
    folder.mkdir()
    finished = run(*command)
    assert finished.code == 0, finished.stderr
    names = sorted(os.listdir(folder))
    assert names == [f"{letter}_davis.pkl-00000-x_.._y_z__.mp4" for letter in "ab"]
    film = read_clip(folder / names[0]).frames_rgb
    assert film.shape[:1] + film.shape[2:] == (6, 512, 3)
    # The clip is dark and enlarged twice; where a point is, there is its dot.
    x, y = (make_clip(0)["points"][0, 3] * 512).astype(int)
    assert film[3, y - 1 : y + 1, x - 1 : x + 1].max(axis=-1).mean() > 120
    refused = run(*command)
    assert refused.code == 2
    assert "holds films already" in refused.stderr
    again = run(*command, "--force")
    assert again.code == 0, again.stderr
    assert "on record" not in again.stderr


def test_films_of_strided_queries_draw_each_track_once(
    run, make_model, pickles, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    more = ("--film", folder, "--query-mode", "strided")
    assert run(*arguments(make_model(), pickles[0], more=more)).code == 0
    (film,) = folder.iterdir()
    assert read_clip(film).frames_rgb.shape[0] == 6


def test_films_of_names_that_are_alike_once_safe(run, make_model, pickles, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    names = []
    for name in ("x y.pkl", "x&y.pkl"):
        names.append(write_pickle(tmp_path / name, {"a": make_clip(0)}))
    assert run(*arguments(make_model(), *names, more=("--film", folder))).code == 0
    assert sorted(os.listdir(folder)) == ["x_y-00000-a-2.mp4", "x_y-00000-a.mp4"]


def test_annotations_beside_films(run, make_model, tmp_path: Path) -> None:
    path = write_video_layout(tmp_path / "pt", {"a": 0, "b": 1, "c": 2})
    (tmp_path / "pt" / "b.mp4").unlink()
    command = arguments(make_model(), path.parent, more=("--json", "-"))
    finished = run(*command)
    assert finished.code == 0, finished.stderr
    assert "warning: pt: 1 annotated video has no .mp4 file and was left out: b." in finished.stderr
    report = json.loads(finished.stdout)
    assert (report["dataset"], report["missing"]) == ("pt", ["b"])
    assert [video["name"] for video in report["videos"]] == ["a", "c"]
    # The tracker follows the annotations of both to the last digit that is written.
    assert report["mean"]["onnx"]["average_jaccard"] == 1
    path.write_text(path.read_text() + "a,1\n")
    broken = run(*command)
    assert (broken.code, broken.stdout) == (2, "")
    assert f"{path}, line 16: it has 2 columns" in broken.stderr


def test_what_a_film_lacks_is_told_again_from_the_record(run, make_model, tmp_path: Path) -> None:
    path = write_video_layout(tmp_path / "pt", {"a": 0})
    path.write_text("".join(row + ",0.5,0.5,1" * 4 + "\n" for row in path.read_text().split()))
    command = arguments(make_model(), path, more=("--json", "-"))
    for resumed in (0, 1):
        finished = run(*command)
        assert "a.mp4 has 6 frames and 10 are annotated: the first 6 are scored." in finished.stderr
        report = json.loads(finished.stdout)
        assert report["resumed"] == resumed
        assert len(report["videos"][0]["remarks"]) == 1


def test_videos_that_are_in_no_mean_are_named(run, make_model, tmp_path: Path) -> None:
    late, hidden = make_clip(1), make_clip(2)
    late["occluded"][:, :-1] = True
    hidden["occluded"][:] = True
    clips = {"seen": make_clip(0), "late": late, "hidden": hidden}
    path = write_pickle(tmp_path / "a.pkl", clips)
    model = make_model()
    report = json.loads(run(*arguments(model, path, more=("--json", "-"))).stdout)
    assert (report["unscored"], report["skipped"]) == (["late"], ["hidden"])
    assert report["mean"]["onnx"]["average_jaccard"] == 1
    text = run(*arguments(model, path)).stdout
    said = "(published code's mean is NaN then)"
    assert f"not in mean  no visible point is scored: late {said}" in text
    assert f"left out     no visible point: hidden {said}" in text
