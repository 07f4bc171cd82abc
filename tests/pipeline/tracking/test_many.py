"""``track-many``: the command and the function, from start to end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pyarrow.parquet
import pytest
from batch_reading import clips_of, digests

from locoexport.batch.inputs import JobDefaults
from locoexport.cli import main
from locoexport.errors import OutputError, UsageError
from locoexport.notices import Notice
from locoexport.pipeline.tracking import many as module
from locoexport.pipeline.tracking.many import track_many
from locoexport.runtime.queries.sources import PointSources


def command(*arguments: object, before: str = ":") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "locoexport", "track-many", *map(str, arguments)]
    shell = ["bash", "-c", f'{before}; exec "$@"', "bash"]
    return subprocess.run(shell + program, capture_output=True, text=True)


@pytest.mark.slow
def test_the_command_tracks_skips_and_retries(clips: Path, model: Path, tmp_path: Path) -> None:
    (clips / "bad.mp4").write_text("no video")
    out = tmp_path / "out"
    arguments = (clips, "--model", model, "--out", out, "--points", "grid:2", "--workers", 2)
    first = command(*arguments, "--tracks", "csv")
    assert first.returncode == 1, first.stderr
    assert "3 of 4 tracked, 1 failed\n" in first.stdout
    assert "cannot be read as a video" in first.stdout
    assert f"warning: {clips / 'bad.mp4'} failed: " in first.stderr
    assert clips_of(out) == [str(clips / f"{name}.mp4") for name in "abc"]
    assert len(list((out / "files").glob("*.tracks.csv"))) == 3
    rows = pyarrow.parquet.read_table(out / "clips.parquet").to_pylist()
    assert [row["outcome"] for row in rows] == ["tracked", "tracked", "failed", "tracked"]
    assert [row["frames"] for row in rows] == [4, 4, None, 4]
    written = digests(out)
    # Again: nothing to do, and the failure still stands.
    second = command(*arguments, "--json", "-")
    assert second.returncode == 1
    document = json.loads(second.stdout)
    assert document["schema"] == "locoexport.track-many/1"
    assert (document["skipped"], document["failed"], document["frames"]) == (4, 1, 0)
    # What was wrong with it was not its content: --retry-failed does it again.
    points = JobDefaults(PointSources(points="grid:2"))
    third = track_many([clips], model, out, defaults=points, workers=1, retry_failed=True)
    assert (third.skipped, third.count("failed")) == (3, 1)
    shutil.copy(clips / "a.mp4", clips / "bad.mp4")
    assert track_many([clips], model, out, defaults=points, workers=1).passed
    assert digests(out) == written  # the same bytes as a.mp4


@pytest.mark.slow
def test_ctrl_c_and_a_killed_driver_lose_nothing(film, model: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(16):
        shutil.copy(film(number), clips / f"{number:02d}.mp4")
    os.mkfifo(clips / "zz.mp4")  # never ends, so the driver is caught at work
    out = tmp_path / "out"
    arguments = [
        sys.executable,
        "-m",
        "locoexport",
        "track-many",
        clips / "*.mp4",
        clips / "zz.mp4",
    ]
    arguments += ["--model", model, "--out", out, "--workers", "2"]
    for kill, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        driver = subprocess.Popen(list(map(str, arguments)), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not list(out.glob("tracks/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.02)
        driver.send_signal(kill)
        assert driver.wait(30) == code
    (clips / "zz.mp4").unlink()
    report = track_many([clips], model, out, workers=1)
    assert report.passed
    assert clips_of(out) == [str(clips / f"{i:02d}.mp4") for i in range(16)]
    assert [path for path in out.rglob(".*") if path.name != ".lock"] == []


def test_one_run_at_a_time(clips: Path, model: Path, tmp_path: Path) -> None:
    assert track_many([clips / "a.mp4"], model, tmp_path / "out", workers=1).passed
    with (
        filelock.FileLock(tmp_path / "out" / ".lock"),
        pytest.raises(OutputError, match="Another run is writing"),
    ):
        track_many([clips], model, tmp_path / "out")


@pytest.mark.slow
def test_a_disk_without_room_keeps_what_is_done(clips: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--model", model, "--out", out, "--points", "grid:20", "--workers", 2)
    assert command(clips / "a.mp4", *arguments).returncode == 0
    done = digests(out)
    # No file may be longer than a kilobyte: the first clip's write fails.
    full = command(clips, *arguments, before="ulimit -f 1")
    assert full.returncode == 2
    assert "error: Cannot write" in full.stderr
    assert digests(out) == done
    assert [path for path in out.rglob(".*") if path.name != ".lock"] == []
    assert command(clips, *arguments).returncode == 0
    assert clips_of(out) == [str(clips / f"{name}.mp4") for name in "abc"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"address": "auto"}, "needs --engine ray"),
    ],
)
def test_wrong_use(options: dict, says: str, clips: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        track_many([clips], model, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_folders_are_not_made_nor_taken_over(clips: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist; make it first"):
        track_many([clips], model, tmp_path / "no" / "out")
    with pytest.raises(OutputError, match="holds other things"):
        track_many([clips], model, clips)


def test_cores_are_shared_out(monkeypatch) -> None:
    monkeypatch.setattr(module, "read_cpu", lambda: Machine(usable_cores=8))
    monkeypatch.setattr(module, "read_memory", lambda: Machine(available=5 << 30))
    share_out = module._share_out
    assert share_out("cpu", None, None, None) == (2, 4)  # two times 2 GiB fit
    assert share_out("cpu", None, None, "500MB") == (8, 1)
    assert share_out("cpu", None, 4, None) == (2, 4)
    assert share_out("cpu", 3, None, None) == (3, 2)
    assert share_out("cpu", 16, None, None) == (16, 1)
    assert share_out("cuda", None, None, None) == (1, 8)


class Machine:
    def __init__(self, **facts: int) -> None:
        vars(self).update(facts)


def test_progress_tells_rate_failures_and_time_left(
    clips: Path, model: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("locoexport.pipeline.tracking.progress._REPORT_EVERY_S", 0.0)
    (clips / "bad.mp4").write_text("no video")
    said: list[Notice] = []
    track_many([clips], model, tmp_path / "out", workers=1, notify=said.append)
    bars = [(notice.done, notice.total) for notice in said if notice.done is not None]
    assert bars[0] == (0, 4)
    assert bars[-1] == (4, 4)
    lines = [notice.text for notice in said if notice.done is None and not notice.warning]
    assert lines[0].startswith("0 of 4 clips, 0.0 frames/s, 0 not tracked")
    assert any("not tracked, 0 min" in line and line.endswith("s left") for line in lines)
    assert lines[-1].startswith("4 of 4 clips, ")
    assert lines[-1].endswith("1 not tracked")


def test_missing_packages_are_exit_3(clips: Path, model: Path, tmp_path: Path, monkeypatch, capsys):
    import importlib.util

    find_spec = importlib.util.find_spec
    absent = {"pyarrow", "ray"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in absent else find_spec(name)
    )
    arguments = ["locoexport", "track-many", str(clips), "--model", str(model)]
    for engine, extra in (("local", "many"), ("ray", "ray")):
        more = ["--out", str(tmp_path / "out"), "--engine", engine]
        monkeypatch.setattr(sys, "argv", arguments + more)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 3
        said = capsys.readouterr().err
        assert "pyarrow" in said
        assert f"locoexport[{extra}]" in said.replace("\n", "")
    assert not (tmp_path / "out").exists()
