"""The page in the user's browser: whether it opens by itself, and opening it."""

from __future__ import annotations

import ipaddress
import threading
import webbrowser
from collections.abc import Mapping

__all__ = ["may_open", "open_page"]

_SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


def may_open(environ: Mapping[str, str], platform: str, is_terminal: bool) -> bool:
    """Whether somebody sits in front of a screen on which a browser can appear.

    A program that reads the address (no terminal) gets no browser, and neither does continuous
    integration. Over SSH the browser would appear elsewhere, or fill the terminal in its text
    form, and on Linux there has to be a display. BROWSER overrules both: editors that run commands
    on other machines set it to what opens the page on the user's own.

    Args:
        environ: the environment's variables.
        platform: as in ``sys.platform``.
        is_terminal: whether standard output is one.
    """
    if not is_terminal or environ.get("CI"):
        return False
    if environ.get("BROWSER"):
        return True
    if any(environ.get(name) for name in _SSH):
        return False
    return platform in ("darwin", "win32") or any(environ.get(name) for name in _SCREENS)


def open_page(host: str, port: int) -> None:
    """Open the page of a server that listens already; returns at once, whatever the browser does.

    A server that listens on all addresses is opened on loopback: browsers decode clips nowhere
    else without https.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host
    else:
        if address.is_unspecified:
            name = "[::1]" if address.version == 6 else "127.0.0.1"
        else:
            name = f"[{host}]" if address.version == 6 else host
    url = f"http://{name}:{port}/"
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
