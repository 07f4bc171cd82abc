"""When the page opens by itself, and where."""

from __future__ import annotations

import threading
import webbrowser

import pytest

from locoexport.demo.browser import may_open, open_page


@pytest.mark.parametrize(
    ("environ", "platform", "is_terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "linux", True, False),
        ({}, "darwin", True, True),
        ({}, "win32", True, True),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", True, False),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a 1 b 22"}, "linux", True, False),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", True, False),
        ({"SSH_CONNECTION": "a 1 b 22", "BROWSER": "/opt/open-on-my-machine"}, "linux", True, True),
        ({"BROWSER": "firefox"}, "linux", False, False),
        ({"DISPLAY": ""}, "linux", True, False),
    ],
)
def test_a_browser_opens_where_somebody_sees_it(
    environ: dict[str, str], platform: str, is_terminal: bool, opens: bool
) -> None:
    assert may_open(environ, platform, is_terminal) is opens


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8017/"),
        ("localhost", "http://localhost:8017/"),
        ("0.0.0.0", "http://127.0.0.1:8017/"),
        ("::", "http://[::1]:8017/"),
        ("::1", "http://[::1]:8017/"),
        ("192.0.2.1", "http://192.0.2.1:8017/"),
    ],
)
def test_it_opens_what_a_browser_can_use(
    host: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    done = threading.Event()

    def note(address: str) -> bool:
        opened.append(address)
        done.set()
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    open_page(host, 8017)
    assert done.wait(10)
    assert opened == [url]
