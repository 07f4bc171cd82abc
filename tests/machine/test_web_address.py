"""What an address is read as, the file name that it gives, and what is shown of it."""

import pytest

from locoexport.errors import UsageError
from locoexport.machine.web_address import parse_web_address, redact_address


def test_an_address_is_taken_apart() -> None:
    address = parse_web_address("https://u%40x:p%2F%C3%A9@Example.org:8300/a/b.pt?token=SECRET#x")
    assert address.url == "https://Example.org:8300/a/b.pt?token=SECRET"
    assert address.credentials == (b"u@x", b"p/\xc3\xa9")
    assert address.origin == ("https", "example.org", 8300)
    assert address.shown == "https://…@Example.org:8300/a/b.pt"
    assert address.file_name == "b.pt"
    assert "SECRET" not in repr(address)
    assert parse_web_address("https://h/b.pt").origin == ("https", "h", 443)
    assert parse_web_address("https://[::1]:1/b.pt").origin == ("https", "::1", 1)
    assert parse_web_address("https://münchen.example/b.pt").file_name == "b.pt"


@pytest.mark.parametrize(
    "text",
    [
        "https:///x.pt",
        "https://:80/x.pt",
        "https://[::1/x.pt",
        "https://a..b/x.pt",
        "https://.a/x.pt",
        "https://local host/x.pt",
        "https://a\\b/x.pt",
        "https://good.example\\@evil.example:x/x.pt",
        "https://h:99999/x.pt",
        "https://h:-1/x.pt",
        "https://h:0/x.pt",
        "https://h:abc/x.pt",
        "https://h:٣/x.pt",
        "https://" + "a" * 300 + ".test/x.pt",
        "https://" + "a." * 150 + "test/x.pt",
        "https://h/" + "a" * 9000,
        "https://h/a\0b.pt",
        "https://h/a\r\nX: 1.pt",
        "https://h/a\ud800.pt",
        "https://h/a\u202egnp.pt",
        "https://\u2100.test/x.pt",
        "https://" + "\u2603" * 100 + "/x.pt",
        "ftp://h/x.pt",
        "hhttps://h/x.pt",
        "https:/h/x.pt",
        "x.pt",
        "",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_web_address(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("last", "name"),
    [
        ("b0.ckpt", "b0.ckpt"),
        ("b%200.pt", "b 0.pt"),
        ("b%00.pt", "b_.pt"),
        ("b%1b%5b31m.pt", "b_[31m.pt"),
        ("b%5c..%5cx.pt", "b_.._x.pt"),
        ("b%E2%80%AEtp.pt", "b_tp.pt"),
        ("b%ff.pt", "b\ufffd.pt"),
        ("-rf.pt", "_rf.pt"),
        (".netrc", "_netrc"),
        ("C%3Ax.pt", "C_x.pt"),
        ("a" * 300 + ".safetensors", "a" * 120 + ".safetensors"),
        ("%C3%A9" * 200 + ".pt", "é" * 60 + ".pt"),
        ("a." + "b" * 300, "a." + "b" * 118),
    ],
)
def test_a_file_name_is_one_that_any_system_has(last: str, name: str) -> None:
    assert parse_web_address(f"https://h/x/{last}").file_name == name


@pytest.mark.parametrize("last", ["", "..", ".", "%2e%2e", "a%2fb.pt", "..%2f..%2fx.pt", "?x.pt"])
def test_a_path_that_names_no_file(last: str) -> None:
    with pytest.raises(UsageError, match="names no file"):
        _ = parse_web_address(f"https://h/{last}").file_name


@pytest.mark.parametrize(
    "text",
    [
        "https://user:SECRET@h/x.pt",
        "https://SECRET@h/x.pt",
        "https://user:SECRET@a@h/x.pt",
        "https://user:SE/CRET@h/x.pt",
        "https://user:SEC?RET@h/x.pt",
        "https://user:SEC#RET@h/x.pt",
        "https://h/x.pt?token=SECRET",
        "https://h/x.pt?mail=a@SECRET",
        "https://h/x.pt#SECRET",
        "https://user:SECRET@[::1/x.pt",
        "ftp://user:SECRET@h/x.pt",
        "//user:SECRET@h/x.pt",
    ],
)
def test_no_secret_is_shown(text: str) -> None:
    try:
        told = parse_web_address(text).shown
    except UsageError as error:
        told = str(error)
    shown = redact_address(text)
    assert shown in told
    assert not any(part in told for part in ("SEC", "RET", "SE/", "CRET"))
