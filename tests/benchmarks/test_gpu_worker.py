"""benchmarks/gpu_worker.py: a part that dies or hangs takes no other with it."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from gpu_setting import Setting
from gpu_worker import Worker


def act(connection: Connection, setting: Setting) -> None:
    """What the process does: as each part says."""
    os.setsid()
    while True:
        part = connection.recv()
        if part == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if part == "hang":
            time.sleep(600)
        connection.send({"state": "measured", "part": part, "process": os.getpid()})


def refuse(connection: Connection, setting: Setting) -> None:
    """A process that cannot begin, as where a package is missing."""
    sys.exit(7)


@pytest.fixture
def worker(tmp_path):
    made = Worker(Setting("cpu", True, None, tmp_path), act)
    yield made
    made.close()


def test_a_part_that_dies_or_hangs_takes_no_other_with_it(worker) -> None:
    first, second = worker.measure("a", 60), worker.measure("b", 60)
    assert (first["part"], second["part"]) == ("a", "b")
    assert first["process"] == second["process"]
    died = worker.measure("die", 60)
    assert died["state"] == "failed"
    assert died["error"] == "the process that measured it died of SIGKILL"
    third = worker.measure("c", 60)
    assert third["state"] == "measured"
    hung = worker.measure("hang", 0.5)
    assert hung["state"] == "unfinished"
    assert 0.5 <= hung["seconds"] < 60
    with pytest.raises(ProcessLookupError):
        os.kill(third["process"], 0)
    assert worker.measure("d", 60)["part"] == "d"


def test_a_process_that_cannot_begin_fails_its_part(tmp_path) -> None:
    worker = Worker(Setting("cpu", True, None, tmp_path), refuse)
    for _ in range(2):
        row = worker.measure("a", 60)
        assert row["state"] == "failed"
        assert row["error"] == "the process that measured it ended with 7"


def test_closing_what_was_never_started_is_nothing(tmp_path) -> None:
    Worker(Setting("cpu", True, None, tmp_path)).close()
