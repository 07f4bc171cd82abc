"""``locoexport track`` with objects, masks, features, and folders of clips."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic_tracker import tracker_bytes

from locoexport.runtime.objects.object_files import read_object_tracks
from locoexport.runtime.tracks.tapvid import read_tapvid
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4

HEIGHT, WIDTH, FRAMES = 48, 64, 6


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(tracker_bytes())
    return path


@pytest.fixture(scope="module")
def dark(tmp_path_factory) -> Path:
    """Six dark frames with a brighter square: every point is visible, and there is no face."""
    path = tmp_path_factory.mktemp("dark") / "dark.mp4"
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[20:36, 16:40] = 90
    write_mp4(path, [frame] * FRAMES, 10)
    return path


@pytest.fixture
def track(run, dark: Path, model: Path):
    return lambda *arguments: run("track", dark, "--model", model, *arguments)


def test_boxes_become_objects_in_every_output(track, tmp_path: Path) -> None:
    film, points, boxes = tmp_path / "a.mp4", tmp_path / "a.npz", tmp_path / "a.csv"
    outputs = ("-o", film, "--tracks", points, "--objects", boxes, "--scale", "1")
    finished = track("--boxes", "16,24,40,40", "--boxes", "4,30,12,38@2", *outputs)
    assert finished.code == 0, finished.stderr
    assert names(tmp_path) == ["a.csv", "a.mp4", "a.npz"]
    found = read_object_tracks(points)
    assert [item.object_id for item in found.objects] == [0, 1]
    assert found.objects[0].source.tolist() == [1, 2, 2, 2, 2, 2]
    assert found.objects[1].source.tolist() == [2, 2, 1, 2, 2, 2]
    with open(boxes, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * FRAMES
    assert rows[0] | {"confidence": "1.0"} == {
        "frame": "0",
        "object": "0",
        "x0": "16.0",
        "y0": "24.0",
        "x1": "40.0",
        "y1": "40.0",
        "source": "detected",
        "confidence": "1.0",
        "time_s": "0.0",
    }
    # A whole line of the first object's colour along its box.
    assert (read_clip(film).frames_rgb[0, 24, 18:38, 1] > 130).mean() > 0.8
    # Boxes that were written can be given again.
    assert track("--boxes", boxes, "--tracks", tmp_path / "b.npz").code == 0
    again = read_object_tracks(tmp_path / "b.npz")
    assert all((item.source == 1).all() for item in again.objects)


def test_all_sources_of_points_together(track, tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:30, 10:30] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    (tmp_path / "q.csv").write_text("3,4,5\n")
    sources = ("--points", "grid:1x2", "--query", "1,2,3", "--queries", tmp_path / "q.csv")
    sources += ("--mask", f"{tmp_path / 'm.png'}@2:2", "--mask-erosion", 1, "--features", 4)
    finished = track(*sources, "--boxes", "16,24,40,40", "--tracks", tmp_path / "a.csv")
    assert finished.code == 0, finished.stderr
    with open(tmp_path / "a.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["frame"] == "0"]
    alone = [row for row in rows if row["object"] == ""]
    assert len(alone) == 2 + 1 + 1 + 4 + 4
    assert len(rows) > len(alone)
    # Without objects the same points, as a plain file.
    assert track(*sources, "--tracks", tmp_path / "a.npz").code == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert len(arrays["query_points_tyx"]) == len(alone)
        assert arrays["query_points_tyx"][4:8, 0].tolist() == [2] * 4


def test_tapvid_without_objects(track, tmp_path: Path) -> None:
    assert track("--points", "grid:2", "--tracks", tmp_path / "a.pkl").code == 0
    clip = read_tapvid(tmp_path / "a.pkl")["dark"]
    assert clip.video.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert clip.points.shape == (4, FRAMES, 2)
    assert clip.points[0, 0] == pytest.approx([0.25, 0.25])


def test_no_face_is_exit_1_and_no_file(track, tmp_path: Path) -> None:
    finished = track("--detect", "face", "--tracks", tmp_path / "a.npz")
    assert finished.code == 1
    assert "The detector 'face' found nothing in" in finished.stderr
    assert names(tmp_path) == []


def test_no_face_but_points_is_a_warning(track, tmp_path: Path) -> None:
    finished = track("--detect", "face", "--query", "0,1,2", "--tracks", tmp_path / "a.npz")
    assert finished.code == 0
    assert "warning: The detector 'face' found nothing" in finished.stderr
    assert read_object_tracks(tmp_path / "a.npz").objects == ()


def test_json_on_stdout(track, tmp_path: Path) -> None:
    finished = track("--boxes", "16,24,40,40", "--tracks", tmp_path / "a.npz", "--json", "-")
    document = json.loads(finished.stdout)
    assert document["schema"] == "locoexport.track-objects/1"
    assert document["objects"] == [
        {"object": 0, "frames_detected": 1, "frames_tracked": 5, "frames_lost": 0, "points": 32}
    ]


def test_a_preset_and_what_wins_over_it(track, tmp_path: Path) -> None:
    command = ("--boxes", "16,24,40,40", "--tracks", tmp_path / "a.npz", "--json", "-", "--force")
    plain = json.loads(track(*command).stdout)
    assert plain["preset"] is None
    assert plain["rules"]["gap_box"] == "moved"
    preset = ("--preset", "face-parsing")
    finished = track(*command, *preset)
    assert finished.code == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert document["preset"] == "face-parsing"
    assert document["rules"] == {
        "outlier_deviations": 1.0,
        "displacement": "step",
        "least_visible": 0.4,
        "context_frames": 10,
        "grid_hw": [8, 8],
        "least_overlap": 0.3,
        "least_detections": 3,
        "gap_box": "points",
        "mask_every": None,
    }
    boxes = read_object_tracks(tmp_path / "a.npz").objects[0].boxes_xyxy
    assert ((boxes[1:, 2:] - boxes[1:, :2]) < (24, 16)).all()  # of the points alone
    # Typed, though some of it is the option's default.
    typed = ("--gap-box", "moved", "--outlier-deviations", "2", "--context-frames", "4")
    document = json.loads(track(*command, *preset, *typed).stdout)
    assert document["preset"] == "face-parsing"
    rules = document["rules"]
    assert (rules["gap_box"], rules["outlier_deviations"]) == ("moved", 2.0)
    assert (rules["context_frames"], rules["displacement"]) == (4, "step")
    assert "preset     face-parsing" in track(*command[:-3], "--force", *preset).stdout


def test_points_that_stand_for_nothing_any_more_are_not_drawn(track, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("".join(f"{t},16,24,40,40\n" for t in range(FRAMES)))
    drawn = []
    for name, more in (("a", ()), ("b", ("--mask-every", "1"))):
        files = (
            "-o",
            tmp_path / f"{name}.mp4",
            "--tracks",
            tmp_path / f"{name}.npz",
            "--scale",
            "1",
        )
        assert track("--boxes", boxes, *files, *more).code == 0
        last = read_clip(tmp_path / f"{name}.mp4").frames_rgb[-1]
        drawn.append(int((last.max(axis=2) > 140).sum()))
    found = read_object_tracks(tmp_path / "b.npz")
    assert np.unique(found.tracks.query_points[:, 0]).tolist() == [*range(FRAMES)]
    assert drawn[1] == pytest.approx(drawn[0], rel=0.25)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--detect", "faces"], 2, "There is no 'faces' among"),
        (["--detect", "face", "--detector-model", "no.onnx"], 2, "There is no detector model"),
        (["--detector-model", "no.onnx", "--boxes", "1,1,9,9"], 2, "name one with --detect"),
        (["--boxes", "1,2,3"], 2, "A box is x0,y0,x1,y1"),
        (["--boxes", "1,2,3,4@6"], 2, "Box 0 is of frame 6; the video has 6 frames"),
        (["--boxes", "70,2,90,4"], 2, "is outside the video's 64x48 pixels"),
        (["--boxes", "no.csv"], 2, "Cannot read no.csv"),
        (["--boxes", "1,1,9,9", "--segment", "no"], 2, "There is no 'no' among box, ellipse"),
        (["--boxes", "1,1,9,9", "--least-visible", "1/0"], 2, "A share is a number"),
        (["--boxes", "1,1,9,9", "--least-visible", "2"], 2, "least_visible (0 to 1)"),
        (["--boxes", "1,1,9,9", "--object-grid", "8y8"], 2, "A grid is N or NxM"),
        (["--boxes", "1,1,9,9", "--displacement", "jump"], 2, "displacement"),
        (["--boxes", "1,1,9,9", "--gap-box", "x"], 2, "gap-box"),
        (["--boxes", "1,1,9,9", "--mask-every", "0"], 2, "mask_every (1 or more frames); 0"),
        (["--boxes", "1,1,9,9", "--preset", "x"], 2, "no preset 'x'; there is face-parsing"),
        (["--preset", "x"], 2, "no preset 'x'; there is face-parsing"),
        (["--preset", "face-parsing"], 2, "--preset is for objects; ask for some with --detect"),
        (["--mask-every", "2"], 2, "--mask-every is for objects"),
        (["--mask-every", "2", "--objects", "a.csv"], 2, "--mask-every is for objects"),
        (["--boxes", "1,1,9,9", "--segmenter-model", "a"], 2, "'ellipse' takes no file"),
        (["--boxes", "1,1,9,9", "--query", "6,1,1"], 2, "has t = 6"),
        (["--boxes", "1,1,9,9", "--objects", "a.npz"], 2, "Boxes are written as .csv, .json"),
        (["--boxes", "1,1,9,9", "--tracks", "a.txt"], 2, "Tracks are written as"),
        (["--boxes", "1,1,9,9", "-o", "a.avi"], 2, "the overlay is written as .mp4"),
        (["--mask", "no.png"], 2, "Cannot read no.png"),
        (["--features", "0"], 2, "Features are 1 to 100000"),
        (["--boxes", "1,1,9,9", "--compare-windows"], 2, "is for points of one clip"),
        (["--boxes", "1,1,9,9", "--window", "1"], 2, "at least 2"),
        (["--boxes", "1,1,9,9", "--memory", "1KiB"], 2, "Allow at least"),
        (["--tracks", "a.pkl", "--memory", "16KiB"], 2, "a.pkl will hold the video"),
    ],
    ids=lambda value: " ".join(value[:4]) if isinstance(value, list) else "",
)
def test_what_track_refuses(
    arguments, code: int, says: str, track, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = track(*arguments)
    assert (finished.code, finished.stdout) == (code, "")
    assert says in finished.stderr
    assert names(tmp_path) == []


@pytest.fixture
def folder(tmp_path: Path, dark: Path) -> Path:
    """Two good clips, one that is none, and a file that is no clip."""
    clips = tmp_path / "clips"
    clips.mkdir()
    (tmp_path / "out").mkdir()
    shutil.copy(dark, clips / "a.mp4")
    shutil.copy(dark, clips / "b.mp4")
    (clips / "broken.mp4").write_text("no video")
    (clips / "notes.txt").write_text("no clip")
    return clips


def outcomes(document: str) -> list[tuple[str, str, bool]]:
    clips = json.loads(document)["clips"]
    return [(clip["clip"], clip["outcome"], clip["skipped"]) for clip in clips]


def test_a_folder_is_done_clip_by_clip_and_only_once(
    run, folder: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("track", folder, "--model", model, "-o", out, "--json", "-")
    boxes = ("--boxes", "16,24,40,40")
    first = run(*command, *boxes)
    assert first.code == 1  # one clip cannot be read
    expected = [("a.mp4", "tracked", False), ("b.mp4", "tracked", False)]
    assert outcomes(first.stdout) == [*expected, ("broken.mp4", "failed", False)]
    kinds = ("boxes.csv", "done.json", "tracked.mp4", "tracks.npz")
    assert names(out) == [f"{clip}.mp4.{kind}" for clip in "ab" for kind in kinds]
    # Again, after one clip was lost and the broken one was mended.
    before = (out / "a.mp4.tracks.npz").stat().st_mtime_ns
    (out / "b.mp4.done.json").unlink()
    shutil.copy(folder / "a.mp4", folder / "broken.mp4")
    second = run(*command, *boxes)
    assert second.code == 0
    done = [("a.mp4", "tracked", True), ("b.mp4", "tracked", False)]
    assert outcomes(second.stdout) == [*done, ("broken.mp4", "tracked", False)]
    assert (out / "a.mp4.tracks.npz").stat().st_mtime_ns == before
    # Other options are another run.
    other = run(*command, "--boxes", "16,24,40,41")
    assert other.code == 2
    assert "is of another run: its options differs" in other.stderr
    forced = run(*command, "--boxes", "16,24,40,41", "--force")
    assert [skipped for *_, skipped in outcomes(forced.stdout)] == [False] * 3


@pytest.mark.parametrize("option", ["--boxes", "--queries", "--mask"])
def test_a_folder_notices_that_a_file_of_points_or_boxes_changed(
    run, folder: Path, model: Path, tmp_path: Path, option: str
) -> None:
    (folder / "broken.mp4").unlink()
    file = tmp_path / ("m.png" if option == "--mask" else "given.csv")
    command = ("track", folder, "--model", model, "-o", tmp_path / "out", "--json", "-")
    contents = (
        [b"16,24,40,40\n", b"16,24,40,41\n"] if option == "--boxes" else [b"0,9,9\n", b"0,9,8\n"]
    )
    if option == "--mask":
        masks = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(2)]
        for size, mask in zip((20, 24), masks, strict=True):
            mask[8:size, 8:size] = 255
        contents = [cv2.imencode(".png", mask)[1].tobytes() for mask in masks]
    file.write_bytes(contents[0])
    assert run(*command, option, file).code == 0
    again = run(*command, option, file)
    assert [skipped for *_, skipped in outcomes(again.stdout)] == [True, True]
    file.write_bytes(contents[1])
    changed = run(*command, option, file)
    assert changed.code == 2
    assert "is of another run: its options differs" in changed.stderr


def test_a_folder_in_which_nothing_is_detected(
    run, folder: Path, model: Path, tmp_path: Path
) -> None:
    (folder / "broken.mp4").unlink()
    command = ("track", folder, "--model", model, "-o", tmp_path / "out", "--detect", "face")
    for skipped in (False, True):
        finished = run(*command, "--json", "-")
        assert finished.code == 1
        assert outcomes(finished.stdout) == [
            (name, "nothing detected", skipped) for name in ("a.mp4", "b.mp4")
        ]
    assert names(tmp_path / "out") == ["a.mp4.done.json", "b.mp4.done.json"]


def test_a_folder_of_clips_without_objects(run, folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").unlink()
    finished = run("track", folder, "--model", model, "-o", tmp_path / "out")
    assert finished.code == 0
    assert "0 objects, 64 points, 6 frames" in finished.stdout


def test_folders_in_a_folder_are_mirrored(run, folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").unlink()
    (folder / "b.mp4").unlink()
    out = folder / "out"
    for place in ("x/y", "x/.hidden", "z", "out"):
        (folder / place).mkdir(parents=True)
    for name in ("x/a.mp4", "x/y/a.mp4", "x/.hidden/a.mp4", "out/a.mp4"):
        shutil.copy(folder / "a.mp4", folder / name)
    (folder / "z" / "loop").symlink_to(folder, target_is_directory=True)
    command = ("track", folder, "--model", model, "-o", out, "--boxes", "16,24,40,40")
    clips = ["a.mp4", "x/a.mp4", "x/y/a.mp4"]
    for skipped in (False, True):
        finished = run(*command, "--json", "-")
        assert finished.code == 0, finished.stderr
        assert outcomes(finished.stdout) == [(clip, "tracked", skipped) for clip in clips]
    kinds = ("boxes.csv", "done.json", "tracked.mp4", "tracks.npz")
    written = {f"{clip}.{kind}" for clip in clips for kind in kinds}
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == written | {"a.mp4"}
    shown = run(*command).stdout
    assert all(clip in shown for clip in clips)
    assert "preset" not in shown
    # A preset is what it stands for: other options, unless they are typed as they were.
    as_before = ("--gap-box", "moved", "--outlier-deviations", 2, "--displacement", "origin")
    as_before += ("--least-visible", "1/3", "--preset", "face-parsing")
    assert run(*command, "--preset", "face-parsing").code == 2
    again = run(*command, *as_before, "--json", "-")
    assert json.loads(again.stdout)["preset"] == "face-parsing"
    assert all(skipped for *_, skipped in outcomes(again.stdout))
    assert "preset   face-parsing" in run(*command, *as_before).stdout
    # Neither are they tracked when the outputs go elsewhere.
    other = run(*command[:5], tmp_path / "out", *command[6:], "--json", "-")
    assert [clip for clip, *_ in outcomes(other.stdout)] == ["a.mp4", "out/a.mp4", *clips[1:]]


def test_no_two_clips_write_one_file(run, folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").unlink()
    out = tmp_path / "out"
    for place in ("x", "y"):
        (folder / place).mkdir()
        shutil.copy(folder / "a.mp4", folder / place / "a.mp4")
        (out / place).symlink_to(tmp_path, target_is_directory=True)
    finished = run("track", folder, "--model", model, "-o", out)
    assert finished.code == 2
    assert "have the same output" in finished.stderr
    (out / "x").unlink()
    (out / "x").write_text("in the way")
    (out / "y").unlink()
    finished = run("track", folder, "--model", model, "-o", out)
    assert finished.code == 2
    assert f"{out / 'x'} is a file; expected a folder for outputs" in finished.stderr
    (out / "x").unlink()
    (out / "x").symlink_to("nothing")
    finished = run("track", folder, "--model", model, "-o", out)
    assert finished.code == 2
    assert f"Cannot make {out / 'x'}" in finished.stderr
    (out / "x").unlink()
    # An output that is a clip itself: in x/a.mp4's place stands a clip with its overlay's name.
    (out / "x").symlink_to(folder, target_is_directory=True)
    shutil.copy(folder / "a.mp4", folder / "a.mp4.tracked.mp4")
    finished = run("track", folder, "--model", model, "-o", out)
    assert finished.code == 2
    assert "is a clip of the folder itself" in finished.stderr


def test_folders_that_cannot_be_done(run, folder: Path, model: Path, tmp_path: Path) -> None:
    command = ("track", folder, "--model", model)
    for arguments, says in (
        ((), "name a folder for the outputs with -o"),
        (("-o", tmp_path / "no"), "does not exist; make it first"),
        (("-o", folder), "is the folder of the clips"),
        (("-o", tmp_path / "out", "--tracks", "a.npz"), "written into the folder -o"),
    ):
        finished = run(*command, *arguments)
        assert finished.code == 2
        assert says in finished.stderr
    (tmp_path / "empty").mkdir()
    for outputs in (("-o", tmp_path / "out"), ("--tracks", tmp_path / "a.npz"), ()):
        finished = run("track", tmp_path / "empty", "--model", model, *outputs)
        assert finished.code == 2
        assert "holds no clip" in finished.stderr
        assert "and no image" in finished.stderr
    (tmp_path / "out" / "a.mp4.done.json").write_text("{")
    finished = run(*command, "-o", tmp_path / "out")
    assert finished.code == 2
    assert "is not a record of this program" in finished.stderr


_PEAK = """
import sys
from locoexport.cli import main
from locoexport.machine.hardware import peak_memory

try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(peak_memory(), file=sys.stderr)
"""


@pytest.mark.slow
def test_memory_with_objects_does_not_grow_with_the_clip(model: Path, tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 60, (240, 320, 3)).astype(np.uint8)
    write_mp4(tmp_path / "c.mp4", (np.roll(frame, t, 1) for t in range(600)), 25)
    peaks = []
    for seconds in (8, 24):
        arguments = ("track", tmp_path / "c.mp4", "--model", model, "--boxes", "160,120,200,160")
        arguments += ("--end", seconds, "-o", tmp_path / "a.mp4", "--objects", tmp_path / "b.csv")
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, *map(str, arguments), "--force"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.split()[-1]))
    # The 400 frames more would be 92 MB; on a busy machine peaks of one length differ by 13 MB.
    assert peaks[1] - peaks[0] < 40e6, peaks
