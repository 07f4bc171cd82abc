"""The page's server against whoever can reach it: names, targets, ranges, and slow clients."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from browser_session import served

from locoexport.demo import server as demo_server
from locoexport.demo.server import is_loopback
from locoexport.demo.site import PAGE_HEADERS, Site

SIZE = 40_000_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html>")
    with open(folder / "big.bin", "wb") as file:
        file.truncate(SIZE)
    files = {"index.html": folder / "index.html", "model/big.bin": folder / "big.bin"}
    return Site({**files, "gone.bin": folder / "gone.bin"}, {"site.json": "{}"})


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with served(site) as address:
        yield address


def _port(url: str) -> tuple[str, int]:
    host, _, port = url.split("/")[2].rpartition(":")
    return host, int(port)


def _send(url: str, text: str, limit_s: float = 30) -> str:
    """What comes back for these very bytes, until the server closes."""
    with socket.create_connection(_port(url), timeout=limit_s) as connection:
        connection.sendall(text.encode("latin1"))
        answer = b""
        while part := connection.recv(65536):
            answer += part
            if len(answer) > 1 << 20:
                break
    return answer.decode("latin1")


def _ask(url: str, target: str = "/", host: str = "127.0.0.1", extra: str = "") -> str:
    lines = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{extra}\r\n"
    return _send(url, lines)


def _status(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


def _names(answer: str) -> dict[str, str]:
    lines = answer.partition("\r\n\r\n")[0].split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_every_answer_has_the_headers_errors_too(url: str) -> None:
    asked = {
        "GET / HTTP/1.1\r\nHost: 127.0.0.1": 200,
        "GET /site.json HTTP/1.1\r\nHost: 127.0.0.1": 200,
        "HEAD /model/big.bin HTTP/1.1\r\nHost: 127.0.0.1": 200,
        "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1": 404,
        "GET /gone.bin HTTP/1.1\r\nHost: 127.0.0.1": 404,
        "POST / HTTP/1.1\r\nHost: 127.0.0.1": 405,
        "TRACE / HTTP/1.1\r\nHost: 127.0.0.1": 405,
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1": 400,
        "GET / HTTP/1.1\r\nHost: evil.example": 400,
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1": 400,
        "\x16\x03\x01": 400,
        "GET /model/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=99999999-": 416,
        "GET /model/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=0-9": 206,
        "GET /model/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=x": 400,
    }
    for request, status in asked.items():
        answer = _send(url, f"{request}\r\nConnection: close\r\n\r\n")
        assert _status(answer) == status, request
        names = _names(answer)
        for name, value in PAGE_HEADERS.items():
            assert names[name.lower()] == value, request


GOOD_NAMES = ["127.0.0.1", "127.0.0.2:80", "localhost", "LOCALHOST:8017", "localhost.", "[::1]:80"]
BAD_NAMES = [
    "evil.example",
    "evil.example:8017",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "127.0.0.1:80@evil.example",
    "127.0.0.1, evil.example",
    "evil.example#127.0.0.1",
    "0.0.0.0",
    "192.0.2.1",
    "[2001:db8::1]",
    "2130706433",
    "0x7f.1",
    "[::1",
    "::1",
    "localhost..",
    "",
]


@pytest.mark.parametrize("host", GOOD_NAMES)
def test_names_of_this_machine_to_itself(url: str, host: str) -> None:
    assert _status(_ask(url, host=host)) == 200


@pytest.mark.parametrize("host", BAD_NAMES)
def test_other_names_are_refused_on_loopback(url: str, host: str) -> None:
    assert _status(_ask(url, host=host)) == 400


def test_a_request_names_one_host_and_its_target_none(url: str) -> None:
    two = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert _status(_send(url, two)) == 400
    assert _status(_send(url, "GET / HTTP/1.0\r\n\r\n")) == 400
    assert _status(_ask(url, "http://evil.example/")) == 400
    assert _status(_ask(url, "http://127.0.0.1/", host="evil.example")) == 400
    assert _status(_ask(url, host="evil.example", extra="X-Forwarded-Host: 127.0.0.1\r\n")) == 400


def test_a_server_for_others_answers_to_addresses_and_its_own_names(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "workstation")
    good = ["192.0.2.1:8017", "[2001:db8::1]", "localhost", "workstation", "workstation.lan"]
    bad = ["evil.example", "workstation.evil.example", "evil.lan", "192.0.2.1.evil.example"]
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        with served(site, host=host) as url:
            assert [_status(_ask(url, host=name)) for name in good] == [200] * len(good)
            assert [_status(_ask(url, host=name)) for name in bad] == [400] * len(bad)
    with served(site, host="page.example") as url:
        assert _status(_ask(url, host="page.example:8017")) == 200


def test_which_hosts_are_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "", "192.0.2.1", "localhost.evil.example"]))


def test_ranges_are_few(url: str) -> None:
    many = ",".join(f"{2 * i}-{2 * i}" for i in range(17))
    assert _status(_ask(url, "/model/big.bin", extra=f"Range: bytes={many}\r\n")) == 416
    split = "".join(f"Range: bytes={i}-{i}\r\n" for i in range(0, 40, 2))
    assert _status(_ask(url, "/model/big.bin", extra=split)) == 416
    few = ",".join(f"{2 * i}-{2 * i}" for i in range(16))
    assert _status(_ask(url, "/model/big.bin", extra=f"Range: bytes={few}\r\n")) == 206


def test_headers_are_short(url: str) -> None:
    for extra in ("X: " + "a" * 100_000 + "\r\n", "X: a\r\n" * 9000):
        assert _status(_ask(url, extra=extra)) in (400, 431)


def test_connections_are_few(url: str, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setattr(demo_server, "_CONNECTIONS", 3)
    with served(site) as small:
        held = [socket.create_connection(_port(small)) for _ in range(5)]
        answer = _ask(small)
        for connection in held:
            connection.close()
        assert _status(answer) == 503
        assert _names(answer)["x-content-type-options"] == "nosniff"


def _closed_within(connection: socket.socket, limit_s: float, drip: bytes) -> bool:
    """Whether the server closes, though a byte of ``drip`` comes every 50 ms."""
    connection.settimeout(0.05)
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        try:
            connection.sendall(drip)
            if connection.recv(65536) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize(
    "begins",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HTTP/1.1\r\nX: ",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n",
    ],
    ids=["nothing", "headers", "second", "body"],
)
def test_a_client_that_drips_is_left(
    url: str, monkeypatch: pytest.MonkeyPatch, begins: bytes
) -> None:
    monkeypatch.setattr(demo_server, "_REQUEST_S", 0.5)
    with socket.create_connection(_port(url), timeout=30) as connection:
        connection.sendall(begins)
        assert _closed_within(connection, 20, b"a")


def test_a_client_that_does_not_read_is_left(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_server, "_READING_S", 0.5)
    with socket.create_connection(_port(url), timeout=30) as connection:
        connection.sendall(b"GET /model/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(2)
        come = 0
        try:
            while part := connection.recv(1 << 20):
                come += len(part)
        except ConnectionError:
            pass
    assert 0 < come < SIZE


def test_a_slow_but_steady_reader_gets_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_server, "_REQUEST_S", 0.3)
    come = 0
    with socket.create_connection(_port(url), timeout=30) as connection:
        connection.sendall(b"GET /model/big.bin HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        while part := connection.recv(1 << 20):
            come += len(part)
            time.sleep(0.02)
    assert come > SIZE
