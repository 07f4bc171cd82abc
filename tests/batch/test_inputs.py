"""What is named on the command line, and what it means."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from locoexport.batch.inputs import JobDefaults, collect_jobs
from locoexport.errors import InputError, UsageError, VideoError
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.sources.named import Images
from locoexport.runtime.video.selection import Selection

DEFAULTS = JobDefaults(PointSources(points="grid:3"), Selection(stride=2))


def names(*inputs: object) -> list[str]:
    return [job.clip.name for job in collect_jobs([str(i) for i in inputs], DEFAULTS)]


def test_paths_folders_and_patterns_in_order_and_once(clips: Path) -> None:
    assert names(clips / "c.mp4", clips) == ["c.mp4", "a.mp4", "b.mp4"]
    assert names(clips / "[ab].mp4") == ["a.mp4", "b.mp4"]
    assert names(clips.parent / "**" / "*.mp4") == ["a.mp4", "b.mp4", "c.mp4"]
    odd = clips / "[1].mp4"  # a name that is a pattern too
    odd.write_bytes(b"")
    assert names(odd) == ["[1].mp4"]


def test_a_csv_manifest_has_points_and_parts_by_row(clips: Path) -> None:
    manifest = clips / "list.csv"
    manifest.write_text(
        "clip,queries,points,start,end,stride,resize\n"
        "a.mp4,q.csv,,,,,\n"
        "b.mp4,,grid:2x3,0.5,1.5,3,24x32\n"
        "\n"
        "missing.mp4,,,,,,\n"
    )
    first, second, third = collect_jobs([manifest], DEFAULTS)
    assert first.clip == clips / "a.mp4"
    assert first.points == PointSources(query_file=clips / "q.csv")
    assert first.selection == DEFAULTS.selection
    assert second.points == PointSources(points="grid:2x3")
    assert second.selection == Selection(0.5, 1.5, 3, (24, 32))
    assert (third.clip.name, third.points) == ("missing.mp4", DEFAULTS.points)


def test_a_jsonl_manifest_says_the_same(clips: Path) -> None:
    manifest = clips / "list.jsonl"
    manifest.write_text(
        '{"clip": "a.mp4", "features": 5}\n\n{"clip": "b.mp4", "stride": 3, "end": 2.5}\n'
    )
    first, second = collect_jobs([manifest], DEFAULTS)
    assert first.points == PointSources(features=5)
    assert second.points == DEFAULTS.points
    assert second.selection == Selection(0.0, 2.5, 3)


def test_the_same_clip_with_other_points_is_another_job(clips: Path) -> None:
    manifest = clips / "list.csv"
    manifest.write_text("clip,points\na.mp4,grid:2\na.mp4,grid:4\na.mp4,grid:2\n")
    assert [job.points.points for job in collect_jobs([manifest], DEFAULTS)] == ["grid:2", "grid:4"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "clip,colour\na.mp4,red\n", "line 2: there is no column 'colour'"),
        ("a.csv", "clip,stride\na.mp4,fast\n", "line 2: stride is 'fast'"),
        ("a.csv", "clip,stride\na.mp4,0\n", "line 2: stride is 0"),
        ("a.csv", "clip,features\na.mp4,1.5\n", "features is '1.5'"),
        ("a.csv", "clip,points\na.mp4,8\n", "Points are given as grid:N"),
        ("a.csv", "clip,resize\na.mp4,8\n", "A size is HxW"),
        ("a.csv", "clip,stride\na.mp4\n", "number of columns differs"),
        ("a.csv", "clip,stride\na.mp4,1,2\n", "number of columns differs"),
        ("a.csv", "stride\n2\n", "it names no clip"),
        ("a.csv", "clip\n", "names no clip"),
        ("a.jsonl", "[1]\n", "line 1: expected an object"),
        ("a.jsonl", '{"clip": "a.mp4"}\n{"clip"', "line 2: it is not JSON"),
        ("a.jsonl", '{"clip": "a.mp4", "start": "x"}', "start is 'x'"),
        ("a.csv", None, "Cannot read"),
    ],
)
def test_bad_manifests_say_where(name: str, text: str | None, says: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=says):
        collect_jobs([tmp_path / name], DEFAULTS)


def test_a_manifest_of_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not a manifest"):
        collect_jobs([tmp_path / "a.csv"], DEFAULTS)


@pytest.mark.parametrize("name", ["no.mp4", "*.mp4", "no/**/*.mp4"])
def test_what_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        VideoError, match=r"There is no clip|No clip and no folder of images matches"
    ):
        collect_jobs([tmp_path / name], DEFAULTS)


def test_an_address_is_no_clip() -> None:
    with pytest.raises(VideoError, match=r"http://h/f\.mp4 is an address"):
        collect_jobs(["http://h/f.mp4"], JobDefaults())


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two folders of three images each, in a folder."""
    for shot in ("one", "two"):
        folder = tmp_path / "shots" / shot
        folder.mkdir(parents=True)
        for number in (8, 9, 10):
            image = np.full((48, 64, 3), number, np.uint8)
            cv2.imwrite(str(folder / f"f{number}.png"), image)
    return tmp_path / "shots"


def test_images_are_clips_by_folder_and_by_pattern(images: Path) -> None:
    assert names(images / "one") == ["one"]
    assert names(images) == ["one", "two"]
    assert names(images / "*") == ["one", "two"]
    assert names(images / "one" / "f%d.png") == ["f%d.png"]
    assert names(images / "one" / "*.png") == ["*.png"]
    # Images beside clips are no clips.
    (images / "a.mp4").write_bytes(b"")
    assert names(images) == ["a.mp4"]
    assert names(images / "*") == ["a.mp4", "one", "two"]


def test_the_rate_is_of_images(images: Path, clips: Path) -> None:
    defaults = JobDefaults(image_fps=12.0)
    jobs = collect_jobs([images, clips / "a.mp4"], defaults)
    assert [job.image_fps for job in jobs] == [12.0, 12.0, None]
    assert jobs[0].source == Images(images / "one", 12.0)
    with pytest.raises(UsageError, match="none are named"):
        collect_jobs([clips], defaults)
    manifest = images / "list.csv"
    manifest.write_text("clip,fps\none,\ntwo/f%d.png,30\n")
    assert [job.image_fps for job in collect_jobs([manifest], defaults)] == [12.0, 30.0]
    manifest.write_text(f"clip,fps\n{clips / 'a.mp4'},30\n")
    with pytest.raises(InputError, match=r"line 2: fps is for images"):
        collect_jobs([manifest], defaults)
    manifest.write_text("clip,fps\none,0\n")
    with pytest.raises(InputError, match=r"line 2: fps is 0"):
        collect_jobs([manifest], defaults)


@pytest.mark.parametrize(
    ("name", "said"),
    [("0", "camera"), ("-", "stdin"), ("rtsp://h/s", "address"), ("http://h/a?b=*", "address")],
)
def test_what_never_ends_is_refused(name: str, said: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match=said):
        collect_jobs([name], DEFAULTS)
    if name != "0":
        Path("list.csv").write_text(f"clip\n{name}\n")
        with pytest.raises(InputError, match=f"line 2: .*{said}"):
            collect_jobs(["list.csv"], DEFAULTS)


def test_a_row_of_points_keeps_the_order_of_the_command(clips: Path) -> None:
    manifest = clips / "list.csv"
    manifest.write_text("clip,queries\na.mp4,q.csv\n")
    (job,) = collect_jobs([manifest], JobDefaults(PointSources(query_order="txy")))
    assert job.points == PointSources(query_file=clips / "q.csv", query_order="txy")
