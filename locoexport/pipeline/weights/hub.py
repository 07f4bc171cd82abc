"""One file from Hugging Face, through huggingface_hub: its cache, its resuming, its login."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors
from tqdm import tqdm

from locoexport.errors import (
    CheckpointError,
    LocoExportError,
    OutputError,
    UnreachableError,
    UsageError,
)
from locoexport.machine.limits import DOWNLOAD_BYTES
from locoexport.machine.web_address import redact_address
from locoexport.notices import Listener, Notice
from locoexport.pipeline.weights.hub_file import HubFile

__all__ = ["download_from_hub"]

_PATIENCE_S = 10


def download_from_hub(wanted: HubFile, endpoint: str | None, notify: Listener) -> Path:
    """The file in Hugging Face's cache, downloaded unless it lies there already.

    Raises:
        UnreachableError: the server cannot be reached and the file is not in the cache.
        CheckpointError: no such repository, revision or file, one that wants a login, or a file
            larger than ``DOWNLOAD_BYTES``.
        UsageError: the names are none that Hugging Face takes.
    """
    notify(Notice(f"looking for {wanted.file} in {wanted.repo} on Hugging Face"))
    where = f"hf://{wanted.repo}{'' if wanted.revision is None else '@' + wanted.revision}"
    try:
        path = huggingface_hub.hf_hub_download(
            wanted.repo,
            wanted.file,
            revision=wanted.revision,
            endpoint=endpoint,
            library_name="locoexport",
            # Where nobody answers, it would ask six times in fifteen seconds.
            local_files_only=not _answers(endpoint or huggingface_hub.constants.ENDPOINT),
            tqdm_class=_bar_that_tells(wanted.file.rpartition("/")[2], notify),
        )
    except LocoExportError:
        raise  # the bar's, of the size
    except Exception as error:
        # Not from it: it may quote an address that is signed.
        raise _explained(error, wanted, where, endpoint) from None
    return Path(path)


def _answers(endpoint: str) -> bool:
    """Whether the server says anything, through the hub's own client and its proxies."""
    try:
        huggingface_hub.get_session().head(endpoint, timeout=_PATIENCE_S)
    # The client's own class of errors is another one in other versions.
    except Exception:
        return False
    return True


def _explained(
    error: Exception, wanted: HubFile, where: str, endpoint: str | None
) -> LocoExportError:
    """Our error for one of huggingface_hub's."""
    if isinstance(error, errors.LocalEntryNotFoundError):
        # What the hub raises where it can neither ask nor find the file in its cache.
        server = "huggingface.co" if endpoint is None else redact_address(endpoint)
        return UnreachableError(
            f"{where}/{wanted.file} cannot be downloaded: {server} cannot be "
            "reached, and the file is not in Hugging Face's cache here. Offline, pass --checkpoint "
            "FILE with a file that was copied here."
        )
    if isinstance(error, errors.GatedRepoError):
        return CheckpointError(
            f"{where} is open to accounts alone that accepted its terms: hf auth login."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return CheckpointError(f"There is no repository {where}, or it is private (hf auth login).")
    if isinstance(error, errors.RevisionNotFoundError):
        return CheckpointError(f"{where}: there is no revision {wanted.revision!r}.")
    if isinstance(error, errors.EntryNotFoundError):
        return CheckpointError(f"{where} holds no file {wanted.file!r}.")
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"{where}/{wanted.file} is no name that Hugging Face takes.")
    if isinstance(error, OSError) and error.strerror:
        return OutputError(f"Hugging Face's cache cannot be written: {error.strerror}.")
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    reason = type(error).__name__ if status is None else f"the server answers {status}"
    return UnreachableError(f"{where}/{wanted.file} cannot be downloaded: {reason}.")


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
