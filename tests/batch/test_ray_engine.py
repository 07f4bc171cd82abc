"""The same clips by Ray Data, on a cluster of this machine. Skipped, never passed, without ray."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from batch_reading import clips_of, digests

from locoexport.batch.clip_work import MAX_ATTEMPTS, OutputFolder
from locoexport.batch.jobs import ClipJob, WorkSettings, job_id
from locoexport.batch.ray_engine import TrackingActor
from locoexport.pipeline.tracking.many import track_many


def test_ray_does_what_processes_do(clips: Path, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed (locoexport[ray])")
    (clips / "bad.mp4").write_text("no video")
    command = [sys.executable, "-m", "locoexport", "track-many", clips, "--model", model]
    command += ["--out", tmp_path / "ray", "--engine", "ray", "--workers", "2", "--threads", "1"]
    done = subprocess.run(list(map(str, [*command, "--json", "-"])), capture_output=True, text=True)
    if "timed out during startup" in done.stderr:
        pytest.skip("Ray's own processes do not come up in the 30 s that it gives them")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert (document["tracked"], document["failed"], document["engine"]) == (3, 1, "ray")
    local = track_many([clips], model, tmp_path / "local", workers=1)
    assert local.count("tracked") == 3
    assert digests(tmp_path / "ray") == digests(tmp_path / "local")
    assert clips_of(tmp_path / "ray") == [str(clips / f"{name}.mp4") for name in "abc"]


def test_a_clip_that_kills_actors_is_given_up(settings: WorkSettings, clips: Path) -> None:
    job, other = ClipJob(clips / "a.mp4"), ClipJob(clips / "b.mp4")
    name = job_id(job, settings.model_sha256, settings.options_of(job))
    tally = OutputFolder(settings.out).tally(name)
    actor = TrackingActor(settings)
    batch = {"index": [0, 1], "job": [pickle.dumps(job), pickle.dumps(other)]}
    for died, outcome in ((MAX_ATTEMPTS - 1, "tracked"), (MAX_ATTEMPTS, "lost")):
        tally.write_bytes(b"|" * died)
        first, second = (pickle.loads(each) for each in actor(batch)["outcome"])
        assert (first.outcome, second.outcome) == (outcome, "tracked")
        assert not tally.exists()
    assert first.text == "its actor died 3 times"


def test_a_full_disk_is_told_to_the_driver(settings: WorkSettings, clips: Path) -> None:
    actor = TrackingActor(settings)
    shutil.rmtree(settings.out / "records")
    batch = {"index": [0], "job": [pickle.dumps(ClipJob(clips / "a.mp4"))]}
    (error,) = (pickle.loads(each) for each in actor(batch)["outcome"])
    assert "Cannot write" in str(error)
