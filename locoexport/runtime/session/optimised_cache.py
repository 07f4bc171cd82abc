"""ONNX Runtime's optimised form of a model, kept in the cache folder.

Optimising a graph of some thousand nodes takes ONNX Runtime most of a second at every start. What
it makes is written once and opened as it is from then on. The name of an entry holds a key of all
that it hangs on (model, ONNX Runtime, processor, provider) and the SHA-256 of its own bytes, so a
damaged entry is found before it is used. What is optimised are the very bytes that were hashed.
Entries appear by a rename: processes may share a folder, and of those that start at once one's
entry stays. The folder is the user's alone: who can write an entry decides what is run.

Nothing here fails for the user's sake: without a folder, space or permission the model is
optimised anew. ``LOCOEXPORT_CACHE=off`` does without.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import onnxruntime

from locoexport.machine.hardware import read_cpu
from locoexport.machine.installation import cache_path
from locoexport.machine.writing.cache_entries import (
    bytes_of_entry,
    entries_of,
    keep_entry,
    make_private,
    remove,
)
from locoexport.machine.writing.drafts import draft_folder
from locoexport.runtime.session.model_file import ModelFile
from locoexport.runtime.session.providers import ORT_ERRORS, create_session

__all__ = ["CACHE_LIMIT_BYTES", "CACHE_SWITCH", "create_cached_session", "optimised_folder"]

CACHE_SWITCH = "LOCOEXPORT_CACHE"
"""An environment variable; ``off`` or ``0`` switches the cache off."""

CACHE_LIMIT_BYTES = 1 << 30
"""Beyond this the entries that were not used for longest are dropped."""

_FORMAT = 1
# Protobuf files end at 2 GiB, and the optimised one is larger than the model.
_LARGEST_MODEL = 3 << 29


def create_cached_session(
    model: ModelFile, provider: str, options: Callable[[], Any]
) -> tuple[Any, str]:
    """A session of a model file, from its optimised form where that lies in the cache.

    Args:
        model: the file, as it was read.
        provider: a short name; only ``cpu`` is cached, the others compile for themselves.
        options: makes fresh session options, as for the file itself.

    Returns:
        The ``InferenceSession``, and a line on what the cache did (for people who ask).

    Raises:
        ORT_ERRORS: the model cannot be loaded.
    """
    reason = _why_not(provider)
    if reason is None and (model.data is None or model.size_bytes > _LARGEST_MODEL):
        reason = "the model is too large or in several files: not cached"
    if reason is None:
        try:
            folder = optimised_folder()
            reason = make_private(folder)
        except OSError as error:
            reason = f"the cache cannot be used ({error.strerror or error})"
        else:
            if reason is None:
                return _through_cache(model, folder, provider, options)
    return create_session(model.source, provider, options()), reason


def optimised_folder() -> Path:
    """Where optimised models lie, whether or not it exists yet."""
    return cache_path() / "optimised"


def _why_not(provider: str) -> str | None:
    if os.environ.get(CACHE_SWITCH, "").lower() in ("off", "0", "no", "false"):
        return f"{CACHE_SWITCH} is off: not cached"
    if provider != "cpu":
        return f"models on {provider} are not cached"
    return None


def _through_cache(
    model: ModelFile, folder: Path, provider: str, options: Callable[[], Any]
) -> tuple[Any, str]:
    key = _key(model.sha256, provider, options().graph_optimization_level)
    damaged = False
    for entry in entries_of(folder, key):
        session = _open_entry(entry, provider, options())
        if session is not None:
            with suppress(OSError):
                os.utime(entry)  # its last use, for _drop_oldest
            return session, f"optimised graph from {entry}"
        damaged = True
        remove(entry)
    session, written = _optimise(model, folder, key, provider, options)
    if written is None:
        return session, f"optimised; {folder} cannot be written, so it was not kept"
    _drop_oldest(folder, keep=written)
    note = "the cached entry was damaged; optimised again" if damaged else "optimised"
    return session, f"{note}, kept as {written}"


def _key(model_sha256: str, provider: str, level: Any) -> str:
    cpu = read_cpu()
    facts = (
        _FORMAT,
        model_sha256,
        onnxruntime.__version__,
        # ONNX Runtime chooses its blocked layout by the processor.
        platform.system(),
        cpu.architecture,
        cpu.model,
        cpu.features,
        provider,
        str(level),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _open_entry(entry: Path, provider: str, options: Any) -> Any | None:
    """A session of an entry, or None where it is not what was once written."""
    optimised = bytes_of_entry(entry)
    if optimised is None:
        return None
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return create_session(optimised, provider, options)
    except ORT_ERRORS:
        return None


def _optimise(
    model: ModelFile, folder: Path, key: str, provider: str, options: Callable[[], Any]
) -> tuple[Any, Path | None]:
    """A session of the model itself, whose optimised form is kept where that can be done."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(draft_folder(folder)) / "optimised.onnx"
        except OSError:
            return create_session(model.source, provider, options()), None
        return _optimise_into(temporary, model, folder, key, provider, options)


def _optimise_into(
    temporary: Path,
    model: ModelFile,
    folder: Path,
    key: str,
    provider: str,
    options: Callable[[], Any],
) -> tuple[Any, Path | None]:
    try:
        # ONNX Runtime only says "failed" where it cannot write: find out before.
        temporary.touch()
        saving = options()
        saving.optimized_model_filepath = str(temporary)
        session = create_session(model.source, provider, saving)
    except OSError:
        return create_session(model.source, provider, options()), None
    except ORT_ERRORS:
        # Either the model is bad, which this says again, or the disk is full.
        return create_session(model.source, provider, options()), None
    try:
        return session, keep_entry(temporary, folder, key)
    except OSError:
        return session, None


def _drop_oldest(folder: Path, keep: Path) -> None:
    """Remove entries, least recently used first, until the rest is within the limit."""
    entries = []
    for file in folder.iterdir():
        with suppress(OSError):  # another process may remove it meanwhile
            found = file.stat()
            entries.append((found.st_mtime, found.st_size, file))
    total = sum(size for _, size, _ in entries)
    for _, size, file in sorted(entries):
        if total <= CACHE_LIMIT_BYTES:
            return
        if file != keep:
            remove(file)
            total -= size
