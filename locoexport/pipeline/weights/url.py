"""One file from an https server, through pooch: into the cache, resumable, checked."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pooch
import requests

from locoexport.errors import CheckpointError, OutputError, UnreachableError
from locoexport.notices import Listener, Notice

__all__ = ["download_from_url"]

_CHUNK_BYTES = 1 << 16
_TIMEOUTS_S = (10, 60)
_NOT_SATISFIABLE = 416
_PARTIAL = 206


def download_from_url(url: str, path: Path, sha256: str | None, notify: Listener) -> Path:
    """Download ``url`` to ``path`` unless it lies there already.

    Args:
        url: https.
        path: where it goes; the folder is made. Beside it lie the bytes of an interrupted download.
        sha256: hex digest that its bytes must have; a file of another digest is downloaded anew.
        notify: is told of progress.

    Raises:
        UnreachableError: the server cannot be reached, or the connection broke.
        CheckpointError: the server has no such file, or its bytes are not those expected.
        OutputError: the cache folder cannot be written.
    """
    known = None if sha256 is None else f"sha256:{sha256}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _quiet_pooch():
            found = pooch.retrieve(
                url,
                known_hash=known,
                fname=path.name,
                path=path.parent,
                downloader=_Resuming(path, notify),
            )
    except requests.HTTPError as error:
        code = "an error" if error.response is None else error.response.status_code
        raise CheckpointError(f"{url} cannot be downloaded: the server answers {code}.") from error
    except requests.RequestException as error:
        raise UnreachableError(_broken(url, path, error)) from error
    except ValueError as error:
        if "hash" not in str(error):
            raise
        raise CheckpointError(
            f"{url} is not what was expected: its SHA-256 is not {sha256}. It was not kept."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Set XDG_CACHE_HOME to a folder "
            "that can."
        ) from error
    return Path(found)


class _Resuming:
    """What pooch calls to download: goes on from the bytes that an earlier call left."""

    def __init__(self, path: Path, notify: Listener) -> None:
        self._name = path.name
        self._part = path.with_name(path.name + ".part")
        self._etag = path.with_name(path.name + ".part.etag")
        self._notify = notify

    def __call__(self, url: str, output_file: str, _pooch: Any) -> None:
        have = self._part.stat().st_size if self._part.is_file() else 0
        headers = {"Accept-Encoding": "identity"}
        # Without a validator nothing tells whether the file there is still the one begun.
        if have and self._etag.is_file():
            headers |= {"Range": f"bytes={have}-", "If-Range": self._etag.read_text()}
        with requests.get(url, stream=True, headers=headers, timeout=_TIMEOUTS_S) as response:
            if response.status_code == _NOT_SATISFIABLE:
                self._part.unlink()
                self(url, output_file, _pooch)
                return
            response.raise_for_status()
            if response.status_code != _PARTIAL:
                have = 0
            self._receive(response, have)
        shutil.move(self._part, output_file)
        self._etag.unlink(missing_ok=True)

    def _receive(self, response: requests.Response, have: int) -> None:
        """Write the answer behind the ``have`` bytes that are there."""
        etag = response.headers.get("ETag", "")
        if etag and not etag.startswith("W/"):
            self._etag.write_text(etag)
        else:
            self._etag.unlink(missing_ok=True)
        if have:
            self._notify(Notice(f"going on after {have} bytes of {self._name}"))
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        done = have
        with open(self._part, "ab" if have else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                if total is not None:
                    self._notify(Notice(f"downloading {self._name} (bytes)", done, total))
        if total is not None and done != total:
            raise requests.ConnectionError(f"{done} of {total} bytes came")


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """pooch logs each download and how to pin it; what matters of that, we say."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _broken(url: str, path: Path, error: Exception) -> str:
    part = path.with_name(path.name + ".part")
    kept = (
        f" {part.stat().st_size} bytes are kept; run the command again to go on."
        if (part.is_file() and part.stat().st_size)
        else ""
    )
    reason = " ".join(str(error).split()).rstrip(".")
    return (
        f"{url} cannot be downloaded: {reason}.{kept} Offline, pass --checkpoint FILE with a file "
        "that was copied here."
    )
