"""Downloads from servers that mean no good: each hop, each byte and each second is bounded."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from loopback import CERTIFICATE, Served, serving

from locoexport.errors import CheckpointError, InputError, LocoExportError, UnreachableError
from locoexport.machine.download import download
from locoexport.machine.web_address import parse_web_address

DATA = bytes(range(256)) * 1024
Script = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers' certificate, no proxy, and a .netrc that nobody should be told."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "*")
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password NETRCSECRET\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


@pytest.fixture
def server() -> Iterator[Served]:
    with serving({"/f.bin": DATA}, tls=True) as served:
        yield served


@pytest.fixture
def elsewhere() -> Iterator[Served]:
    with serving({"/f.bin": DATA}, tls=True) as served:
        yield served


def fetch(url: str, folder: Path, check: Callable[[Path], None] = lambda _: None) -> Path:
    name = parse_web_address(url).file_name
    return download(parse_web_address(url), folder / "kept" / name, check, error_type=InputError)


def answers(status: int, *headers: tuple[str, str], body: bytes = b"") -> Script:
    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return script


def sends_on(to: str, *headers: tuple[str, str]) -> Script:
    return answers(302, ("Location", to), ("Content-Length", "0"), *headers)


def test_an_https_server_may_send_on_to_another(
    server: Served, elsewhere: Served, tmp_path: Path
) -> None:
    server.scripts["/f.bin"] = sends_on(f"{elsewhere.url}/f.bin")
    assert fetch(f"{server.url}/f.bin", tmp_path).read_bytes() == DATA
    server.scripts["/g.bin"] = sends_on("f.bin")
    assert fetch(f"{server.url}/g.bin", tmp_path).read_bytes() == DATA


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "//a..b/x", "https://[::1"]
)
def test_it_may_send_on_to_no_other_scheme(server: Served, tmp_path: Path, to: str) -> None:
    server.scripts["/f.bin"] = sends_on(to)
    with pytest.raises(InputError, match=r"f\.bin cannot be downloaded: it redirects to"):
        fetch(f"{server.url}/f.bin", tmp_path)


def test_it_never_sends_on_to_http(server: Served, tmp_path: Path) -> None:
    with serving({"/f.bin": DATA}) as plain:
        server.scripts["/f.bin"] = sends_on(f"{plain.url}/f.bin?token=SECRET")
        with pytest.raises(InputError, match="nothing is downloaded over http") as caught:
            fetch(f"{server.url}/f.bin", tmp_path)
        assert "SECRET" not in str(caught.value)
        assert plain.requests == []


def test_http_that_was_typed_is_its_own_origin_alone(tmp_path: Path) -> None:
    with serving({"/f.bin": DATA}) as typed, serving({"/f.bin": DATA}) as other:
        typed.scripts["/there.bin"] = sends_on(f"{other.url}/f.bin")
        with pytest.raises(InputError, match="nothing is downloaded over http"):
            fetch(f"{typed.url}/there.bin", tmp_path)
        assert other.requests == []
        typed.scripts["/here.bin"] = sends_on("/f.bin")
        assert fetch(f"{typed.url}/here.bin", tmp_path).read_bytes() == DATA


def test_sending_on_ends(server: Served, tmp_path: Path) -> None:
    server.scripts["/f.bin"] = sends_on("/f.bin")
    with pytest.raises(InputError, match="more than 10 times"):
        fetch(f"{server.url}/f.bin", tmp_path)
    assert len(server.requests) == 11


def test_the_answer_of_a_redirect_is_not_read(server: Served, tmp_path: Path) -> None:
    """requests itself would hold all of it in memory, whatever its length."""
    server.scripts["/g.bin"] = answers(
        302, ("Location", "/f.bin"), ("Content-Length", str(1 << 40)), body=b"x" * 1000
    )
    assert fetch(f"{server.url}/g.bin", tmp_path).read_bytes() == DATA


def test_who_asks_is_told_to_the_origin_that_was_typed_alone(
    server: Served, elsewhere: Served, tmp_path: Path
) -> None:
    server.scripts["/f.bin"] = sends_on(f"{elsewhere.url}/f.bin", ("Set-Cookie", "id=COOKIE"))
    typed = server.url.replace("https://", "https://user:TOP%20SECRET@")
    assert fetch(f"{typed}/f.bin", tmp_path).read_bytes() == DATA
    server.scripts["/g.bin"] = sends_on(f"{elsewhere.url}/f.bin")
    fetch(f"{server.url}/g.bin", tmp_path)
    given = [request["Authorization"] for request in server.headers]
    assert given == ["Basic dXNlcjpUT1AgU0VDUkVU", "Basic c29tZWJvZHk6TkVUUkNTRUNSRVQ="]
    for request in elsewhere.headers:
        assert (request["Authorization"], request["Cookie"]) == (None, None)


@pytest.mark.parametrize("path", ["/401.bin", "/closed.bin", "/slow.bin"])
def test_no_secret_is_in_an_error(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    done = threading.Event()
    server.scripts["/401.bin?token=SECRET"] = answers(401)
    server.scripts["/closed.bin?token=SECRET"] = lambda handler: None
    server.scripts["/slow.bin?token=SECRET"] = lambda handler: done.wait(30) and None
    monkeypatch.setenv("LOCOEXPORT_MAX_DOWNLOAD_STALL_SECONDS", "1")
    url = server.url.replace("https://", "https://user:SECRET@")
    with pytest.raises(LocoExportError) as caught:
        fetch(f"{url}{path}?token=SECRET", tmp_path)
    done.set()
    assert path in str(caught.value)
    shown: BaseException | None = caught.value
    while shown is not None:  # what -v prints
        assert "SECRET" not in str(shown)
        shown = None if shown.__suppress_context__ else shown.__cause__ or shown.__context__
    assert not [found for found in tmp_path.rglob("*SECRET*")]


def test_a_size_over_the_limit_is_refused_before_and_during(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_DOWNLOAD_BYTES", "200000")
    with pytest.raises(InputError, match="262,144 bytes, and at most 200,000"):
        fetch(f"{server.url}/f.bin", tmp_path)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        answers(200, ("Transfer-Encoding", "chunked"))(handler)
        for _ in range(10_000):
            handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    server.scripts["/e.bin"] = endless
    with pytest.raises(InputError, match="LOCOEXPORT_MAX_DOWNLOAD_BYTES"):
        fetch(f"{server.url}/e.bin", tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("part-*")) == 0


def test_a_length_beyond_all_numbers(server: Served, tmp_path: Path) -> None:
    server.scripts["/f.bin"] = answers(200, ("Content-Length", "9" * 60_000))
    with pytest.raises(LocoExportError):
        fetch(f"{server.url}/f.bin", tmp_path)


def test_a_packed_answer_is_refused_unopened(server: Served, tmp_path: Path) -> None:
    server.scripts["/f.bin"] = answers(200, ("Content-Encoding", "gzip"), body=b"\x1f\x8b")
    with pytest.raises(InputError, match="comes compressed"):
        fetch(f"{server.url}/f.bin", tmp_path)


@pytest.mark.parametrize("where", ["status", "headers", "body", "chunk size"])
def test_a_server_that_drips_is_left(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A byte every 50 ms keeps every bound of a socket from being reached."""
    begins = {
        "status": b"HTTP/1.1 2",
        "headers": b"HTTP/1.1 200 OK\r\nX: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    }
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(begins[where])
        while not done.wait(0.05):
            handler.wfile.write(b"0")

    server.scripts["/f.bin"] = drip
    monkeypatch.setenv("LOCOEXPORT_MAX_DOWNLOAD_STALL_SECONDS", "1")
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="DOWNLOAD_STALL_SECONDS"):
        fetch(f"{server.url}/f.bin", tmp_path)
    done.set()
    assert time.monotonic() - began < 20


def test_the_whole_has_a_bound_too(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steady(handler: BaseHTTPRequestHandler) -> None:
        answers(200, ("Content-Length", str(1 << 30)))(handler)
        for _ in range(1000):
            handler.wfile.write(bytes(1 << 17))
            time.sleep(0.02)

    server.scripts["/f.bin"] = steady
    monkeypatch.setenv("LOCOEXPORT_MAX_DOWNLOAD_SECONDS", "1")
    with pytest.raises(UnreachableError, match="LOCOEXPORT_MAX_DOWNLOAD_SECONDS"):
        fetch(f"{server.url}/f.bin", tmp_path)


@pytest.mark.parametrize(
    "said", ["bytes 5-10/20", "bytes 100000-262143/*", "bytes 100000-200000/262144", "x", ""]
)
def test_another_range_than_the_one_asked_for_is_not_appended(
    server: Served, tmp_path: Path, said: str
) -> None:
    server.break_after = 100_000
    with pytest.raises(UnreachableError, match="100000 bytes are kept"):
        fetch(f"{server.url}/f.bin", tmp_path)
    whole = server.scripts.pop

    def wrong_then_right(handler: BaseHTTPRequestHandler) -> None:
        whole("/f.bin")
        assert handler.headers["Range"] == "bytes=100000-"
        answers(206, ("Content-Range", said), ("Content-Length", "6"), body=b"abcdef")(handler)

    server.scripts["/f.bin"] = wrong_then_right
    assert fetch(f"{server.url}/f.bin", tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("status", [204, 206, 304, 416])
def test_an_answer_that_nobody_asked_for(server: Served, tmp_path: Path, status: int) -> None:
    server.scripts["/f.bin"] = answers(status, ("Content-Range", "bytes 5-10/20"))
    with pytest.raises(InputError, match=f"the server answers {status}"):
        fetch(f"{server.url}/f.bin", tmp_path)


@pytest.mark.parametrize("etag", ['W/"a"', '"\xe9"', " x\t", '"' + "a" * 5000 + '"', "plain"])
def test_a_validator_that_is_none_is_not_sent_back(
    server: Served, tmp_path: Path, etag: str
) -> None:
    server.scripts["/f.bin"] = answers(
        200, ("ETag", etag), ("Content-Length", str(len(DATA))), body=DATA[:1000]
    )
    with pytest.raises(UnreachableError):
        fetch(f"{server.url}/f.bin", tmp_path)
    server.scripts.clear()
    assert fetch(f"{server.url}/f.bin", tmp_path).read_bytes() == DATA
    assert server.requests[-1][2] is None


def test_what_the_check_refuses_is_not_kept_and_asked_for_again(
    server: Served, tmp_path: Path
) -> None:
    def check(path: Path) -> None:
        if path.read_bytes() != DATA:
            raise CheckpointError("a page that asks for a login")

    server.files["/f.bin"] = b"<html>login</html>"
    for _ in range(2):
        with pytest.raises(CheckpointError, match="login"):
            fetch(f"{server.url}/f.bin", tmp_path, check)
    assert len(server.requests) == 2
    assert list((tmp_path / "kept").iterdir()) == []
    server.files["/f.bin"] = DATA
    path = fetch(f"{server.url}/f.bin", tmp_path, check)
    assert path.read_bytes() == DATA
    # What was damaged since, or kept by an earlier version, goes the same way.
    path.write_bytes(b"<html>")
    assert fetch(f"{server.url}/f.bin", tmp_path, check).read_bytes() == DATA


def test_two_that_want_one_file_do_not_write_into_each_other(
    server: Served, tmp_path: Path
) -> None:
    found: list[bytes] = []
    told: list[str] = []

    def want() -> None:
        address = parse_web_address(f"{server.url}/f.bin")
        path = tmp_path / "kept" / "f.bin"
        found.append(
            download(
                address, path, lambda _: None, lambda each: told.append(each.text)
            ).read_bytes()
        )

    wanting = [threading.Thread(target=want) for _ in range(3)]
    for thread in wanting:
        thread.start()
    for thread in wanting:
        thread.join(60)
    assert found == [DATA] * 3
    assert len(server.requests) == 1
