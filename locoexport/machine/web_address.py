"""An https address as people type it and servers send on to: read, checked and shown.

No network and no package is needed for it. What may be secret in an address (who asks, and what
stands behind ``?``) is in no text of this module.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes, urlsplit, urlunsplit

from locoexport.errors import UsageError

__all__ = ["LOOPBACK_NAMES", "WebAddress", "parse_web_address", "redact_address"]

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_LONGEST = 8192
_NAME_BYTES, _SUFFIX_BYTES, _SHOWN = 120, 20, 300
_PORTS = {"http": 80, "https": 443}
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9]+)?")


@dataclass(frozen=True)
class WebAddress:
    """An http or https address without its fragment.

    Attributes:
        url: what is asked for, without the credentials.
        credentials: user and password that stood before ``@``, decoded.
        shown: the address as messages may name it.
    """

    url: str = field(repr=False)
    credentials: tuple[bytes, bytes] | None = field(repr=False)
    shown: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: whom credentials are meant for."""
        parts = urlsplit(self.url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]

    @property
    def file_name(self) -> str:
        """The last part of the path as the name of a file that any system can have.

        Raises:
            UsageError: there is none.
        """
        name = unquote(urlsplit(self.url).path.rpartition("/")[2])
        if not name or name in (".", "..") or "/" in name:
            raise UsageError(f"{self.shown}: the URL names no file.")
        return _plain_name(name)


def parse_web_address(text: str) -> WebAddress:
    """The address that ``text`` is.

    Raises:
        UsageError: it is none, or not of http or https.
    """
    shown = redact_address(text)
    if len(text) > _LONGEST:
        raise UsageError(f"{shown} has {len(text)} characters; an address has at most {_LONGEST}.")
    odd = next((letter for letter in text if unicodedata.category(letter)[0] == "C"), None)
    if odd is not None:
        raise UsageError(f"{shown} holds {odd!a}, which no address holds.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        plain = host if host.isascii() else host.encode("idna").decode("ascii")
    # What these say quotes the address, with the password in it.
    except ValueError:
        raise UsageError(f"{shown} is not an address: its host or port cannot be read.") from None
    if parts.scheme not in _PORTS:
        raise UsageError(f"{shown}: expected https://HOST/FILE.")
    if len(plain) > 253 or _HOST.fullmatch(plain) is None or port == 0:
        raise UsageError(f"{shown} names no host.")
    credentials = None
    if parts.username is not None:
        given = parts.username, parts.password or ""
        credentials = unquote_to_bytes(given[0]), unquote_to_bytes(given[1])
    place = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    return WebAddress(url, credentials, shown)


def redact_address(text: str) -> str:
    """``text`` without what stands before ``@`` and behind ``?``, and in one printable line.

    It holds for what is no address too: rather too much is left out than a password shown.
    """
    head = re.split(r"[?#]", text, maxsplit=1)[0]
    scheme, mark, rest = head.partition("://")
    if not mark:
        scheme, rest = "", head
    if "@" in text[len(head) :] and "/" not in rest:
        rest = "…"  # a password with a question mark
    elif "@" in rest:
        rest = "…@" + rest.rpartition("@")[2]
    shown = "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in scheme + mark + rest
    )
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def _plain_name(name: str) -> str:
    """``name`` without what some system takes for more than a letter, and cut to a length."""
    plain = "".join(
        "_" if letter in '\\:*?"<>|' or unicodedata.category(letter)[0] == "C" else letter
        for letter in name
    )
    if plain[0] in ".-":  # neither hidden nor an option
        plain = "_" + plain[1:]
    stem, dot, suffix = plain.rpartition(".")
    if not dot or len(suffix.encode()) > _SUFFIX_BYTES:
        stem, dot, suffix = plain, "", ""
    return stem.encode()[:_NAME_BYTES].decode(errors="ignore") + dot + suffix
