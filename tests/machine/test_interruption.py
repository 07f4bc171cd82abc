"""Signals end a process of ours wherever it is, and leave nothing; a library's user keeps his."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from locoexport.machine.interruption import EndingSignals, stoppable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

BEGIN = """
import ctypes, os, signal, sys, threading, time
from pathlib import Path
from locoexport.machine.writing.drafts import draft_folder
from locoexport.machine.interruption import EndingSignals, stoppable

folder = Path(sys.argv[1])

def say(text):
    os.write(1, (text + "\\n").encode())

def get_stuck():
    \"\"\"In C, where no signal is noticed: the second lock of a mutex never returns.\"\"\"
    mutex = ctypes.create_string_buffer(256)
    lock = ctypes.CDLL(None).pthread_mutex_lock
    lock(mutex)
    say("ready")
    lock(mutex)

"""
STUCK = """
with EndingSignals(lambda number: say(f"last words {number}")).handled():
    with draft_folder(folder) as drafts:
        (drafts / "half").write_text("half")
        get_stuck()
"""
STOPPABLE = """
stopped = threading.Event()
with EndingSignals(lambda number: say("last words")).handled():
    try:
        with draft_folder(folder), stoppable(stopped.set):
            say("ready")
            thread = threading.Thread(target=stopped.wait)
            thread.start()
            thread.join()
            time.sleep(600)
    finally:
        say("unwound")
"""
ENDLESS_FINALLY = """
with EndingSignals(lambda number: say("last words")).handled():
    with draft_folder(folder):
        try:
            say("ready")
            time.sleep(600)
        finally:
            say("unwinding")
            time.sleep(600)
"""
IGNORED = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
with EndingSignals().handled():
    say("ready")
    time.sleep(600)
"""


def end_by(number: signal.Signals, program: str, folder: Path) -> tuple[int, str, float]:
    """Exit code, what it said after it was ready, and seconds from the signal to its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + program, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        begun = time.monotonic()
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said, time.monotonic() - begun
    finally:
        process.kill()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_thread_stuck_in_c_is_left(name: str, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("a mutex of zeros is Linux's")
    number = signal.Signals[name]
    code, said, _ = end_by(number, STUCK, tmp_path)
    assert (code, said) == (128 + number, f"last words {number.value}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "code"), [("SIGINT", -2), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_call_that_can_be_stopped_unwinds(name: str, code: int, tmp_path: Path) -> None:
    """Where nobody catches KeyboardInterrupt, Python dies of SIGINT itself."""
    ended, said, _ = end_by(signal.Signals[name], STOPPABLE, tmp_path)
    assert (ended, said) == (code, "unwound\n")
    assert not list(tmp_path.iterdir())


def test_unwinding_that_does_not_end_is_ended(tmp_path: Path) -> None:
    code, said, _ = end_by(signal.SIGTERM, ENDLESS_FINALLY, tmp_path)
    assert (code, said) == (143, "unwinding\nlast words\n")
    assert not list(tmp_path.iterdir())


def test_nohup_is_respected_and_a_background_job_can_be_interrupted(tmp_path: Path) -> None:
    """A shell has its background jobs ignore SIGINT; kill -INT is for them all the same."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + IGNORED, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == -signal.SIGINT
    finally:
        process.kill()
        process.communicate()


def test_handlers_are_put_back_where_nothing_was_met() -> None:
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in numbers]
    threads = threading.active_count()
    with EndingSignals().handled():
        assert all(signal.getsignal(number) not in before for number in numbers)
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads


def test_a_signal_that_another_took_over_is_his() -> None:
    """The demo's server ends in its own way, and takes the time it needs."""
    met = []
    with EndingSignals().handled():
        signal.signal(signal.SIGTERM, lambda number, frame: met.append(number))
        signal.raise_signal(signal.SIGTERM)
        time.sleep(2.0)
    assert met == [signal.SIGTERM]


def test_a_system_without_some_signals_is_served() -> None:
    with EndingSignals(names=("SIGINT", "SIGNOTHERE")).handled():
        pass


def test_a_call_that_ended_is_told_nothing() -> None:
    from locoexport.machine import interruption

    told = []
    with stoppable(lambda: told.append(1)):
        interruption._RUNNING.stop_all()
    interruption._RUNNING.stop_all()
    assert told == [1]
