"""Exports that ``bench`` and ``eval`` make for themselves, kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable
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

_DIGITS = 24
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
    key = _key(profile, checkpoint)
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


def cached_live_export(
    profile: ExportProfile, notify: Listener, *, checkpoint: Path | None = None
) -> Path:
    """The same with an open live window: the NAME.onnx that its three files are named after.

    Raises:
        OutputError, ParityFailedError, GraphCheckFailedError: see ``cached_export``.
    """
    folder = cache_path()
    # Not "KEY-live": entries of KEY are found by how their names begin.
    key = f"live-{_key(profile, checkpoint)}"
    for live in entries_of(folder, key):
        if not live.name.endswith(".live.onnx"):
            continue
        entry = live.with_name(live.name.replace(".live.onnx", ".onnx"))
        if _usable_live(entry):
            notify(Notice(f"using {entry}"))
            tell_assumptions(profile, checkpoint, notify)
            return entry
        for file in name_live_files(entry).values():
            remove(file)
    _check_folder(folder)
    notify(Notice(f"exporting {profile.name} for live tracking into {folder}"))
    from locoexport.pipeline.export import export_model

    temporary = folder / f".{key}.{secrets.token_hex(6)}.onnx"
    made = name_live_files(temporary)
    try:
        export_model(
            profile, temporary, checkpoint=checkpoint, force=True, notify=notify, live="open"
        )
        entry = folder / f"{key}-{_content_of(made.values())}.onnx"
        # The file that is looked for comes last: where it is, the others are.
        for role, file in name_live_files(entry).items():
            os.replace(made[role], file)
        return entry
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror or error}.") from error
    finally:
        for file in made.values():
            remove(file)


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


def _key(profile: ExportProfile, checkpoint: Path | None) -> str:
    name = re.sub(r"[^\w.-]", "_", profile.name)
    return f"{name}-op{profile.opset}-{cache_key(profile, checkpoint)}"


def _check_folder(folder: Path) -> None:
    try:
        reason = make_private(folder) or (None if os.access(folder, os.W_OK) else "")
    except OSError as error:
        reason = error.strerror or ""
    if reason is not None:
        raise OutputError(
            f"The cache folder {folder} cannot be written{reason and f' ({reason})'}; set "
            "XDG_CACHE_HOME to one that can, or export the model yourself and pass MODEL.onnx."
        )


def _content_of(files: Iterable[Path]) -> str:
    """Hex of what several files hold."""
    digests = "".join(sha256_of(file) for file in files)
    return hashlib.sha256(digests.encode()).hexdigest()[:_DIGITS]


def _usable_live(entry: Path) -> bool:
    try:
        if _content_of(name_live_files(entry).values()) != entry.stem.rpartition("-")[2]:
            return False
        open_live(entry)
    except (OSError, ModelFileError):
        return False
    return True


def _usable(entry: Path) -> bool:
    if bytes_of_entry(entry) is None:
        return False
    try:
        open_session(entry)
    except ModelFileError:
        return False
    return True
