"""Scores of single queries: each is a video of its own, and files of them are whole."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import locoexport
from locoexport.errors import OutputError, UsageError
from locoexport.evaluation.track_scores import (
    COLUMNS,
    TrackTable,
    check_track_file,
    score_tracks,
    write_track_file,
)


def made(mode: str, seed: int = 0):
    """Random tracks with errors of every size: asked, predicted tracks, said visible."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 256, (7, 12, 2))
    asked = locoexport.sample_queries(random.random((7, 12)) < 0.4, truth, mode)
    shape = asked["target_points"].shape
    errors = random.uniform(-1, 1, shape) * random.choice([0.5, 3, 20, 90], shape)
    return asked, asked["target_points"] + errors, random.random(shape[:3]) < 0.6


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_each_query_is_a_video_of_its_own(mode: str) -> None:
    asked, tracks, visible = made(mode)
    figures = score_tracks(asked, tracks, visible, mode)
    assert figures.shape == (asked["query_points"].shape[1], len(COLUMNS))
    for index, row in enumerate(figures):
        found = dict(zip(COLUMNS, row, strict=True))
        one = slice(index, index + 1)
        alone = locoexport.tapvid_metrics(
            asked["query_points"][:, one],
            asked["occluded"][:, one],
            asked["target_points"][:, one],
            ~visible[:, one],
            tracks[:, one],
            mode,
        )
        for name, value in alone.items():
            np.testing.assert_array_equal(found[name], value[0], err_msg=name)
        t, y, x = asked["query_points"][0, index]
        assert (found["t"], found["y"], found["x"]) == (t, y, x)
        frames = [f for f in range(12) if (f > t if mode == "first" else f != t)]
        seen = [f for f in frames if not asked["occluded"][0, index, f]]
        assert (found["scored_frames"], found["visible_frames"]) == (len(frames), len(seen))
        apart = tracks[0, index] - asked["target_points"][0, index]
        px = [float(np.hypot(*apart[f])) for f in seen]
        if seen:
            assert found["median_px"] == pytest.approx(np.median(px))
            assert found["mean_px"] == pytest.approx(np.mean(px))


def survival_of(mode: str, at: int, errors: list[float], hidden: list[int]) -> float:
    frames = len(errors)
    truth = np.full((1, 1, frames, 2), 100.0)
    asked = {
        "query_points": np.array([[[at, 100.0, 100.0]]]),
        "target_points": truth,
        "occluded": np.array([[hidden]], bool),
    }
    tracks = truth + np.stack((np.array(errors, float), np.zeros(frames)), -1)
    figures = score_tracks(asked, tracks, np.ones((1, 1, frames), bool), mode)
    return float(figures[0, COLUMNS.index("survival")])


def test_survival() -> None:
    # Lost at frame 3 of the scored 1..4: frames 1 and 2 are reached; 50 px is not lost yet.
    assert survival_of("first", 0, [0, 50, 0, 51, 0], [0] * 5) == 0.5
    # Nobody looks at a hidden point.
    assert survival_of("first", 0, [0, 0, 0, 99, 0], [0, 0, 0, 1, 0]) == 1
    # To both sides: 0 and 1 lie behind a loss in 1, 3 and 4 are reached.
    assert survival_of("strided", 2, [0, 60, 0, 0, 0], [0] * 5) == 0.5
    # No number is lost as well.
    assert survival_of("first", 0, [0, np.nan, 0, 0, 0], [0] * 5) == 0
    assert np.isnan(survival_of("first", 4, [0] * 5, [0] * 5))


def tables() -> list[TrackTable]:
    asked, tracks, visible = made("first")
    figures = score_tracks(asked, tracks, visible, "first")
    figures[0, COLUMNS.index("average_jaccard")] = np.nan
    sides = np.stack([figures, figures + 1])
    return [TrackTable("davis", 'a, "b"', ("onnx", "torch"), sides)]


def test_files_hold_every_row(tmp_path: Path) -> None:
    for name in ("t.csv", "t.json"):
        write_track_file(tmp_path / name, tables())
    (table,) = tables()
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["schema"] == "locoexport.eval_tracks/1"
    assert len(rows) == len(document["tracks"]) == 2 * table.figures.shape[1]
    assert rows[0]["average_jaccard"] == ""
    assert document["tracks"][0]["average_jaccard"] is None
    for row, track in zip(rows, document["tracks"], strict=True):
        assert row["video"] == track["video"] == 'a, "b"'
        expected = table.figures[table.sides.index(row["side"]), int(row["query"])]
        for name, value in zip(COLUMNS, expected, strict=True):
            if not np.isnan(value):
                assert float(row[name]) == track[name] == value
    assert rows[1]["scored_frames"].isdigit()


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.json"):
        check_track_file(tmp_path / "t.txt", force=False)
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(OutputError, match="exists already"):
        check_track_file(tmp_path / "t.csv", force=False)
    assert check_track_file(tmp_path / "t.csv", force=True) == tmp_path / "t.csv"
