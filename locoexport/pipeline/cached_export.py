"""Exports that commands make for themselves, kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import astuple
from importlib.metadata import version
from importlib.resources import as_file
from pathlib import Path

from locoexport.contract.profile import ExportProfile, demo_weights_path
from locoexport.errors import ModelFileError, OutputError
from locoexport.machine.installation import cache_path, package_sources
from locoexport.machine.reading.tar_archive import container_of, name_with_member
from locoexport.machine.writing.cache_entries import (
    bytes_of_entry,
    entries_of,
    keep_entry,
    make_private,
    remove,
)
from locoexport.machine.writing.output_files import sha256_of
from locoexport.notices import Listener, Notice
from locoexport.pipeline.weights.assumptions import tell_assumptions
from locoexport.runtime.live.session import open_live
from locoexport.runtime.session.single import open_session
from locoexport.runtime.session.split_files import name_live_files
from locoexport.version import __version__

__all__ = ["cache_key", "cached_export", "cached_live_export"]

_TOOLS = ("torch", "onnx", "onnxsim")


def cached_export(
    profile: ExportProfile, notify: Listener, *, checkpoint: Path | None = None
) -> Path:
    """The profile exported with a checkpoint's or its own weights: from the cache where it lies
    there already.

    Raises:
        OutputError: the cache folder cannot be written.
        ParityFailedError, GraphCheckFailedError: the export failed its checks.
    """
    folder = cache_path()
    name = re.sub(r"[^\w.-]", "_", profile.name)
    key = f"{name}-op{profile.opset}-{cache_key(profile, checkpoint)}"
    for entry in entries_of(folder, key):
        if _usable(entry):
            notify(Notice(f"using {entry}"))
            tell_assumptions(profile, checkpoint, notify)
            return entry
        remove(entry)
    _check_folder(folder)
    notify(Notice(f"exporting {profile.name} into {folder}"))
    from locoexport.pipeline.export import export_model

    temporary = folder / f".{key}.{secrets.token_hex(6)}.onnx"
    try:
        export_model(profile, temporary, checkpoint=checkpoint, force=True, notify=notify)
        return keep_entry(temporary, folder, key)
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror or error}.") from error
    finally:
        remove(temporary)


def cached_live_export(profile: ExportProfile, notify: Listener) -> Path:
    """What names the three files of the profile as a live export with an open window: from the
    cache where they lie there already.

    Raises:
        OutputError: the cache folder cannot be written.
        ParityFailedError, GraphCheckFailedError: the export failed its checks.
    """
    folder = cache_path()
    name = re.sub(r"[^\w.-]", "_", profile.name)
    key = f"{name}-live-op{profile.opset}-{cache_key(profile)}"
    for entry in sorted(folder.glob(f"{key}-*.live.onnx")):
        kept = entry.with_name(entry.name.replace(".live.onnx", ".onnx"))
        if _usable_live(kept):
            notify(Notice(f"using {kept}"))
            return kept
        for part in name_live_files(kept).values():
            remove(part)
    _check_folder(folder)
    notify(Notice(f"exporting {profile.name} for live use into {folder}"))
    from locoexport.pipeline.export import export_model

    temporary = folder / f".{key}.{secrets.token_hex(6)}.onnx"
    parts = name_live_files(temporary)
    try:
        export_model(profile, temporary, live="open", force=True, notify=notify)
        kept = folder / f"{key}-{_content_of(temporary)}.onnx"
        for role, part in name_live_files(kept).items():  # the one that is looked for comes last
            os.replace(parts[role], part)
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror or error}.") from error
    finally:
        for part in parts.values():
            remove(part)
    return kept


def cache_key(profile: ExportProfile, checkpoint: Path | None = None) -> str:
    """Hex of everything that the file's content hangs on.

    Version numbers are not enough: between releases the code changes under one version, so the
    sources themselves are part of the key.
    """
    digest = hashlib.sha256()
    tools = [f"{name} {version(name)}" for name in _TOOLS]
    weights = "seeded"
    if checkpoint is not None:
        weights = f"{name_with_member(checkpoint)} {sha256_of(container_of(checkpoint))}"
    elif profile.demo_weights is not None:
        with as_file(demo_weights_path(profile.demo_weights)) as file:
            weights = sha256_of(file)
    digest.update(repr((__version__, astuple(profile), tools, weights)).encode())
    for source in package_sources():
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _usable(entry: Path) -> bool:
    if bytes_of_entry(entry) is None:
        return False
    try:
        open_session(entry)
    except ModelFileError:
        return False
    return True


def _usable_live(named: Path) -> bool:
    """Whether the three files are what was once written."""
    try:
        if _content_of(named) != named.stem.rpartition("-")[2]:
            return False
        open_live(named)
    except (OSError, ModelFileError):
        return False
    return True


def _content_of(named: Path) -> str:
    together = "".join(sha256_of(part) for part in name_live_files(named).values())
    return hashlib.sha256(together.encode()).hexdigest()[:24]


def _check_folder(folder: Path) -> None:
    """Raises OutputError where the cache folder cannot be written, or is somebody else's."""
    try:
        reason = make_private(folder) or (None if os.access(folder, os.W_OK) else "")
    except OSError as error:
        reason = error.strerror or ""
    if reason is not None:
        raise OutputError(
            f"The cache folder {folder} cannot be written{reason and f' ({reason})'}; set "
            "XDG_CACHE_HOME to one that can, or export the model yourself and pass MODEL.onnx."
        )
