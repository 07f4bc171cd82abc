"""``locoexport demo``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from locoexport.cli.options import serving_options as options
from locoexport.cli.options.model_arguments import FileToServe
from locoexport.cli.terminal import console
from locoexport.errors import UsageError
from locoexport.machine.installation import require_extra

if TYPE_CHECKING:
    from locoexport.demo.site import Site

__all__ = ["demo"]

_DEFAULT_PORT = 8017


def demo(
    context: typer.Context,
    model: FileToServe = None,
    video: options.OpeningClip = None,
    host: options.Host = "127.0.0.1",
    port: options.Port = _DEFAULT_PORT,
    browser: options.OpenBrowser = None,
    runtime: options.PagePackages = None,
    export: options.PageFolder = None,
) -> None:
    """Click points on a clip in your browser and watch them tracked.

    The model runs in the page (onnxruntime-web); no frame leaves the browser. The page's packages
    come from the npm registry once, pinned and checked, into the cache folder. The page opens by
    itself; its address is printed as well. Ctrl-C ends it.

    Examples:
        locoexport demo
        locoexport demo model.onnx --video clip.mp4
        locoexport demo --export page
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port is {port}; ports are from 0 to 65535.")
    require_extra("demo")
    from locoexport.demo.site import check_folder
    from locoexport.pipeline.demo import prepared_site

    if export is not None:
        check_folder(export)
    with ExitStack() as stack:
        with console.listening(context) as notify:
            site = stack.enter_context(
                prepared_site(model, video=video, runtime=runtime, notify=notify)
            )
        if export is None:
            _serve(site, host, port, browser)
        else:
            _write(site, export)


def _write(site: Site, folder: Path) -> None:
    from locoexport.demo.site import write_site

    write_site(site, folder)
    console.print_result(f"page  {folder} ({site.size_bytes / 1e6:.1f} MB)")
    console.print_result(f"host  any; what it should be told is in {folder / 'README.txt'}")


def _serve(site: Site, host: str, port: int, browser: bool | None) -> None:
    from locoexport.demo.browser import may_open, open_page
    from locoexport.demo.server import bind, is_loopback, make_app, serve

    listener = bind(host, port)
    if not is_loopback(host):
        sys.stderr.write(
            f"warning: {host} can be reached by other machines: they can read the model and the "
            "clip. Their browsers decode clips only over https or an ssh tunnel to localhost.\n"
        )
    shown = f"[{host}]" if ":" in host else host
    taken = listener.getsockname()[1]
    # As it is, and not by way of the console: that breaks lines at the terminal's width.
    sys.stdout.write(f"http://{shown}:{taken}/\n")
    sys.stdout.flush()
    sys.stderr.write("Ctrl-C ends it.\n")
    if may_open(os.environ, sys.platform, sys.stdout.isatty()) if browser is None else browser:
        open_page(host, taken)
    try:
        serve(make_app(site, host), listener)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
