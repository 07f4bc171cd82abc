"""One file from Hugging Face, through huggingface_hub: its cache, its resuming, its login."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors
from tqdm import tqdm

from locoexport.errors import CheckpointError, UnreachableError
from locoexport.notices import Listener, Notice
from locoexport.pipeline.weights.hub_file import HubFile

__all__ = ["download_from_hub"]


def download_from_hub(wanted: HubFile, endpoint: str | None, notify: Listener) -> Path:
    """The file in Hugging Face's cache, downloaded unless it lies there already.

    Raises:
        UnreachableError: the server cannot be reached and the file is not in the cache.
        CheckpointError: no such repository, revision or file, or one that wants a login.
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
            tqdm_class=_bar_that_tells(wanted.file.rpartition("/")[2], notify),
        )
    except errors.LocalEntryNotFoundError as error:
        # What the hub raises where it can neither ask nor find the file in its cache.
        raise UnreachableError(
            f"{where}/{wanted.file} cannot be downloaded: {endpoint or 'huggingface.co'} cannot be "
            "reached, and the file is not in Hugging Face's cache here. Offline, pass --checkpoint "
            "FILE with a file that was copied here."
        ) from error
    except errors.GatedRepoError as error:
        raise CheckpointError(
            f"{where} is open to accounts alone that accepted its terms: hf auth login."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"There is no repository {where}, or it is private (hf auth login)."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{where}: there is no revision {wanted.revision!r}.") from error
    except errors.EntryNotFoundError as error:
        raise CheckpointError(f"{where} holds no file {wanted.file!r}.") from error
    except errors.HfHubHTTPError as error:
        reason = " ".join(str(error).split())
        raise UnreachableError(f"{where}/{wanted.file} cannot be downloaded: {reason}") from error
    return Path(path)


def _bar_that_tells(name: str, notify: Listener) -> type[Any]:
    """A progress bar that draws nothing and tells ``notify`` how many bytes are there."""

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options["disable"] = True
            super().__init__(*arguments, **options)
            self._done, self._total = int(options.get("initial") or 0), options.get("total")

        def update(self, n: float | None = 1) -> bool | None:
            self._done += int(n or 0)
            if self._total:
                notify(Notice(f"downloading {name} (bytes)", self._done, int(self._total)))
            return None

    return Bar
