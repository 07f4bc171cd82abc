"""A window where there is a display, and one line where there is none."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from locoexport.errors import MachineError
from locoexport.runtime.drawing import window_process
from locoexport.runtime.drawing.window import ShownWindow, WindowEvents, check_display

PICTURE = np.zeros((120, 200, 3), np.uint8)


@pytest.fixture
def display(monkeypatch) -> Iterator[str]:
    """A display of this test's own."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("Xvfb and xdotool are not installed")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "400x300x24"]
    server = subprocess.Popen(
        command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    with open(reading) as told:
        name = ":" + told.readline().strip()
    monkeypatch.setenv("DISPLAY", name)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    yield name
    server.terminate()
    server.wait(10)


def xdotool(*arguments: str) -> str:
    done = subprocess.run(
        ["xdotool", *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout.strip()


def events_within(window: ShownWindow, seconds: float = 5.0) -> WindowEvents:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        events = window.events(0.1)
        if events != WindowEvents():
            return events
    return WindowEvents()


def heard_of(window: ShownWindow, *arguments: str) -> WindowEvents:
    """What a window tells of an action, which goes lost while it is still being drawn."""
    for _ in range(8):
        xdotool(*arguments)
        events = events_within(window, 1.0)
        if events != WindowEvents():
            return events
    return WindowEvents()


def open_on(window: ShownWindow, scale: int = 2) -> None:
    window.show(PICTURE, scale, "0 points")
    focus_window()


def focus_window() -> None:
    for _ in range(50):
        found = xdotool("search", "--name", window_process.TITLE)
        if found:
            xdotool("windowfocus", "--sync", found.splitlines()[0])
            return
        time.sleep(0.1)
    raise AssertionError("no window came")


def test_clicks_are_told_in_pixels_of_the_frame_and_keys_by_what_they_do(display) -> None:
    import av  # noqa: F401  (with its libraries loaded, a window in this process never opens)

    with ShownWindow() as window:
        open_on(window)
        added = heard_of(window, "mousemove", "51", "31", "click", "1").added_yx
        assert set(added) == {(15.75, 25.75)}
        removed = heard_of(window, "mousemove", "100", "80", "click", "3").removed_yx
        assert set(removed) == {(40.25, 50.25)}
        for key, expected in (
            ("c", WindowEvents(clear=True)),
            ("space", WindowEvents(pause=True)),
            ("q", WindowEvents(quit=True)),
            ("Escape", WindowEvents(quit=True)),
        ):
            assert heard_of(window, "key", key) == expected


def test_a_click_before_the_first_picture_is_no_point(display) -> None:
    with ShownWindow() as window:
        focus_window()
        for _ in range(5):
            xdotool("mousemove", "51", "31", "click", "1")
            assert events_within(window, 0.2) == WindowEvents()
        open_on(window)
        added = heard_of(window, "mousemove", "51", "31", "click", "1").added_yx
        assert set(added) == {(15.75, 25.75)}


def test_a_window_that_was_closed_is_the_end(display) -> None:
    with ShownWindow() as window:
        window.show(PICTURE, 1, "")
        assert window._process is not None
        window._process.kill()
        assert events_within(window).quit
        window.show(PICTURE, 1, "")  # which goes nowhere, and says nothing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="DISPLAY is X11's")
def test_without_a_display_it_says_so(monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MachineError, match="DISPLAY is not set"):
        check_display()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="DISPLAY is X11's")
def test_a_display_that_does_not_answer_ends_nothing_here(monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MachineError, match="cannot open a window here"):
        check_display()
