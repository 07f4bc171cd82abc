"""The site over HTTP: starlette and uvicorn, with the headers that give a page its threads.

Whoever can reach the socket can ask: pages elsewhere in the user's browser, and with another
--host other machines. What they get is the site's files and nothing else, and no request holds the
server longer than it has to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import mimetypes
import re
import socket
from pathlib import PurePosixPath

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from locoexport.demo.site import PAGE_HEADERS, Site
from locoexport.errors import UsageError

__all__ = ["bind", "is_loopback", "make_app", "make_server", "serve"]

_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::[0-9]{1,5})?")
_RANGE_CHARACTERS, _RANGES = 400, 16
_CONNECTIONS = 100
_HEADER_BYTES = 16 << 10
_REQUEST_S, _IDLE_S, _READING_S, _END_S = 10, 5, 60, 3


def is_loopback(host: str) -> bool:
    """Whether ``host``, an address or a name, is this machine to itself alone."""
    return host.lower() == "localhost" or (
        (address := _address(host)) is not None and address.is_loopback
    )


def make_app(site: Site, host: str) -> Starlette:
    """An application that answers GET and HEAD for the files of a site, and nothing else.

    Args:
        site: what there is.
        host: what the server listens on. A request has to name it, another address, localhost or
            this machine: with a name of its own a page elsewhere could reach what listens here
            (DNS rebinding).
    """

    async def answer(request: Request) -> Response:
        place = request.path_params["place"] or "index.html"
        kind = _media_type(place)
        headers = {"Cache-Control": "no-cache"}
        if place in site.texts:
            return Response(site.texts[place], media_type=kind, headers=headers)
        # A look-up among the site's own places: no path ever reaches the disk.
        path = site.files.get(place)
        if path is None or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type=kind, headers=headers)

    guard = Middleware(_Guard, host=host)
    return Starlette(routes=[Route("/{place:path}", answer)], middleware=[guard])


class _Guard:
    """What is refused before it is looked at."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._loopback = is_loopback(host)
        own = {host.lower(), socket.gethostname().lower()}
        self._names = {"localhost"} if self._loopback else {"localhost", *own}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope), scope["path"])
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> Response | None:
        hosts = headers.getlist("host")
        # An absolute target names a host of its own, which would count more than the header.
        if len(hosts) != 1 or not self._is_known(hosts[0]) or not path.startswith("/"):
            return PlainTextResponse(
                "This server does not answer to that name. Use the address that it printed, or "
                "start it with --host NAME.",
                status_code=400,
            )
        # h11 bounds what is incomplete: what comes in one piece may be longer.
        if sum(len(name) + len(value) for name, value in headers.raw) > _HEADER_BYTES:
            return PlainTextResponse("Too long headers.", status_code=431)
        ranges = ",".join(headers.getlist("range"))
        if len(ranges) > _RANGE_CHARACTERS or ranges.count(",") >= _RANGES:
            return PlainTextResponse("Too many ranges.", status_code=416)
        return None

    def _is_known(self, named: str) -> bool:
        match = _HOST.fullmatch(named.lower())
        if match is None:
            return False
        name = match[1] or match[2].removesuffix(".")
        address = _address(name)
        if address is not None:
            return address.is_loopback or not self._loopback
        # Names in the local network (workstation.lan, workstation.local) are this machine's too.
        return name in self._names or (
            not self._loopback
            and name.endswith((".lan", ".local", ".home.arpa", ".internal"))
            and name.partition(".")[0] in {own.partition(".")[0] for own in self._names}
        )


class _Bounded(H11Protocol):
    """uvicorn's own protocol, which waits for a request and for its reader for ever."""

    _waits: asyncio.TimerHandle | None = None
    _pauses: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits = self.loop.call_later(_REQUEST_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._waits is not None:
            self._waits.cancel()
            self._waits = None
        elif not answering and self._waits is None:
            self._waits = self.loop.call_later(_REQUEST_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP: uvicorn answers by itself, without the headers of all other answers."""
        lines = [f"{name}: {value}" for name, value in PAGE_HEADERS.items()]
        lines = ["HTTP/1.1 400 Bad Request", *lines, "Content-Type: text/plain; charset=utf-8"]
        answer = "\r\n".join([*lines, "Connection: close", "", msg])
        self.transport.write(answer.encode("ascii", "replace"))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._pauses = self.loop.call_later(_READING_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pauses is not None:
            self._pauses.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._waits, self._pauses):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)


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


def make_server(app: Starlette) -> uvicorn.Server:
    """The application behind uvicorn, with a bound for everything that a client can drag out.

    ``_CONNECTIONS`` at once; the lines and headers of a request in ``_HEADER_BYTES`` and, like a
    body that nobody wants, in ``_REQUEST_S``; a reader takes what is buffered in ``_READING_S``.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Bounded,
            ws="none",
            lifespan="off",
            # A warning for whatever a stranger sends would fill the terminal.
            log_level="error",
            server_header=False,
            headers=list(PAGE_HEADERS.items()),
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_END_S,
        )
    )


def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until interrupted."""
    make_server(app).run(sockets=[listener])


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _media_type(place: str) -> str:
    suffix = PurePosixPath(place).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(place)[0] or "application/octet-stream"
