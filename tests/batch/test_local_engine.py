"""Worker processes: what they do, and what happens when they die."""

import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from batch_reading import clips_of, digests
from dying_worker import die_at_once

from locoexport.batch import local_engine
from locoexport.batch.clip_work import MAX_ATTEMPTS
from locoexport.batch.events import ClipDone, Event, WorkerDied
from locoexport.batch.jobs import ClipJob, ClipOutcome, WorkSettings
from locoexport.batch.local_engine import run_local
from locoexport.errors import MachineError, ModelFileError, OutputError
from locoexport.pipeline.tracking.many import track_many

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")


def children() -> list[psutil.Process]:
    """Worker processes of this one (not multiprocessing's own)."""
    found = []
    for process in psutil.Process().children():
        try:
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def outcomes(events: Iterator[Event]) -> dict[int, ClipOutcome]:
    return {event.index: event.outcome for event in events if isinstance(event, ClipDone)}


def test_jobs_are_done_in_processes_that_end(settings: WorkSettings, clips: Path) -> None:
    (clips / "d.mp4").write_text("no clip")
    jobs = [ClipJob(clips / f"{name}.mp4") for name in "abcd"]
    found = outcomes(run_local(jobs, settings, workers=2))
    assert [found[i].outcome for i in range(4)] == [*["tracked"] * 3, "failed"]
    assert clips_of(settings.out) == [str(job.clip) for job in jobs[:3]]
    assert children() == []


def test_a_model_that_cannot_be_opened_ends_the_run(settings: WorkSettings, clips: Path) -> None:
    (clips / "bad.onnx").write_text("no model")
    bad = replace(settings, model=clips / "bad.onnx")
    with pytest.raises(ModelFileError, match="cannot open"):
        outcomes(run_local([ClipJob(clips / "a.mp4")], bad, workers=1))
    assert children() == []


def test_a_full_disk_ends_the_run(settings: WorkSettings, clips: Path) -> None:
    shutil.rmtree(settings.out / "tracks")
    with pytest.raises(OutputError, match="Cannot write"):
        outcomes(run_local([ClipJob(clips / "a.mp4")], settings, workers=1))
    assert children() == []


@dataclass(frozen=True)
class Trap(ClipJob):
    """A job that kills the process in which it is unpacked."""

    def __reduce__(self) -> tuple:
        return kill_this_process, ()


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_clip_that_kills_its_worker_is_lost_alone(settings: WorkSettings, clips: Path) -> None:
    jobs = [Trap(clips / "c.mp4"), ClipJob(clips / "a.mp4"), ClipJob(clips / "b.mp4")]
    events = list(run_local(jobs, settings, workers=1))
    deaths = [event for event in events if isinstance(event, WorkerDied)]
    assert deaths == [WorkerDied(0, "SIGKILL")] * MAX_ATTEMPTS
    found = outcomes(iter(events))
    assert found[0].outcome == "lost"
    assert found[0].text == "its worker died 3 times (SIGKILL)"
    assert [found[i].outcome for i in (1, 2)] == ["tracked", "tracked"]
    assert len(list((settings.out / "records").iterdir())) == 2


def test_workers_that_never_get_ready_end_the_run(
    settings: WorkSettings, clips: Path, monkeypatch
) -> None:
    monkeypatch.setattr(local_engine, "_serve", die_at_once)
    monkeypatch.setattr(local_engine, "_MAX_STILLBORN", 2)
    with pytest.raises(MachineError, match=r"died before they were ready \(exit code 7\)"):
        outcomes(run_local([ClipJob(clips / "a.mp4")], settings, workers=1))


class Killer(threading.Thread):
    """Kills a worker now and then, by SIGKILL, until its block ends."""

    def __init__(self, every_s: float, *, most: int) -> None:
        super().__init__(daemon=True)
        self._every_s, self._most = every_s, most
        self._over = threading.Event()
        self._random = random.Random(0)
        self.killed = 0

    def run(self) -> None:
        while not self._over.wait(self._every_s) and self.killed < self._most:
            victims = children()
            if victims:
                os.kill(self._random.choice(victims).pid, signal.SIGKILL)
                self.killed += 1

    def __enter__(self) -> "Killer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def test_workers_killed_at_random_and_a_rerun(tmp_path: Path, model: Path, film) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(16):
        shutil.copy(film(number), clips / f"{number:02d}.mp4")
    calm = track_many([clips], model, tmp_path / "calm", workers=2)
    assert calm.passed
    assert calm.worker_deaths == 0
    with Killer(0.3, most=4) as killer:
        stormy = track_many([clips], model, tmp_path / "stormy", workers=2)
    assert killer.killed > 0
    assert stormy.worker_deaths > 0
    again = track_many([clips], model, tmp_path / "stormy", workers=2)
    assert again.passed
    assert clips_of(tmp_path / "stormy") == [str(clips / f"{i:02d}.mp4") for i in range(16)]
    assert digests(tmp_path / "stormy") == digests(tmp_path / "calm")
