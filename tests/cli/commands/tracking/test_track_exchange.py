"""``track --tracks`` for another program, by the file's suffix."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from exchange_readers import read_coco
from loopback import serving
from nuke_script import read_tracker4

from locoexport.runtime.tracks.tracks import read_tracks
from locoexport.runtime.video.mp4 import write_mp4

HEIGHT = 48  # of the clip that the fixtures make


@pytest.fixture
def track(exported: Path, clip: Path, run, tmp_path: Path):
    """Run ``track`` on the clip, with an overlay that nobody looks at."""
    common = ("--points", "grid:2", "-o", tmp_path / "film.mp4", "--force")
    return lambda *arguments: run("track", clip, "--model", exported, *common, *arguments)


def test_a_suffix_tells_the_program(track, tmp_path: Path) -> None:
    own, nuke, coco = tmp_path / "t.npz", tmp_path / "t.nk", tmp_path / "t.coco.json"
    for path in (own, nuke, coco):
        finished = track("--tracks", path)
        assert finished.code == 0, finished.stderr
        assert "warning" not in finished.stderr
    xy = read_tracks(own).xy
    curves = read_tracker4(nuke.read_text())
    places, _ = read_coco(coco.read_text())
    for point, (curve, place) in enumerate(zip(curves, places.values(), strict=True)):
        assert list(curve["track_x"]) == [1, 2, 3]
        np.testing.assert_allclose(list(curve["track_x"].values()), xy[point, :, 0], atol=1e-4)
        turned = HEIGHT - np.array(list(curve["track_y"].values()))
        np.testing.assert_allclose(turned, xy[point, :, 1], atol=1e-4)
        np.testing.assert_allclose(np.array(list(place.values())) + 0.5, xy[point], atol=1e-4)


@pytest.mark.parametrize(("name", "told"), [("t.3de.txt", True), ("t.csv", False)])
def test_frames_that_are_not_the_clips_are_told(
    name: str, told: bool, exported: Path, run, tmp_path: Path
) -> None:
    clip, path = tmp_path / "five.mp4", tmp_path / name
    write_mp4(clip, np.zeros((5, HEIGHT, 80, 3), np.uint8), 10)
    options = ("--model", exported, "-o", tmp_path / "film.mp4", "--points", "grid:2")
    finished = run("track", clip, *options, "--tracks", path, "--stride", 2)
    assert finished.code == 0, finished.stderr
    assert (f"{name} numbers the tracked frames" in finished.stderr) == told


@pytest.mark.parametrize("part", [("--end", "0.25"), ("--max-frames", "3")])
@pytest.mark.parametrize("kind", ["file", "images", "address"])
def test_a_part_of_anything_goes_to_another_program(
    kind: str, part: tuple[str, str], exported: Path, run, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, HEIGHT, 80, 3)).astype(np.uint8)
    write_mp4(tmp_path / "a.mp4", images, 10)
    (tmp_path / "images").mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), image)
    with serving({"/a.mp4": (tmp_path / "a.mp4").read_bytes()}) as served:
        sources = {
            "file": (tmp_path / "a.mp4",),
            "images": (tmp_path / "images", "--fps", 10),
            "address": ("--url", f"{served.url}/a.mp4"),
        }
        options = ("--model", exported, "--points", "grid:2", "--tracks", tmp_path / "t.xml")
        finished = run("track", *sources[kind], *part, *options)
    assert finished.code == 0, finished.stderr
    assert "Interrupted" not in finished.stderr
    stated = 3 if kind == "address" else 5  # CVAT's frames are those of all that is read again
    assert f"<size>{stated}</size>" in (tmp_path / "t.xml").read_text()


def test_a_suffix_of_two_programs_is_refused(track, tmp_path: Path) -> None:
    finished = track("--tracks", tmp_path / "t.txt")
    assert finished.code == 2
    assert ".3de.txt" in finished.stderr
    assert not (tmp_path / "film.mp4").exists()


def test_points_of_objects_go_to_another_program_too(
    exported: Path, clip: Path, run, tmp_path: Path
) -> None:
    own, coco = tmp_path / "t.npz", tmp_path / "t.coco.json"
    for path in (own, coco):
        options = ("--boxes", "8,8,40,40", "--object-grid", "2", "-o", tmp_path / "film.mp4")
        finished = run(*("track", clip, "--model", exported, *options, "--tracks", path, "--force"))
        assert finished.code == 0, finished.stderr
    tracks = read_tracks(own)
    places, flags = read_coco(coco.read_text())  # and not our own .json under that name
    assert len(places) == tracks.points > 0
    for point, (place, flag) in enumerate(zip(places.values(), flags.values(), strict=True)):
        assert [value == 2 for value in flag.values()] == tracks.visible[point].tolist()
        for frame, value in flag.items():
            if value:
                back = np.array(place[frame]) + 0.5
                np.testing.assert_allclose(back, tracks.xy[point, frame], atol=1e-4)
