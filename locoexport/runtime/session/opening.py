"""An exported file opened, whichever form it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from locoexport.runtime.session.single import (
    ModelSession,
    open_session,
)
from locoexport.runtime.session.split import SplitSession, open_split
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["Model", "open_model"]


def open_model(path: str | Path, provider: str = "cpu", **options: Any) -> Model:
    """A single file, or a split export by the name of any of its files.

    Raises:
        UsageError, ProviderUnavailableError, ModelFileError: see ``open_session``.
    """
    if find_split_files(path) is None:
        return open_session(path, provider, **options)
    return open_split(path, provider, **options)


Model = ModelSession | SplitSession
