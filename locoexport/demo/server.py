"""The site over HTTP: starlette and uvicorn, with the headers that give a page its threads."""

from __future__ import annotations

import mimetypes
import socket
from pathlib import PurePosixPath

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from locoexport.demo.site import ISOLATION_HEADERS, Site
from locoexport.errors import UsageError

__all__ = ["LOOPBACK_HOSTS", "bind", "make_app", "serve"]

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


def make_app(site: Site, *, loopback_only: bool) -> Starlette:
    """An application that answers GET and HEAD for the files of a site, and nothing else.

    Args:
        site: what there is.
        loopback_only: refuse requests for other host names, with which a page elsewhere could
            reach this machine's loopback (DNS rebinding).
    """

    async def answer(request: Request) -> Response:
        place = request.path_params["place"] or "index.html"
        kind = _media_type(place)
        headers = {**ISOLATION_HEADERS, "Cache-Control": "no-cache"}
        if place in site.texts:
            return Response(site.texts[place], media_type=kind, headers=headers)
        # A look-up among the site's own places: no path ever reaches the disk.
        if place not in site.files:
            raise HTTPException(404, headers=ISOLATION_HEADERS)
        return FileResponse(site.files[place], media_type=kind, headers=headers)

    hosts = ["127.0.0.1", "localhost", "[::1]"]
    guard = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)] if loopback_only else []
    return Starlette(routes=[Route("/{place:path}", answer)], middleware=guard)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any that is free.

    Raises:
        UsageError: the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}). Pass "
            "another --port, or 0 for any that is free."
        ) from error


def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until interrupted."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _media_type(place: str) -> str:
    suffix = PurePosixPath(place).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(place)[0] or "application/octet-stream"
