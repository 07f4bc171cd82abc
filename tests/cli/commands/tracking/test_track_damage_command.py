"""``locoexport track`` over films of which frames are lost, or whose headers lie."""

import csv
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_films import number_of, write_numbered
from PIL import Image
from synthetic_tracker import tracker_bytes

from locoexport.runtime.video.clips import read_clip

TS = 188


@pytest.fixture
def track(run, tmp_path: Path):
    """Run ``track`` with a file that answers at once."""
    model = tmp_path / "model.onnx"
    model.write_bytes(tracker_bytes())
    return lambda clip, *arguments: run("track", clip, "--model", model, *arguments)


@pytest.fixture
def lossy(tmp_path: Path) -> Path:
    """60 frames in transport packets, of which a run is lost in the middle."""
    path = write_numbered(tmp_path / "lossy.ts", 60, g="15")
    content = path.read_bytes()
    packets = len(content) // TS
    begin, end = packets * 45 // 100 * TS, packets * 55 // 100 * TS
    path.write_bytes(content[:begin] + content[end:])
    return path


def test_a_damaged_clip_is_tracked_up_to_the_damage(track, lossy: Path, tmp_path: Path) -> None:
    done = track(lossy, "--points", "grid:1", "--tracks", tmp_path / "o.npz", "--json", "-")
    assert done.code == 0
    document = json.loads(done.stdout)
    assert document["frames"] < 40
    assert document["frames_repeated"] == []
    assert f"damaged after {document['frames']} frames" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("late", [[], ["--query", "55,20,20"]])
def test_it_goes_on_where_that_is_asked_for(
    track, lossy: Path, tmp_path: Path, late: list[str]
) -> None:
    film, file = tmp_path / "o.mp4", tmp_path / "o.npz"
    done = track(
        *(lossy, "--points", "grid:1", *late, "-o", film, "--tracks", file, "--json", "-"),
        *("--on-damage", "continue", "--window", "24", "--scale", "1"),
    )
    assert done.code == 0
    document = json.loads(done.stdout)
    repeated = document["frames_repeated"]
    assert document["frames"] == 60
    assert 0 < len(repeated) < 40
    with np.load(file) as arrays:
        assert arrays["fps"] == 25
        np.testing.assert_allclose(arrays["time_s"], np.arange(60) / 25, atol=1e-6)
    shown = [number_of(frame) for frame in read_clip(film).frames_rgb]
    assert all(shown[i] == (i if i not in repeated else min(repeated) - 1) for i in range(60))


def test_objects_too(track, lossy: Path, tmp_path: Path) -> None:
    done = track(
        *(lossy, "--boxes", "8,8,40,40@50", "--object-grid", "2x2", "--on-damage", "continue"),
        *("--objects", tmp_path / "o.csv", "--tracks", tmp_path / "p.csv", "--json", "-"),
    )
    assert done.code == 0
    document = json.loads(done.stdout)
    assert document["frames"] == 60
    assert document["frames_repeated"]
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert {float(row["time_s"]) for row in rows if row["frame"] == "50"} == {2.0}


def test_a_late_point_of_a_damaged_clip_costs_no_other(track, lossy: Path, tmp_path: Path) -> None:
    asked = ("--query", "0,20,20", "--query", "50,20,20")
    done = track(lossy, *asked, "--tracks", tmp_path / "o.npz", "--json", "-")
    assert done.code == 0
    warnings = json.loads(done.stdout)["warnings"]
    assert "is damaged after" in warnings[0]
    assert "before point 1 could begin" in warnings[1]
    with np.load(tmp_path / "o.npz") as arrays:
        assert np.isfinite(arrays["tracks_xy"][0]).all()
        assert np.isnan(arrays["tracks_xy"][1]).all()
        assert arrays["warnings"].tolist() == warnings
        assert arrays["frame_hw"].tolist() == [48, 128]
        assert len(arrays["frames_repeated"]) == 0


def test_repeated_frames_are_in_the_files(track, lossy: Path, tmp_path: Path) -> None:
    done = track(
        *(lossy, "--points", "grid:1", "--on-damage", "continue", "--json", "-"),
        *("--tracks", tmp_path / "o.npz"),
    )
    repeated = json.loads(done.stdout)["frames_repeated"]
    assert repeated
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["frames_repeated"].tolist() == repeated


def test_a_late_box_of_a_damaged_clip_costs_no_other(track, lossy: Path, tmp_path: Path) -> None:
    late = ("--boxes", "8,8,40,40@50", "--object-grid", "2x2")
    objects = ("--objects", tmp_path / "o.csv", "--json", "-")
    done = track(lossy, "--boxes", "50,8,90,40@5", *late, *objects)
    assert done.code == 0
    document = json.loads(done.stdout)
    assert len(document["objects"]) == 1
    assert "1 boxes and 0 points" in " ".join(document["warnings"])
    sound = write_numbered(tmp_path / "sound.ts", 30)
    assert track(sound, *late, *objects).code == 2


def test_a_point_left_out_leaves_the_others_their_objects(
    track, lossy: Path, tmp_path: Path
) -> None:
    indices = np.zeros((48, 128), np.uint8)
    indices[8:24, 8:24], indices[8:24, 88:104] = 1, 3
    mask = Image.fromarray(indices, mode="P")
    mask.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    mask.save(tmp_path / "mask.png")
    done = track(
        *(lossy, "--mask", f"{tmp_path / 'mask.png'}@0:2", "--query", "50,20,20"),
        *("--boxes", "50,8,80,40@5", "--object-grid", "2x2", "--tracks", tmp_path / "o.npz"),
    )
    assert done.code == 0
    with np.load(tmp_path / "o.npz") as arrays:
        ids, x = arrays["object_ids"], arrays["query_points_tyx"][:, 2]
    assert set(ids[x < 30].tolist()) == {1}
    assert set(ids[(x > 50) & (x < 80)].tolist()) == {4}
    assert set(ids[x > 86].tolist()) == {3}


def test_a_browsers_recording_keeps_its_times(track, tmp_path: Path) -> None:
    stamps = [0, 107, 140, 213, 265, 327, 384, 427, 476, 544, 587, 631, 683, 809, 935, 1055]
    clip = write_numbered(
        *(tmp_path / "a.webm", len(stamps), "libvpx"),
        fps=1000,
        pts=stamps,
        time_base=Fraction(1, 1000),
    )
    film = tmp_path / "o.mp4"
    done = track(clip, "--points", "grid:1", "-o", film, "--tracks", tmp_path / "o.json")
    assert done.code == 0
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["fps"] == pytest.approx(15 / 1.055, rel=1e-6)
    np.testing.assert_allclose(document["time_s"], np.array(stamps) / 1000, atol=1e-6)
    with av.open(str(film)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, np.array(stamps) / 1000, atol=1e-3)
