"""A killed run's drafts go with the next one; those of a living process, or of others, never."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from locoexport.machine.writing import drafts as module
from locoexport.machine.writing.drafts import abandon_drafts, draft_folder, scratch_folder, sweep

HOLDS_A_DRAFT = """
import sys, time
from pathlib import Path
from locoexport.machine.writing.drafts import draft_folder
with draft_folder(Path(sys.argv[1])) as drafts:
    (drafts / "half").write_text("half")
    (drafts / "folder").mkdir()
    (drafts / "folder" / "more").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


def start(folder: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_DRAFT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL and flock")
def test_a_killed_process_leaves_a_draft_that_the_next_one_removes(tmp_path: Path) -> None:
    (tmp_path / ".locoexport-mine").mkdir()  # a user's own
    (tmp_path / ".locoexport-mine" / "file").write_text("x")
    process = start(tmp_path)
    try:
        sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2  # it lives
    finally:
        end(process)
    assert len(list(tmp_path.iterdir())) == 2
    with draft_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".locoexport-mine"]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL and flock")
@pytest.mark.parametrize("case", ["other user", "other machine", "no lock", "link", "symlinked"])
def test_what_is_not_certainly_ours_stays(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    end(start(folder))
    (home,) = folder.iterdir()
    if case == "other user":
        monkeypatch.setattr(os, "getuid", lambda: home.stat().st_uid + 1)
    elif case == "other machine":
        (home / "owner.lock").write_text("locoexport draft of elsewhere\n")
    elif case == "no lock":
        (home / "owner.lock").write_text("")  # not held yet
    elif case == "link":
        (home / "owner.lock").rename(tmp_path / "lock")
        (home / "owner.lock").symlink_to(tmp_path / "lock")
    else:
        home.rename(tmp_path / "real")
        home.symlink_to(tmp_path / "real")
    sweep(folder)
    assert (home / "new" / "half").read_text() == "half"


@pytest.mark.skipif(os.name == "nt", reason="needs flock")
def test_an_empty_leftover_goes_once_it_is_old(tmp_path: Path) -> None:
    folder = tmp_path / ".locoexport-0123456789ab"
    folder.mkdir()
    sweep(tmp_path)
    assert folder.exists()  # it may be a living process's, which will lock it in a moment
    os.utime(folder, (time.time() - 7200,) * 2)
    sweep(tmp_path)
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_links_in_a_leftover_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    folder = tmp_path / "folder"
    folder.mkdir()
    process = start(folder)
    (home,) = folder.iterdir()
    (home / "link").symlink_to(kept)
    (home / "new" / "link").symlink_to(kept)
    end(process)
    sweep(folder)
    assert not list(folder.iterdir())
    assert (kept / "file").exists()


def test_abandoned_drafts_are_gone_while_the_process_lives(tmp_path: Path) -> None:
    with draft_folder(tmp_path) as drafts:
        (drafts / "half").write_text("half")
        abandon_drafts()
        assert not list(tmp_path.iterdir())
    assert not module._drafts_of_this_process


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch) -> None:
    if module.fcntl is None:
        pytest.skip("this system has no flock")

    def refuse(*_arguments: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with draft_folder(tmp_path) as drafts:
        sweep(tmp_path)
        assert drafts.is_dir()
    assert not list(tmp_path.iterdir())


def test_without_flock_nothing_is_taken_for_a_leftover(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "fcntl", None)
    with draft_folder(tmp_path) as drafts:
        sweep(tmp_path)
        assert drafts.is_dir()
    assert not list(tmp_path.iterdir())


def test_scratch_lies_in_the_temporary_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.is_relative_to(tmp_path)
    assert not list(tmp_path.iterdir())
