"""A function in a process of its own: what comes back, and how too much of anything ends."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from locoexport.errors import InputError, ModelFileError
from locoexport.machine.bounded_child import Allowance, file_allowance, run_bounded
from locoexport.notices import Notice

PLENTY = Allowance(1 << 30, 60)
LITTLE_MEMORY = Allowance(200 << 20, 60)
LITTLE_TIME = Allowance(1 << 30, 0.5)


def twice(number: int) -> int:
    os.write(1, b"a library prints this")
    return 2 * number


def tell_steps(notify) -> str:
    for step in ("reading", "proving"):
        notify(Notice(step))
    return "told"


def refuse() -> None:
    raise ModelFileError("there is no graph in it") from ValueError("of no use")


def stumble() -> None:
    raise KeyError("a fault of ours")


def fill_memory() -> None:
    held = []
    while True:
        held.append(b"x" * (10 << 20))


def ask_for_all_memory() -> bytes:
    return bytes(1 << 45)


def spin(notify=None) -> None:
    if notify is not None:
        notify(Notice("proving"))
    while True:
        pass


def sleep() -> None:
    time.sleep(600)


def die() -> None:
    ctypes.string_at(0)


def process_id_then_sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


def test_a_result_comes_back_whatever_is_printed() -> None:
    assert run_bounded(twice, 21, allowance=PLENTY, subject="x.onnx") == 42


def test_notices_are_told_in_order() -> None:
    told: list[Notice] = []
    result = run_bounded(tell_steps, allowance=PLENTY, subject="x.onnx", notify=told.append)
    assert result == "told"
    assert [notice.text for notice in told] == ["reading", "proving"]


def test_what_is_raised_is_raised_here_with_its_cause() -> None:
    with pytest.raises(ModelFileError, match=r"^there is no graph in it$") as caught:
        run_bounded(refuse, allowance=PLENTY, subject="x.onnx")
    assert "of no use" in str(caught.value.__cause__)
    with pytest.raises(KeyError, match="a fault of ours"):
        run_bounded(stumble, allowance=PLENTY, subject="x.onnx")


@pytest.mark.parametrize(
    ("function", "allowance", "says"),
    [
        (
            fill_memory,
            LITTLE_MEMORY,
            r"more than 209,715,200 bytes of memory.*LOCOEXPORT_MAX_READING_BYTES",
        ),
        (ask_for_all_memory, LITTLE_MEMORY, r"more than 209,715,200 bytes of memory"),
        (spin, LITTLE_TIME, r"LOCOEXPORT_MAX_EVALUATION_SECONDS above 60"),
        (sleep, LITTLE_TIME, r"LOCOEXPORT_MAX_EVALUATION_SECONDS above 60"),
        (die, LITTLE_MEMORY, r"it crashed the library that reads it \(SIG"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="a signal ends no process there")
def test_too_much_of_anything_is_an_error_that_names_the_file(
    function, allowance: Allowance, says: str
) -> None:
    with pytest.raises(ModelFileError, match=rf"^x\.onnx .*{says}"):
        run_bounded(function, allowance=allowance, subject="x.onnx", error_type=ModelFileError)


def test_a_step_may_have_an_allowance_of_its_own() -> None:
    with pytest.raises(InputError, match="more than 0 s"):
        run_bounded(
            spin,
            allowance=PLENTY,
            subject="x.onnx",
            notify=lambda notice: None,
            during={"proving": Allowance(1 << 30, 0.3)},
        )


def test_a_small_file_has_no_claim_to_a_minute(monkeypatch) -> None:
    assert file_allowance(1000).seconds < 8
    assert file_allowance(10 << 20) == Allowance((1 << 30) + 100 * (1 << 20), 60)
    monkeypatch.setenv("LOCOEXPORT_MAX_EVALUATION_SECONDS", "600")
    monkeypatch.setenv("LOCOEXPORT_MAX_READING_BYTES", "1000")
    assert file_allowance(10 << 20) == Allowance(1000 + 100 * (1 << 20), 600)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere its own limits end it")
def test_a_child_ends_with_its_parent(tmp_path) -> None:
    told = tmp_path / "pid"
    script = (
        f"import sys; sys.path[:] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        "from test_bounded_child import *\n"
        f"run_bounded(process_id_then_sleep, {str(told)!r}, allowance=PLENTY, subject='x')"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        deadline = time.monotonic() + 60
        while not (told.exists() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        child = psutil.Process(int(told.read_text()))
        parent.kill()
    child.wait(timeout=10)
    assert not child.is_running()
