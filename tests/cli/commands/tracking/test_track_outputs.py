"""What ``track`` writes besides tracks: never over an input, and its warnings as data."""

import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from synthetic_tracker import tracker_bytes

from locoexport.batch.dataset import read_part
from locoexport.pipeline.tracking.many import track_many
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(tracker_bytes())
    return path


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A folder with one clip, of 12 frames of 48x64."""
    folder = tmp_path / "clips"
    folder.mkdir()
    frames = np.random.default_rng(0).integers(0, 80, (12, 48, 64, 3), np.uint8)
    write_mp4(folder / "a.mp4", frames, 10)
    return folder


@pytest.fixture
def cut(footage: Path) -> Path:
    """The clip without its last third: there is a warning."""
    clip = footage / "a.mp4"
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    return clip


def test_no_output_is_a_file_that_is_read(run, model: Path, footage: Path, tmp_path: Path) -> None:
    clip, queries = footage / "a.mp4", tmp_path / "q.csv"
    queries.write_text("0,10,10\n")
    link, hard = tmp_path / "link.mp4", tmp_path / "hard.mp4"
    link.symlink_to(clip)
    os.link(clip, hard)
    before = {path: sha256(path.read_bytes()).digest() for path in (clip, model, queries)}
    asked = ("track", clip, "--model", model, "--force", "--queries", queries)
    for option, path, other in (
        ("-o", clip, "VIDEO"),
        ("-o", link, "VIDEO"),
        ("-o", hard, "VIDEO"),
        ("--json", clip, "VIDEO"),
        ("--json", model, "--model"),
        ("--tracks", queries, "--queries"),
        ("--objects", queries, "--queries"),
    ):
        finished = run(*asked, option, path)
        assert finished.code == 2, (option, path)
        name = {"-o": "--output"}.get(option, option)
        assert name in finished.stderr
        assert other in finished.stderr
    assert {path: sha256(path.read_bytes()).digest() for path in before} == before


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("--tracks", "--objects", "x.csv"),
        ("--tracks", "--json", "x.json"),
        ("--objects", "--json", "x.json"),
        ("-o", "--json", "x.mp4"),
    ],
)
def test_no_two_outputs_are_one_file(
    run, model: Path, footage: Path, tmp_path: Path, one: str, other: str, name: str
) -> None:
    asked = ("track", footage / "a.mp4", "--model", model, "--boxes", "4,4,30,30")
    finished = run(*asked, one, tmp_path / name, other, f"{tmp_path}/./{name}")
    assert finished.code == 2
    assert {"-o": "--output"}.get(one, one) in finished.stderr
    assert other in finished.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("boxes", [(), ("--boxes", "4,4,30,30")])
def test_the_overlay_is_enlarged_and_says_so(
    run, model: Path, footage: Path, tmp_path: Path, boxes: tuple[str, ...]
) -> None:
    film = tmp_path / "a.mp4"
    asked = ("track", footage / "a.mp4", "--model", model, *boxes, "-o", film, "--force")
    finished = run(*asked, "--json", "-")
    assert "at 4 times the clip's 64x48 pixels; --scale 1" in finished.stderr
    document = json.loads(finished.stdout)
    assert (document["overlay_scale"], document["overlay_sound"]) == (4, None)
    assert read_clip(film).frames_rgb.shape == (12, 192, 256, 3)
    assert "times the clip's" not in run(*asked, "--scale", "2").stderr
    assert read_clip(film).frames_rgb.shape == (12, 96, 128, 3)
    finished = run(*asked, "--colour", "object")
    assert finished.code == (0 if boxes else 2)


@pytest.mark.parametrize("more", [(), ("--boxes", "4,4,30,30")])
def test_warnings_are_data_and_the_exit_code_is_0(
    run, model: Path, cut: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    asked = ("track", cut, "--model", model, "--tracks", tmp_path / "t.npz", *more, "--force")
    loud, quiet = run(*asked, "--json", "-"), run("-q", *asked, "--json", "-")
    assert (loud.code, quiet.code, quiet.stderr) == (0, 0, "")
    told = json.loads(quiet.stdout)["warnings"]
    assert told == json.loads(loud.stdout)["warnings"]
    assert len(told) == 1
    assert f"warning: {told[0]}" in loud.stderr


def test_warnings_of_a_folder_stay_in_its_records(
    run, model: Path, cut: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    asked = ("-q", "track", cut.parent, "--model", model, "-o", out, "--json", "-")
    first, again = (json.loads(run(*asked).stdout) for _ in range(2))
    assert [clip["skipped"] for clip in (*first["clips"], *again["clips"])] == [False, True]
    assert first["warnings"] == again["warnings"]
    assert first["warnings"] == [f"{cut}: {text}" for text in first["clips"][0]["warnings"]]
    record = json.loads((out / "a.mp4.done.json").read_text())
    assert record["warnings"] == first["clips"][0]["warnings"]
    assert len(record["warnings"]) == 1


def test_warnings_of_many_clips_are_a_column(model: Path, cut: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = track_many([cut], model, out, workers=1)
    again = track_many([cut], model, out, workers=1)
    (told,) = first.outcomes[0].warnings
    assert first.warnings == (told,)
    assert again.outcomes[0].skipped
    assert again.outcomes[0].warnings == (told,)
    (part,) = (out / "tracks").iterdir()
    rows = pyarrow.parquet.read_table(part).column("warnings").to_pylist()
    assert rows == [[told]] * len(rows)
    (row,) = pyarrow.parquet.read_table(out / "clips.parquet").to_pylist()
    assert row["warnings"] == [told]
    # A file of an earlier version has neither the column nor the fact.
    table = pyarrow.parquet.read_table(part).drop_columns("warnings")
    facts = json.loads(table.schema.metadata[b"locoexport.clip"])
    del facts["warnings"]
    metadata = {b"locoexport.clip": json.dumps(facts).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), part)
    assert read_part(part).facts.warnings == ()
