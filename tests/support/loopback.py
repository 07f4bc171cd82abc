"""A server on this machine: plain files with ranges, and Hugging Face's addresses of files."""

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Of localhost and 127.0.0.1, with its key, by itself: for these tests alone."""


@dataclass
class Served:
    """What a server has, and what it was asked for.

    ``break_after`` closes the next connection after so many bytes of a file. ``validators`` False
    leaves ETag out. ``scripts`` are answers of their own by path: each is given the handler.
    ``headers`` are those of every request. ``gated`` are repositories of the hub
    (``/OWNER/REPO``, ``/datasets/OWNER/REPO``) that want terms to be accepted.
    """

    files: dict[str, bytes]
    url: str = ""
    break_after: int | None = None
    validators: bool = True
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    scripts: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    gated: set[str] = field(default_factory=set)

    @property
    def downloads(self) -> list[str]:
        """Names of the files whose bytes were asked for, in order."""
        return [
            path.rpartition("/")[2]
            for command, path, _ in self.requests
            if command == "GET" and "/resolve/" in path
        ]


@contextmanager
def serving(files: dict[str, bytes], *, tls: bool = False) -> Iterator[Served]:
    """Serve ``files`` by path (``/a/b.ckpt``; of the hub ``/OWNER/REPO/resolve/REVISION/FILE``, of
    its data sets ``/datasets/OWNER/REPO/...``). What a repository holds is listed as the hub does.

    ``tls``: with ``CERTIFICATE``, which a client has to be told of (REQUESTS_CA_BUNDLE).
    """
    served = Served(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            asked = self.headers.get("Range")
            served.requests.append((self.command, self.path, asked))
            served.headers.append(self.headers)
            script = served.scripts.get(self.path)
            if script is not None:
                self.close_connection = True
                with suppress(OSError):  # a client that had enough
                    script(self)
                return
            if self.path.startswith("/api/"):
                self._list()
                return
            data = served.files.get(self.path, served.files.get(unquote(self.path)))
            if data is None or self.path.split("/resolve/")[0] in served.gated:
                self._refuse()
                return
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            start, status = 0, 200
            match = re.fullmatch(r"bytes=(\d+)-", asked or "")
            if match and self.headers.get("If-Range", etag) == etag:
                start, status = int(match[1]), 206
            if start >= len(data) > 0:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("X-Repo-Commit", COMMIT)
            if served.validators:
                self.send_header("ETag", etag)
            self.end_headers()
            if not body:
                return
            rest = data[start:]
            if served.break_after is not None:
                rest, served.break_after = rest[: served.break_after], None
                self.close_connection = True
            self.wfile.write(rest)

        def _list(self) -> None:
            """``/api/models/OWNER/REPO[/revision/REVISION]``: the files of that revision."""
            place = self.path.partition("?")[0].removeprefix("/api").removeprefix("/models")
            repo, _, revision = place.partition("/revision/")
            begin = f"{repo}/resolve/{revision or 'main'}/"
            files = {
                path.removeprefix(begin): data
                for path, data in served.files.items()
                if path.startswith(begin)
            }
            if not files or repo in served.gated:
                self._refuse()
                return
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            answer = json.dumps({"id": repo[1:], "sha": COMMIT, "siblings": siblings}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _refuse(self) -> None:
            repo = self.path.partition("?")[0].removeprefix("/api").removeprefix("/models")
            repo = repo.split("/resolve/")[0].split("/revision/")[0]
            self.send_response(401 if repo in served.gated else 404)
            if repo in served.gated:
                self.send_header("X-Error-Code", "GatedRepo")
            elif self.path.startswith("/api/"):
                known = {path.split("/resolve/")[0] for path in served.files}
                code = "RevisionNotFound" if repo in known else "RepoNotFound"
                self.send_header("X-Error-Code", code)
            elif "/resolve/" in self.path:
                known = {path.split("/resolve/")[0] for path in served.files}
                repo, _, rest = self.path.partition("/resolve/")
                if repo not in known:
                    self.send_header("X-Error-Code", "RepoNotFound")
                elif not rest.startswith(("main/", COMMIT)):
                    self.send_header("X-Error-Code", "RevisionNotFound")
                else:
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            """Say nothing of clients that hung up, as those under test should."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
