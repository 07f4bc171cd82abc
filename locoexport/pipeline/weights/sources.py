"""Where weights come from: a file, ``hf://[datasets/]OWNER/REPO[@REVISION]/FILE``, an https URL.

What was downloaded is kept: Hugging Face's files in its own cache, those of URLs in ours. An
interrupted download goes on where it stopped. Every download says its SHA-256.
"""

from __future__ import annotations

import glob
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from locoexport.errors import (
    CheckpointError,
    PackageMissingError,
    UnreachableError,
    UsageError,
)
from locoexport.machine.installation import cache_path, require_extra, require_packages
from locoexport.machine.reading.tar_archive import is_tar, with_member
from locoexport.machine.web_address import (
    LOOPBACK_NAMES,
    WebAddress,
    parse_web_address,
    redact_address,
)
from locoexport.machine.writing.output_files import is_file, sha256_of
from locoexport.notices import Listener, Notice, ignore
from locoexport.pipeline.weights.hub_file import HubFile, parse_hub_file

__all__ = ["WebFile", "find_checkpoint", "find_downloaded", "is_remote", "parse_source"]

_EXTRA = "download"
_KEPT = "checkpoints"
_BEGINNING = 40
_MEMBER = re.compile(
    r"(?P<tar>[^#]+\.(tar|tgz|tar\.\w+)(\?[^#:]*)?)(?P<before>#[^:]*)?::(?P<member>[^#]+)(?P<after>#.*)?"
)


@dataclass(frozen=True)
class WebFile:
    """A file at an address, and the SHA-256 in lower-case hex that its bytes must have, if any.

    ``key`` is the folder of the cache that it is kept in, ``name`` the file there.
    """

    address: WebAddress
    name: str
    key: str
    sha256: str | None


def is_remote(source: str | Path) -> bool:
    """Whether a checkpoint is to be downloaded: its name begins with a scheme and ``://``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(source)) is not None


def find_checkpoint(
    source: str | Path, notify: Listener = ignore, *, endpoint: str | None = None
) -> Path:
    """The file of a checkpoint, downloaded unless it lies in the cache already.

    Args:
        source: a path, ``hf://[datasets/]OWNER/REPO[@REVISION]/FILE``, or ``https://HOST/FILE``
            with ``#sha256=HEX`` after it where the bytes are to be checked. ``http://`` is taken
            from this machine itself alone. ``FILE.tar::MEMBER`` names a member, wherever the tar
            is; the answer then has it as well.
        notify: is told of progress and of the SHA-256.
        endpoint: another server than huggingface.co.

    Raises:
        UsageError: a source of no such form.
        CheckpointError: there is no such file there, it is no checkpoint, it is larger than
            ``DOWNLOAD_BYTES``, or its bytes are not those expected. It is not kept.
        UnreachableError: the server cannot be reached, or is too slow.
        PackageMissingError: the extra ``download`` is not installed.
    """
    if not is_remote(source):
        return Path(source)
    source, member = _split_remote(str(source))
    wanted = parse_source(source)
    if isinstance(wanted, HubFile):
        path = _from_hub(wanted, endpoint, notify)
    else:
        path = _from_web(wanted, notify)
    notify(Notice(f"{path.name}: sha256 {sha256_of(path)}, kept as {path}"))
    return path if member is None else with_member(path, member)


def _split_remote(source: str) -> tuple[str, str | None]:
    """The source of a tar, with its digest, and the member named; an IPv6 host is no member."""
    match = _MEMBER.fullmatch(source)
    if match is None:
        return source, None
    return match["tar"] + (match["before"] or match["after"] or ""), match["member"]


def find_downloaded(file_name: str, sha256: str) -> Path | None:
    """A checkpoint of that name and SHA-256 that was downloaded before; nobody is asked."""
    for path in (cache_path() / _KEPT).glob(f"*/{glob.escape(file_name)}"):
        if is_file(path) and sha256_of(path) == sha256:
            return path
    try:
        require_packages("huggingface_hub", extra=_EXTRA)
    except PackageMissingError:
        return None
    from locoexport.pipeline.weights.hub import find_in_hub_cache

    return find_in_hub_cache(file_name, sha256)


def parse_source(text: str) -> HubFile | WebFile:
    """What is to be downloaded; nobody is asked yet.

    Raises:
        UsageError: it has neither the form of a file on Hugging Face nor of one at an address.
    """
    scheme = text.partition("://")[0].lower()
    if scheme == "hf":
        return parse_hub_file(text)
    if scheme not in ("http", "https"):
        raise UsageError(
            f"--checkpoint {redact_address(text)}: expected a file, hf://OWNER/REPO/FILE or "
            "https://HOST/FILE."
        )
    try:
        return _web_file(text)
    except UsageError as error:
        raise UsageError(f"--checkpoint {error}") from None


def _web_file(text: str) -> WebFile:
    address = parse_web_address(text)
    # As it was typed, and not as urlsplit tidied it: files of earlier versions are found again.
    url, fragment = urldefrag(text)
    name = address.file_name
    parts = urlsplit(address.url)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_NAMES:
        raise UsageError(
            f"{address.shown}: weights are not taken over http, which anybody on the way can "
            "change; use https."
        )
    expected = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if fragment and expected is None:
        raise UsageError(f"{address.shown}: after # only sha256= and 64 hex digits are understood.")
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    return WebFile(address, name, key, None if expected is None else expected[1].lower())


def _from_hub(wanted: HubFile, endpoint: str | None, notify: Listener) -> Path:
    require_packages("huggingface_hub", extra=_EXTRA)
    from locoexport.pipeline.weights.hub import download_from_hub

    return download_from_hub(wanted, endpoint, notify)


def _from_web(wanted: WebFile, notify: Listener) -> Path:
    require_packages("requests", "filelock", extra=_EXTRA)
    require_extra("export")
    from locoexport.machine.download import download

    try:
        return download(
            wanted.address,
            cache_path() / _KEPT / wanted.key / wanted.name,
            lambda path: _check(path, wanted),
            notify,
            error_type=CheckpointError,
        )
    except UnreachableError as error:
        raise UnreachableError(
            f"{error} Offline, pass --checkpoint FILE with a file that was copied here."
        ) from None


def _check(path: Path, wanted: WebFile) -> None:
    """Refuse what is not the file expected, or no checkpoint: a page that asks for a login."""
    shown = wanted.address.shown
    if wanted.sha256 is not None:
        digest = sha256_of(path)
        if digest != wanted.sha256:
            raise CheckpointError(
                f"{shown} is not what was expected: its SHA-256 is not {wanted.sha256} but "
                f"{digest}. It was not kept."
            )
    with open(path, "rb") as file:
        begins = file.read(_BEGINNING)
    if path.suffix == ".onnx":
        # eval takes an exported file as well, and says what is wrong inside of one. Each begins
        # with the field ir_version.
        reason = "" if begins[:1] == b"\x08" else "it is not an .onnx file."
    else:
        reason = _misfit(path, wanted.name)
    if reason:
        text = begins.decode("ascii", "replace").replace("\ufffd", "?")
        raise CheckpointError(
            f"{shown} is not a checkpoint that can be read, and was not kept: {reason} It begins "
            f"with {text!a}."
        )


def _misfit(path: Path, name: str) -> str:
    """What the reader of checkpoints says against a file; empty where it reads it."""
    from locoexport.models.locotrack.checkpoint import CheckpointError as Misfit
    from locoexport.models.locotrack.checkpoint import read_state_dict
    from locoexport.network.jax_checkpoint import is_jax_checkpoint, read_jax_checkpoint

    try:
        if is_tar(path):
            return ""  # it is read once a member is chosen
        if is_jax_checkpoint(path):
            read_jax_checkpoint(path)
        else:
            read_state_dict(path)
    except (Misfit, CheckpointError) as error:
        return str(error).replace(str(path), name)
    return ""
