"""Where weights come from: a file, ``hf://OWNER/REPO[@REVISION]/FILE``, or an https URL.

What was downloaded is kept: Hugging Face's files in its own cache, those of URLs in ours. An
interrupted download goes on where it stopped. Every download says its SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from locoexport.errors import UsageError
from locoexport.machine.installation import cache_folder, require_packages
from locoexport.machine.output_files import sha256_of
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.weights.hub_file import HubFile, parse_hub_file

__all__ = ["find_checkpoint", "is_remote"]

_EXTRA = "download"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_remote(source: str | Path) -> bool:
    """Whether a checkpoint is to be downloaded: its name begins with a scheme and ``://``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(source)) is not None


def find_checkpoint(
    source: str | Path, notify: Listener = ignore, *, endpoint: str | None = None
) -> Path:
    """The file of a checkpoint, downloaded unless it lies in the cache already.

    Args:
        source: a path, ``hf://OWNER/REPO[@REVISION]/FILE``, or ``https://HOST/FILE`` with
            ``#sha256=HEX`` after it where the bytes are to be checked. ``http://`` is taken from
            this machine itself alone.
        notify: is told of progress and of the SHA-256.
        endpoint: another server than huggingface.co.

    Raises:
        UsageError: a source of no such form.
        CheckpointError: there is no such file there, or its bytes are not those expected.
        UnreachableError: the server cannot be reached.
        PackageMissingError: the extra ``download`` is not installed.
    """
    text = str(source)
    if not is_remote(text):
        return Path(source)
    scheme = text.partition("://")[0].lower()
    if scheme == "hf":
        path = _from_hub(parse_hub_file(text), endpoint, notify)
    elif scheme in ("http", "https"):
        path = _from_url(text, notify)
    else:
        raise UsageError(
            f"--checkpoint {text}: expected a file, hf://OWNER/REPO/FILE or https://HOST/FILE."
        )
    notify(Notice(f"{path.name}: sha256 {sha256_of(path)}, kept as {path}"))
    return path


def _from_hub(wanted: HubFile, endpoint: str | None, notify: Listener) -> Path:
    require_packages("huggingface_hub", extra=_EXTRA)
    from locoexport.pipeline.weights.hub import download_from_hub

    return download_from_hub(wanted, endpoint, notify)


def _from_url(text: str, notify: Listener) -> Path:
    url, fragment = urldefrag(text)
    parts = urlsplit(url)
    name = unquote(parts.path.rpartition("/")[2])
    if not name or name in (".", "..") or "/" in name:
        raise UsageError(f"--checkpoint {text}: the URL names no file.")
    if parts.scheme.lower() == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError(
            f"--checkpoint {text}: weights are not taken over http, which anybody on the way can "
            "change; use https."
        )
    expected = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if fragment and expected is None:
        raise UsageError(
            f"--checkpoint {text}: after # only sha256= and 64 hex digits are understood."
        )
    require_packages("pooch", extra=_EXTRA)
    from locoexport.pipeline.weights.url import download_from_url

    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    folder = cache_folder().path / "checkpoints" / key
    return download_from_url(
        url, folder / name, None if expected is None else expected[1].lower(), notify
    )
