"""What all tests share: where the goldens are, how hypothesis searches, a tiny tracker."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
# What several rooms' tests share: in support/, and beside the goldens in parity_tests/.
sys.path += [str(TESTS.parent / "parity_tests"), str(TESTS / "support")]

# The same examples every time, and no clock: a busy machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# Tests leave nothing in the user's cache; those of the cache itself switch it on in a folder.
os.environ["LOCOEXPORT_CACHE"] = "off"

# A shell that starts tests in the background lets them ignore SIGINT, and so the commands that they
# interrupt. What Python handles itself is not handed down as ignored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a synthetic tracker (see ``tracker_bytes``) and returns its path."""
    from synthetic_tracker import tracker_bytes

    def make(name: str = "model.onnx", **options: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(tracker_bytes(**options))
        return path

    return make
