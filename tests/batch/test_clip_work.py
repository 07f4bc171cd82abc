"""One clip from start to end, and what is remembered of it."""

import errno
import json
import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet
import pytest
from batch_reading import part_of
from synthetic_tracker import tracker_bytes

from locoexport.batch.clip_work import ClipWorker, OutputFolder, finished_earlier
from locoexport.batch.dataset import ClipPicture, read_part
from locoexport.batch.jobs import ClipJob, WorkSettings
from locoexport.batch.records import model_sha256
from locoexport.errors import MachineError, ModelFileError, OutputError
from locoexport.runtime.drawing.style import DrawingStyle
from locoexport.runtime.queries.sources import PointSources
from locoexport.runtime.tracking.tracker import PointTracker
from locoexport.runtime.tracks.tracks import read_tracks
from locoexport.runtime.video.clips import VideoReader
from locoexport.runtime.video.mp4 import write_mp4
from locoexport.runtime.video.selection import Selection


@pytest.fixture
def worker(settings: WorkSettings):
    with ClipWorker(settings) as worker:
        yield worker


def earlier(job: ClipJob, settings: WorkSettings, *, retry_failed: bool = False):
    return finished_earlier(job, settings, retry_failed=retry_failed)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_clip_becomes_its_tracks(worker, settings, clips: Path, model: Path) -> None:
    job = ClipJob(clips / "a.mp4", PointSources(points="grid:2"), Selection(stride=2))
    assert earlier(job, settings) is None
    frames: list[int] = []
    outcome = worker.work(job, frames.append)
    assert (outcome.outcome, outcome.points, outcome.frames) == ("tracked", 4, 2)
    assert not outcome.skipped
    assert frames[-1] == 2
    table = pyarrow.parquet.read_table(part_of(settings, outcome))
    with PointTracker(model) as tracker:
        from locoexport.runtime.video.sources import open_source

        source = open_source(job.clip, job.selection)
        expected = tracker.track(source, [[0, y, x] for y in (12, 36) for x in (16, 48)])
    assert np.array_equal(table["x"].to_numpy().reshape(4, 2), expected.xy[..., 0])
    assert np.array_equal(table["confidence"].to_numpy().reshape(4, 2), expected.confidence)
    again = earlier(job, settings)
    assert again == replace(outcome, skipped=True, seconds=0.0)


def test_content_counts_and_not_the_name(worker, settings, clips: Path) -> None:
    job = ClipJob(clips / "a.mp4")
    first = worker.work(job)
    written = part_of(settings, first).stat().st_mtime_ns
    # Touched: the record does not fit any more, but the bytes do.
    os.utime(job.clip, ns=(1, 1))
    assert earlier(job, settings) is None
    again = worker.work(job)
    assert (again.skipped, again.clip_id) == (True, first.clip_id)
    assert earlier(job, settings) is not None
    # A copy of another name is the same clip.
    shutil.copy(job.clip, clips / "copy.mp4")
    assert worker.work(ClipJob(clips / "copy.mp4")).skipped
    assert part_of(settings, first).stat().st_mtime_ns == written
    # Other bytes under the old name are another clip.
    shutil.copy(clips / "b.mp4", job.clip)
    assert earlier(job, settings) is None
    other = worker.work(job)
    assert (other.skipped, other.clip_id == first.clip_id) == (False, False)


def test_options_and_model_make_other_tracks(worker, settings, clips: Path) -> None:
    queries = clips / "q.csv"
    queries.write_text("0,1,2\n")
    jobs = [
        ClipJob(clips / "a.mp4"),
        ClipJob(clips / "a.mp4", PointSources(points="grid:2")),
        ClipJob(clips / "a.mp4", PointSources(query_file=queries)),
        ClipJob(clips / "a.mp4", selection=Selection(stride=2)),
    ]
    ids = [worker.work(job).clip_id for job in jobs]
    queries.write_text("0,1,3\n")
    assert earlier(jobs[2], settings) is None
    ids.append(worker.work(jobs[2]).clip_id)
    model = clips / "other.onnx"
    model.write_bytes(tracker_bytes(points="n"))
    with ClipWorker(replace(settings, model=model, model_sha256=model_sha256(model))) as other:
        ids.append(other.work(jobs[0]).clip_id)
    assert len(set(ids)) == len(ids) == 6
    assert len(names(settings.out / "tracks")) == 6


def test_a_model_that_was_replaced_is_not_tracked_with(
    settings: WorkSettings, tmp_path: Path
) -> None:
    # A redeploy, between the driver that named the results and the worker that makes them.
    other = tmp_path / "other.onnx"
    other.write_bytes(tracker_bytes(points="n"))
    with pytest.raises(ModelFileError, match="was replaced since this run began"):
        ClipWorker(replace(settings, model=other))


def test_a_bad_clip_is_recorded_until_it_changes(worker, settings, clips: Path) -> None:
    job = ClipJob(clips / "bad.mp4")
    job.clip.write_text("no video")
    outcome = worker.work(job)
    assert outcome.outcome == "failed"
    assert "cannot be read as a video" in outcome.text
    known = earlier(job, settings)
    assert known is not None
    assert (known.outcome, known.text, known.skipped) == ("failed", outcome.text, True)
    assert earlier(job, settings, retry_failed=True) is None
    shutil.copy(clips / "a.mp4", job.clip)
    assert earlier(job, settings) is None
    assert worker.work(job).outcome == "tracked"


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (PointSources(queries=("9,1,1",)), "has t = 9"),
        (PointSources(query_file=Path("no.csv")), "Cannot read no.csv"),
        (PointSources(queries=("0,1,99",)), "has x = 99"),
    ],
)
def test_bad_points_fail_their_clip(points, says: str, worker, settings, clips: Path) -> None:
    job = ClipJob(clips / "a.mp4", points)
    outcome = worker.work(job)
    assert outcome.outcome == "failed"
    assert says in outcome.text
    assert earlier(job, settings) is not None
    assert names(settings.out / "tracks") == []


def test_a_clip_that_is_not_there(worker, settings, clips: Path) -> None:
    job = ClipJob(clips / "later.mp4")
    outcome = worker.work(job)
    assert outcome.outcome == "failed"
    assert "Cannot read" in outcome.text
    assert earlier(job, settings) is not None
    shutil.copy(clips / "a.mp4", job.clip)
    assert earlier(job, settings) is None


def test_what_is_not_the_clips_fault_is_not_recorded(
    worker, settings, clips: Path, monkeypatch, capsys
) -> None:
    job = ClipJob(clips / "a.mp4")
    for error, says in (
        (MachineError("no memory"), "no memory"),
        (KeyError("x"), "a bug in locoexport"),
    ):
        monkeypatch.setattr(PointTracker, "track", raising(error))
        outcome = worker.work(job)
        assert outcome.outcome == "lost"
        assert says in outcome.text
        assert earlier(job, settings) is None
    assert "KeyError" in capsys.readouterr().err
    monkeypatch.undo()
    assert worker.work(job).outcome == "tracked"


def test_a_full_disk_leaves_nothing_behind(worker, settings, clips: Path, monkeypatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", raising(full))
    job = ClipJob(clips / "a.mp4")
    with pytest.raises(OutputError, match="No space left on device"):
        worker.work(job)
    assert names(settings.out / "tracks") == names(settings.out / "records") == []
    monkeypatch.undo()
    assert worker.work(job).outcome == "tracked"


def test_files_besides(settings, clips: Path) -> None:
    job = ClipJob(clips / "a.mp4", PointSources(points="grid:2"))
    with ClipWorker(settings) as worker:
        plain = worker.work(job)
    more = replace(settings, tracks_suffix=".npz", overlays=True)
    assert earlier(job, more) is None  # done, but not with these files
    with ClipWorker(more) as worker:
        outcome = worker.work(job)
    assert outcome.clip_id == plain.clip_id is not None
    stem = f"a.mp4.{outcome.clip_id[:8]}"
    assert names(settings.out / "files") == [f"{stem}.tracked.mp4", f"{stem}.tracks.npz"]
    tracks = read_tracks(settings.out / "files" / f"{stem}.tracks.npz")
    assert tracks.xy.shape == (4, 4, 2)
    assert earlier(job, more) is not None
    assert earlier(job, settings) is not None


def test_a_record_of_somebody_else_counts_for_nothing(worker, settings, clips: Path) -> None:
    job = ClipJob(clips / "a.mp4")
    worker.work(job)
    (record,) = OutputFolder(settings.out).records.iterdir()
    assert json.loads(record.read_text())["schema"] == "locoexport.tracked-clip/1"
    record.write_text("{")
    assert earlier(job, settings) is None
    assert worker.work(job).skipped
    assert earlier(job, settings) is not None


def raising(error: Exception):
    def fail(*_args: object, **_options: object) -> None:
        raise error

    return fail


def _forge(path: Path, facts: bytes) -> None:
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.replace_schema_metadata({b"locoexport.clip": facts}), path)


@pytest.mark.parametrize(
    "change",
    [
        {"points": "4"},
        {"points": 10**30},
        {"points": 3},
        {"fps": "x"},
        {"fps": -1},
        {"clip": {"a": 1}},
        {"clip_id": "../../x"},
        {"height": None},
        {"schema": "other"},
        None,
    ],
)
def test_a_forged_file_of_tracks_is_done_again(worker, settings, clips: Path, change) -> None:
    job = ClipJob(clips / "a.mp4", PointSources(points="grid:2"))
    first = worker.work(job)
    part = part_of(settings, first)
    said = json.loads(pyarrow.parquet.read_metadata(part).metadata[b"locoexport.clip"])
    _forge(part, b"[" * 100_000 if change is None else json.dumps(said | change).encode())
    assert earlier(job, settings) is None
    again = worker.work(job)
    assert (again.outcome, again.skipped, again.points) == ("tracked", False, 4)
    assert json.loads(pyarrow.parquet.read_metadata(part).metadata[b"locoexport.clip"]) == said


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"PAR1"])
def test_a_damaged_file_of_tracks_is_done_again(worker, settings, clips: Path, content) -> None:
    job = ClipJob(clips / "a.mp4", PointSources(points="grid:2"))
    part = part_of(settings, worker.work(job))
    part.write_bytes(content)
    assert earlier(job, settings) is None
    assert worker.work(job).points == 4
    assert pyarrow.parquet.read_table(part).num_rows > 0


@pytest.mark.parametrize("clip_id", ["../../../../etc/passwd", 5, None, ["a"], "0" * 32])
def test_a_record_of_another_clip_is_no_record(worker, settings, clips: Path, clip_id) -> None:
    job = ClipJob(clips / "a.mp4", PointSources(points="grid:2"))
    worker.work(job)
    (record,) = OutputFolder(settings.out).records.glob("*.json")
    document = json.loads(record.read_text())
    document["result"] |= {"clip_id": clip_id, "points": "x"}
    record.write_text(json.dumps(document))
    assert earlier(job, settings) is None


def test_a_clip_with_a_long_name_and_wide_pixels(settings, clips: Path) -> None:
    name = "長" * 83 + ".mp4"
    write_mp4(
        clips / name, np.full((3, 48, 64, 3), 90, np.uint8), 10, pixel_aspect=Fraction(16, 15)
    )
    settings = replace(settings, overlays=True, tracks_suffix=".npz")
    with ClipWorker(settings) as worker:
        outcome = worker.work(ClipJob(clips / name, PointSources(points="grid:1")))
    assert outcome.outcome == "tracked", outcome.text
    (film,) = OutputFolder(settings.out).files.glob("長*.tracked.mp4")
    assert VideoReader(film).pixel_aspect == Fraction(16, 15)


def test_a_folder_of_images_is_a_clip_by_its_content(worker, settings, tmp_path: Path) -> None:
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in (8, 9, 10):
        image = np.full((48, 64, 3), 20 * number, np.uint8)
        cv2.imwrite(str(folder / f"f{number}.png"), image)
    job = ClipJob(folder, PointSources(points="grid:2"), image_fps=4.0)
    outcome = worker.work(job)
    assert (outcome.outcome, outcome.points, outcome.frames) == ("tracked", 4, 3)
    assert outcome.warnings == ()
    table = pyarrow.parquet.read_table(part_of(settings, outcome))
    assert table["time_s"].to_pylist() == [0.0, 0.25, 0.5] * 4
    assert earlier(job, settings) == replace(outcome, skipped=True, seconds=0.0)
    # Another rate is another job; none is 25, which is told.
    other = worker.work(replace(job, image_fps=None))
    assert not other.skipped
    assert "25 a second" in other.warnings[0]
    # Its pattern stands for the same bytes.
    same = worker.work(replace(job, clip=folder / "f%d.png"))
    assert (same.skipped, same.clip_id) == (True, outcome.clip_id)
    # Another order of the same images is another clip.
    (folder / "f8.png").rename(folder / "f11.png")
    assert earlier(job, settings) is None
    assert worker.work(job).clip_id != outcome.clip_id


def test_repeated_frames_and_the_picture_are_kept(worker, settings, clips: Path) -> None:
    outcome = worker.work(ClipJob(clips / "a.mp4", selection=Selection(on_damage="continue")))
    part = read_part(part_of(settings, outcome))
    assert part is not None
    assert part.facts.picture == ClipPicture((48, 64))


def test_a_style_counts_where_it_is_drawn(settings: WorkSettings, clips: Path) -> None:
    job, style = ClipJob(clips / "a.mp4"), DrawingStyle(trail_frames=0)
    plain = settings.options_of(job)
    assert replace(settings, style=style).options_of(job) == plain
    assert replace(settings, overlays=True).options_of(job) == plain
    drawn = replace(settings, overlays=True, style=style).options_of(job)
    assert drawn.pop("style")["trail_frames"] == 0
    assert drawn == plain
