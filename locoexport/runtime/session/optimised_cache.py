"""ONNX Runtime's optimised form of a model, kept in the cache folder.

Optimising a graph of some thousand nodes takes ONNX Runtime most of a second at every start. What
it makes is written once and opened as it is from then on. The name of an entry holds a key of all
that it hangs on (model, ONNX Runtime, processor, provider) and the SHA-256 of its own bytes, so a
damaged entry is found before it is used. Entries appear by a rename: processes may share a folder.

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
from platformdirs import user_cache_path

from locoexport.machine.drafts import draft_folder
from locoexport.machine.hardware import read_cpu
from locoexport.runtime.session.providers import ORT_ERRORS, create_session

__all__ = ["CACHE_LIMIT_BYTES", "CACHE_SWITCH", "create_cached_session", "optimised_folder"]

CACHE_SWITCH = "LOCOEXPORT_CACHE"
"""An environment variable; ``off`` or ``0`` switches the cache off."""

CACHE_LIMIT_BYTES = 1 << 30
"""Beyond this the entries that were not used for longest are dropped."""

_FORMAT = 1
# A key "location" of a tensor's external data: such a model is more than its own bytes.
_EXTERNAL_DATA = b"\n\x08location"
# Protobuf files end at 2 GiB, and the optimised one is larger than the model.
_LARGEST_MODEL = 3 << 29


def create_cached_session(path: Path, provider: str, options: Callable[[], Any]) -> tuple[Any, str]:
    """A session of a model file, from its optimised form where that lies in the cache.

    Args:
        path: the .onnx file.
        provider: a short name; only ``cpu`` is cached, the others compile for themselves.
        options: makes fresh session options, as for the file itself.

    Returns:
        The ``InferenceSession``, and a line on what the cache did (for people who ask).

    Raises:
        ORT_ERRORS: the model cannot be loaded.
    """
    reason = _why_not(provider)
    if reason is None:
        try:
            model = path.read_bytes()
            folder = optimised_folder()
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"the cache cannot be used ({error.strerror or error})"
        else:
            if len(model) <= _LARGEST_MODEL and _EXTERNAL_DATA not in model:
                return _through_cache(path, model, folder, provider, options)
            reason = "the model is too large or in several files: not cached"
    return create_session(str(path), provider, options()), reason


def optimised_folder() -> Path:
    """Where optimised models lie, whether or not it exists yet."""
    return user_cache_path("locoexport", appauthor=False) / "optimised"


def _why_not(provider: str) -> str | None:
    if os.environ.get(CACHE_SWITCH, "").lower() in ("off", "0", "no", "false"):
        return f"{CACHE_SWITCH} is off: optimised anew"
    if provider != "cpu":
        return f"models on {provider} are not cached"
    return None


def _through_cache(
    path: Path, model: bytes, folder: Path, provider: str, options: Callable[[], Any]
) -> tuple[Any, str]:
    key = _key(model, provider)
    damaged = False
    for entry in sorted(folder.glob(f"{key}-*.onnx")):
        session = _open_entry(entry, provider, options())
        if session is not None:
            with suppress(OSError):
                os.utime(entry)  # its last use, for _drop_oldest
            return session, f"optimised graph from {entry}"
        damaged = True
        with suppress(OSError):
            entry.unlink()
    session, written = _optimise(path, folder, key, provider, options)
    if written is None:
        return session, f"optimised; {folder} cannot be written, so it was not kept"
    _drop_oldest(folder, keep=written)
    note = "the cached entry was damaged; optimised anew" if damaged else "optimised"
    return session, f"{note}, kept as {written}"


def _key(model: bytes, provider: str) -> str:
    cpu = read_cpu()
    facts = (
        _FORMAT,
        hashlib.sha256(model).hexdigest(),
        onnxruntime.__version__,
        # ONNX Runtime chooses its blocked layout by the processor.
        platform.system(),
        cpu.architecture,
        cpu.model,
        cpu.features,
        provider,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _open_entry(entry: Path, provider: str, options: Any) -> Any | None:
    """A session of an entry, or None where it is not what was once written."""
    try:
        optimised = entry.read_bytes()
        if hashlib.sha256(optimised).hexdigest()[:24] != entry.stem.partition("-")[2]:
            return None
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return create_session(optimised, provider, options)
    except OSError:
        return None
    except ORT_ERRORS:
        return None


def _optimise(
    path: Path, folder: Path, key: str, provider: str, options: Callable[[], Any]
) -> tuple[Any, Path | None]:
    """A session of the model itself, whose optimised form is kept where that can be done."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(draft_folder(folder)) / "optimised.onnx"
        except OSError:
            return create_session(str(path), provider, options()), None
        return _optimise_into(temporary, path, folder, key, provider, options)


def _optimise_into(
    temporary: Path,
    path: Path,
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
        session = create_session(str(path), provider, saving)
    except OSError:
        return create_session(str(path), provider, options()), None
    except ORT_ERRORS:
        # Either the model is bad, which this says again, or the disk is full.
        return create_session(str(path), provider, options()), None
    try:
        optimised = hashlib.sha256(temporary.read_bytes()).hexdigest()[:24]
        entry = folder / f"{key}-{optimised}.onnx"
        os.replace(temporary, entry)
    except OSError:
        return session, None
    return session, entry


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
            _remove(file)
            total -= size


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()
