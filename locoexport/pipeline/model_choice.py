"""Which exported file a command runs: a file, a profile by its name, or the one that is shipped."""

from __future__ import annotations

import os
from pathlib import Path

from locoexport.contract.profile import ExportProfile, load_profile, profile_names
from locoexport.contract.shipped_model import (
    SHIPPED_PROFILE,
    shipped_live_path,
    shipped_model_path,
)
from locoexport.errors import ModelFileError, PackageMissingError, ProfileError
from locoexport.machine.installation import require_extra
from locoexport.machine.writing.output_files import is_file
from locoexport.notices import Listener
from locoexport.runtime.session.split_files import find_live_files, find_split_files

__all__ = ["find_live_model", "find_model", "find_profile_model", "names_profile"]


def find_model(named: str | Path | None, notify: Listener) -> Path:
    """The exported file for whole clips.

    Args:
        named: a file; or the name of a profile, which is exported into the cache folder the first
            time (its weights are those of ``locoexport export --backbone NAME``). None is the
            model that the package ships, and so is its profile's name. A file comes before a
            profile of the same name.
        notify: is told of an export.

    Raises:
        ModelFileError: it is neither a file nor a profile.
        PackageMissingError: the profile must be exported, and what exports it is not installed.
        OutputError, ParityFailedError, GraphCheckFailedError: see ``cached_export``.
    """
    return _find(named, notify, live=False)


def find_live_model(named: str | Path | None, notify: Listener) -> Path:
    """What names the three files of a live export; the arguments are those of ``find_model``.

    Raises:
        ModelFileError, PackageMissingError, OutputError, ParityFailedError,
            GraphCheckFailedError: see ``find_model``.
    """
    return _find(named, notify, live=True)


def find_profile_model(name: str, notify: Listener, *, live: bool = False) -> Path:
    """The exported file of a profile: the one that is shipped, else one in the cache folder.

    Args:
        name: of the profile, or a .toml file.
        notify: is told of an export.
        live: what names the three files of a live export.

    Raises:
        ProfileError: there is no such profile.
        PackageMissingError, OutputError, ParityFailedError, GraphCheckFailedError: see
            ``find_model``.
    """
    return _exported(load_profile(name), name, notify, live=live)


def names_profile(named: str | Path) -> bool:
    """Whether it is a shipped profile's name, and no file is called so."""
    return str(named) in profile_names() and not _names_file(named)


def _find(named: str | Path | None, notify: Listener, *, live: bool) -> Path:
    if named is None:
        return _shipped(live)
    if _names_file(named):
        return Path(named)
    try:
        profile = load_profile(str(named))
    except ProfileError as error:
        raise ModelFileError(f"There is no model file {named}. {error}") from error
    return _exported(profile, str(named), notify, live=live)


def _exported(profile: ExportProfile, name: str, notify: Listener, *, live: bool) -> Path:
    if name == SHIPPED_PROFILE:
        return _shipped(live)
    try:
        require_extra("export")
    except PackageMissingError as error:
        raise PackageMissingError(
            f"The profile {profile.name} must be exported before it can run. {error} Or export it "
            f"on another machine and pass the file; the built-in {SHIPPED_PROFILE} needs nothing."
        ) from error
    # It imports torch, which whoever tracks with a file need not have.
    from locoexport.pipeline.cached_export import cached_export, cached_live_export

    return (cached_live_export if live else cached_export)(profile, notify)


def _shipped(live: bool) -> Path:
    return shipped_live_path() if live else shipped_model_path()


def _names_file(named: str | Path) -> bool:
    """Whether it is meant as a file: one that exists, or a name that no profile can have."""
    path, text = Path(named), os.fspath(named)
    if is_file(path) or find_split_files(path) is not None or find_live_files(path) is not None:
        return True
    return text.endswith(".onnx") or path.name != text
