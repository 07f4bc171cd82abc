"""Files of Hugging Face, through huggingface_hub: its cache, its resuming, its login."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, errors
from tqdm import tqdm

from locoexport.errors import (
    CheckpointError,
    LocoExportError,
    OutputError,
    UnreachableError,
    UsageError,
)
from locoexport.machine.limits import DOWNLOAD_BYTES, HUB_FILES
from locoexport.machine.web_address import redact_address
from locoexport.notices import Listener, Notice
from locoexport.pipeline.weights.hub_file import HubFile, HubRepository

__all__ = ["ListedFile", "download_from_hub", "find_in_hub_cache", "list_hub_files"]

_PATIENCE_S = 10


@dataclass(frozen=True)
class ListedFile:
    """A file that a repository holds; ``size_bytes`` None where the server does not say."""

    path: str
    size_bytes: int | None


def download_from_hub(wanted: HubFile, endpoint: str | None, notify: Listener) -> Path:
    """The file in Hugging Face's cache, downloaded unless it lies there already.

    Raises:
        UnreachableError: the server cannot be reached and the file is not in the cache.
        CheckpointError: no such repository, revision or file, one that wants a login, or a file
            larger than ``DOWNLOAD_BYTES``.
        UsageError: the names are none that Hugging Face takes.
    """
    repository = wanted.repository
    notify(Notice(f"looking for {wanted.file} in {repository.address} on Hugging Face"))
    try:
        path = huggingface_hub.hf_hub_download(
            repository.name,
            wanted.file,
            repo_type=repository.type,
            revision=repository.revision,
            endpoint=endpoint,
            library_name="locoexport",
            # Where nobody answers, it would ask six times in fifteen seconds.
            local_files_only=not _answers(endpoint or constants.ENDPOINT),
            tqdm_class=_bar_that_tells(wanted.file.rpartition("/")[2], notify),
        )
    except LocoExportError:
        raise  # the bar's, of the size
    except Exception as error:
        # Not from it: it may quote an address that is signed.
        raise _explained(error, repository, wanted.file, endpoint) from None
    return Path(path)


def list_hub_files(repository: HubRepository, endpoint: str | None) -> tuple[ListedFile, ...]:
    """What the repository holds, in the order in which the server names it.

    Raises:
        UnreachableError: the server cannot be reached.
        CheckpointError: no such repository or revision, one that wants a login, or more files than
            ``HUB_FILES``.
        UsageError: the names are none that Hugging Face takes.
    """
    if not _answers(endpoint or constants.ENDPOINT):
        raise UnreachableError(
            f"{repository.address} cannot be listed: {_server(endpoint)} cannot be reached. "
            f"Offline, pass --checkpoint FILE with a file that was copied here, or "
            f"{repository.address}/FILE for one that was downloaded before."
        )
    api = huggingface_hub.HfApi(endpoint=endpoint, library_name="locoexport")
    ask = api.dataset_info if repository.type == "dataset" else api.model_info
    try:
        found = ask(
            repository.name,
            revision=repository.revision,
            files_metadata=True,
            timeout=_PATIENCE_S,
        ).siblings
    except Exception as error:
        raise _explained(error, repository, None, endpoint) from None
    HUB_FILES.check(len(found or ()), repository.address, CheckpointError)
    return tuple(
        ListedFile(entry.rfilename, entry.size if isinstance(entry.size, int) else None)
        for entry in found or ()
        if isinstance(entry.rfilename, str)
    )


def find_in_hub_cache(file_name: str, sha256: str) -> Path | None:
    """A file of that name and content that was downloaded before, found without a question.

    The cache keeps the bytes of large files under their SHA-256, whatever repository they are of.
    """
    cache = Path(constants.HF_HUB_CACHE)
    for blob in cache.glob(f"*/blobs/{sha256}"):
        for link in blob.parents[1].glob(f"snapshots/*/**/{glob.escape(file_name)}"):
            if link.resolve() == blob.resolve():
                return link
    return None


def _answers(endpoint: str) -> bool:
    """Whether the server says anything, through the hub's own client and its proxies."""
    try:
        huggingface_hub.get_session().head(endpoint, timeout=_PATIENCE_S)
    # The client's own class of errors is another one in other versions.
    except Exception:
        return False
    return True


def _explained(
    error: Exception, repository: HubRepository, file: str | None, endpoint: str | None
) -> LocoExportError:
    """Our error for one of huggingface_hub's; ``file`` None where the files were to be listed."""
    where = repository.address
    wanted, done = (where, "listed") if file is None else (f"{where}/{file}", "downloaded")
    if isinstance(error, errors.LocalEntryNotFoundError):
        # What the hub raises where it can neither ask nor find the file in its cache.
        return UnreachableError(
            f"{wanted} cannot be {done}: {_server(endpoint)} cannot be "
            "reached, and the file is not in Hugging Face's cache here. Offline, pass --checkpoint "
            "FILE with a file that was copied here."
        )
    if isinstance(error, errors.GatedRepoError):
        return CheckpointError(
            f"{where} is open only to accounts that accepted its terms: hf auth login."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return CheckpointError(f"There is no repository {where}, or it is private (hf auth login).")
    if isinstance(error, errors.RevisionNotFoundError):
        return CheckpointError(f"{where}: there is no revision {repository.revision!r}.")
    if isinstance(error, errors.EntryNotFoundError):
        return CheckpointError(f"{where} holds no file {file!r}.")
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"{wanted} is not a name that Hugging Face takes.")
    if isinstance(error, OSError) and error.strerror:
        return OutputError(f"Hugging Face's cache cannot be written: {error.strerror}.")
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    reason = type(error).__name__ if status is None else f"the server answers {status}"
    return UnreachableError(f"{wanted} cannot be {done}: {reason}.")


def _server(endpoint: str | None) -> str:
    return "huggingface.co" if endpoint is None else redact_address(endpoint)


def _bar_that_tells(name: str, notify: Listener) -> type[Any]:
    """A progress bar that draws nothing and tells ``notify`` how many bytes are there."""

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options["disable"] = True
            super().__init__(*arguments, **options)
            self._done, self._total = int(options.get("initial") or 0), options.get("total")
            DOWNLOAD_BYTES.check(int(self._total or 0), name, CheckpointError)

        def update(self, n: float | None = 1) -> bool | None:
            self._done += int(n or 0)
            DOWNLOAD_BYTES.check(self._done, name, CheckpointError)
            if self._total:
                notify(Notice(f"downloading {name} (bytes)", self._done, int(self._total)))
            return None

    return Bar
