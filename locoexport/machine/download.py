"""One file from a web server: each hop checked, bounded in bytes and time, whole or not at all.

requests asks; what it has no bound for (how long a server may take for a byte, an endless answer
to a redirect) is bounded here. Nobody but the origin that was typed is told who asks.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin

import filelock
import requests

from locoexport.errors import InputError, OutputError, UnreachableError, UsageError
from locoexport.machine.limits import DOWNLOAD_BYTES, DOWNLOAD_SECONDS, DOWNLOAD_STALL_SECONDS
from locoexport.machine.web_address import WebAddress, parse_web_address, redact_address
from locoexport.machine.writing.output_files import is_file
from locoexport.notices import Listener, Notice, ignore

__all__ = ["download"]

Answer = TypeVar("Answer")

_CHUNK_BYTES = 1 << 16
_HOPS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416
# A weak validator, or one with other letters, is not sent back.
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


def download(
    address: WebAddress,
    path: Path,
    check: Callable[[Path], None],
    notify: Listener = ignore,
    *,
    error_type: type[InputError] = InputError,
) -> Path:
    """Download what ``address`` names to ``path``, unless it lies there already.

    Args:
        address: https; also http, where the caller took that from the user. It may send on to
            https anywhere, and to http only at its own origin.
        path: where it goes; its folder is made. ``part-NAME`` beside it holds the bytes of an
            interrupted download.
        check: raises InputError where a file is not what is wanted; such a file is not kept.
            It is given a path with the same suffix.
        notify: is told of progress.
        error_type: what is raised for an answer that is bad.

    Raises:
        UnreachableError: the server cannot be reached, is too slow, or the connection broke.
        InputError: of ``error_type``: the server has no such file, or sends another than it may.
        UsageError: the address names no host.
        OutputError: the folder cannot be written.
    """
    try:
        requests.Request("GET", address.url).prepare()
    # requests, urllib3 and idna each have errors of their own for a host that cannot be.
    except Exception:
        raise UsageError(f"{address.shown} names no host.") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path, address, notify):
            if is_file(path):
                try:
                    check(path)
                except InputError:
                    path.unlink()
                else:
                    return path
            part = path.with_name(f"part-{path.name}")
            _Download(address, part, notify, error_type).run()
            try:
                check(part)
            except InputError:
                part.unlink()
                raise
            os.replace(part, path)
            return path
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Set XDG_CACHE_HOME to a folder "
            "that can."
        ) from error


@contextmanager
def _alone(path: Path, address: WebAddress, notify: Listener) -> Iterator[None]:
    """Of two processes that want one file, one downloads it: both would write one partial file."""
    lock = filelock.FileLock(path.parent.with_name(path.parent.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        notify(Notice(f"another process is downloading {address.shown}; waiting for it"))
        lock.acquire(timeout=DOWNLOAD_SECONDS.value)
    try:
        yield
    finally:
        lock.release()


class _NetworkError(Exception):
    """What requests or urllib3 raised, in words without the address: theirs quote all of it."""


@dataclass(frozen=True)
class _Head:
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class _Kept:
    """Bytes of an earlier try, and the validator of the file that they begin."""

    size: int
    etag: str


class _Download:
    """The bytes into ``part``, going on from what an earlier call left there."""

    def __init__(
        self, address: WebAddress, part: Path, notify: Listener, error_type: type[InputError]
    ) -> None:
        self._address, self._part, self._notify = address, part, notify
        self._error_type = error_type
        self._name = part.name.removeprefix("part-")
        self._etag = part.with_name(part.name + ".etag")

    def run(self) -> None:
        kept = self._find_kept()
        if not (kept is not None and self._try(kept)):
            self._try(None)
        self._etag.unlink(missing_ok=True)

    def _find_kept(self) -> _Kept | None:
        # Without a validator nothing tells whether the file there is still the one begun.
        if not (is_file(self._part) and is_file(self._etag)):
            return None
        etag = self._etag.read_text(encoding="utf-8", errors="replace")
        size = self._part.stat().st_size
        return _Kept(size, etag) if size and _STRONG_ETAG.fullmatch(etag) else None

    def _try(self, kept: _Kept | None) -> bool:
        """False where the server does not go on from ``kept``, which is then discarded."""
        headers = {"Accept-Encoding": "identity"}
        if kept is not None:
            headers |= {"Range": f"bytes={kept.size}-", "If-Range": kept.etag}
        with closing(_Transfer(self._address, headers, self._error_type)) as transfer:
            try:
                head = transfer.head()
                if kept is not None and head.status in (_PARTIAL, _NOT_SATISFIABLE):
                    total = _resumed_total(head, kept)
                    if total is None:
                        self._part.unlink()
                        return False
                    self._notify(Notice(f"resuming {self._name} after {kept.size} bytes"))
                    self._receive(transfer, head, kept.size, total)
                    return True
                if head.status != _OK:
                    raise self._error_type(
                        f"{self._address.shown} cannot be downloaded: the server answers "
                        f"{head.status}."
                    )
                self._receive(transfer, head, 0, _length(head))
            except _NetworkError as failure:
                # Not from it: what it was made from quotes the address with all its secrets.
                raise UnreachableError(self._broken(str(failure))) from None
        return True

    def _receive(self, transfer: _Transfer, head: _Head, done: int, total: int | None) -> None:
        """Write the answer behind the ``done`` bytes that are there."""
        subject = self._address.shown
        coding = head.headers.get("Content-Encoding", "identity").strip().lower()
        if coding != "identity":
            raise self._error_type(
                f"{subject} comes compressed (Content-Encoding {coding[:40]!a}), which was not "
                "requested; the server must send the file uncompressed."
            )
        if total is not None:
            DOWNLOAD_BYTES.check(total, subject, self._error_type)
        etag = head.headers.get("ETag", "")
        if _STRONG_ETAG.fullmatch(etag):
            self._etag.write_text(etag, encoding="utf-8")
        else:
            self._etag.unlink(missing_ok=True)
        with open(self._part, "ab" if done else "wb") as file:
            for chunk in transfer.chunks():
                done += len(chunk)
                if done > DOWNLOAD_BYTES.value:
                    file.truncate(0)
                    DOWNLOAD_BYTES.check(done, subject, self._error_type)
                file.write(chunk)
                if total is not None:
                    self._notify(Notice(f"downloading {self._name} (bytes)", done, total))
        if total is not None and done != total:
            if done > total:
                self._part.unlink()
            raise _NetworkError(f"{done} of {total} bytes arrived")

    def _broken(self, reason: str) -> str:
        size = self._part.stat().st_size if is_file(self._part) else 0
        kept = f" {size} bytes are kept; run the command again to continue." if size else ""
        return f"{self._address.shown} cannot be downloaded: {reason}.{kept}"


class _Transfer:
    """A GET in a thread of its own, since the bounds of sockets are for each byte anew.

    The thread holds a socket and nothing else; one that hangs ends with the process.
    """

    def __init__(
        self, address: WebAddress, headers: Mapping[str, str], error_type: type[InputError]
    ) -> None:
        self._address, self._headers, self._error_type = address, headers, error_type
        self._items: queue.Queue[_Head | bytes | Exception | None] = queue.Queue(maxsize=8)
        self._left = threading.Event()
        self._response: requests.Response | None = None
        self._ends = time.monotonic() + DOWNLOAD_SECONDS.value
        threading.Thread(target=self._work, name="download", daemon=True).start()

    def head(self) -> _Head:
        """Status and headers of the last hop."""
        item = self._next(time.monotonic() + DOWNLOAD_STALL_SECONDS.value)
        assert isinstance(item, _Head)
        return item

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the answer, which have to come at a pace."""
        patience = DOWNLOAD_STALL_SECONDS.value
        stalls, come = time.monotonic() + patience, 0
        while (item := self._next(stalls)) is not None:
            assert isinstance(item, bytes)
            yield item
            come += len(item)
            if come >= _CHUNK_BYTES:
                stalls, come = time.monotonic() + patience, 0

    def close(self) -> None:
        """Leave the thread: it ends as soon as its socket says anything."""
        self._left.set()

    def _next(self, stalls: float) -> _Head | bytes | None:
        late = min(stalls, self._ends)
        try:
            item = self._items.get(timeout=max(0, late - time.monotonic()))
        except queue.Empty:
            limit = DOWNLOAD_STALL_SECONDS if late == stalls else DOWNLOAD_SECONDS
            raise _NetworkError(
                f"the server is too slow: {limit.value} {limit.unit} went by ({limit.variable})"
            ) from None
        if isinstance(item, Exception):
            raise item
        return item

    def _work(self) -> None:
        try:
            with closing(self._follow()) as response:
                self._put(_Head(response.status_code, response.headers))
                stream = response.raw.stream(_CHUNK_BYTES, decode_content=False)
                while chunk := _asked(lambda: next(stream, None)):
                    self._put(chunk)
            self._put(None)
        except Exception as error:
            # It is raised again where somebody waits for it.
            self._put(error)

    def _put(self, item: _Head | bytes | Exception | None) -> None:
        while not self._left.is_set():
            try:
                self._items.put(item, timeout=1)
            except queue.Full:
                continue
            return

    def _follow(self) -> requests.Response:
        """The answer of the last hop."""
        here = self._address
        for _ in range(_HOPS + 1):
            session = _Session(here, named=here.origin == self._address.origin)
            response = _asked(lambda: session.ask(here.url, self._headers))  # noqa: B023
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            here = self._hop(here, _asked(lambda: session.told_to_go(response)))  # noqa: B023
        raise self._error_type(
            f"{self._address.shown} cannot be downloaded: it redirects more than {_HOPS} times."
        )

    def _hop(self, here: WebAddress, location: str | None) -> WebAddress:
        begins = f"{self._address.shown} cannot be downloaded: it redirects to"
        if not location:
            raise self._error_type(f"{begins} an empty address.")
        try:
            there = parse_web_address(urljoin(here.url, location))
        except (UsageError, ValueError):
            raise self._error_type(
                f"{begins} {redact_address(location)}, which is not an https address."
            ) from None
        if not (there.origin[0] == "https" or there.origin == self._address.origin):
            raise self._error_type(
                f"{begins} {there.shown}: nothing is downloaded over http, because anybody on "
                "the way can change it."
            )
        return WebAddress(there.url, None, there.shown)


class _Session(requests.Session):
    """For one hop: a new one has no cookies, and follows no redirect of its own accord.

    ``named``: the user named this origin, and so its credentials and those of .netrc go there.
    """

    def __init__(self, hop: WebAddress, *, named: bool) -> None:
        super().__init__()
        # No proxy stands between this machine and itself.
        self.trust_env = hop.origin[0] == "https"
        self._credentials = hop.credentials
        self._named = named

    def ask(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        # A callable keeps requests from looking into .netrc.
        auth: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = _unchanged
        if self._named:
            # As latin-1, which requests makes bytes of again: these very ones.
            given = self._credentials
            user, password = (each.decode("latin-1") for each in given or (b"", b""))
            auth = None if given is None else requests.auth.HTTPBasicAuth(user, password)
        timeout = DOWNLOAD_STALL_SECONDS.value
        return self.get(url, headers=headers, auth=auth, stream=True, timeout=timeout)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read all of a redirect's answer, however long, before the next."""

    def told_to_go(self, response: requests.Response) -> str | None:
        return super().get_redirect_target(response)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _asked(call: Callable[[], Answer]) -> Answer:
    """What requests answers; whatever it or urllib3 raises is a failure of the network."""
    try:
        return call()
    except Exception as error:
        raise _NetworkError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """The innermost cause, by its class or what the system says: both hold no address."""
    words, seen = "", set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        name = type(inner).__name__
        if isinstance(inner, OSError) and isinstance(inner.strerror, str):
            words = " ".join(inner.strerror.split())
        nested = (getattr(inner, "reason", None), *inner.args)
        found = (each for each in nested if isinstance(each, BaseException))
        inner = next(found, None) or inner.__cause__ or inner.__context__
    return words or name


def _length(head: _Head) -> int | None:
    text = head.headers.get("Content-Length", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= 18 else 10**18


def _resumed_total(head: _Head, kept: _Kept) -> int | None:
    """The size of the whole where the answer begins behind ``kept`` and goes to its end."""
    match = _CONTENT_RANGE.fullmatch(head.headers.get("Content-Range", ""))
    if head.status != _PARTIAL or match is None:
        return None
    first, last, total = (int(text) for text in match.groups())
    return total if first == kept.size and last == total - 1 else None
