"""Telemetry of the libraries is off before they are loaded."""

import os
import subprocess
import sys

import pytest

from locoexport.machine.telemetry import switch_off_telemetry


def test_it_is_off_as_soon_as_the_package_is_there() -> None:
    code = "import os, locoexport.errors; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    bare = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize(("said", "events"), [(None, ["off"]), ("0", [])])
def test_a_program_that_loaded_onnx_runtime_before(monkeypatch, said, events) -> None:
    told = []

    class Loaded:
        @staticmethod
        def disable_telemetry_events() -> None:
            told.append("off")

    monkeypatch.setitem(sys.modules, "onnxruntime", Loaded)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if said is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", said)
    switch_off_telemetry()
    assert told == events
    assert os.environ["ORT_DISABLE_TELEMETRY"] == (said or "1")
