"""What is remembered of a clip that was dealt with: one small JSON file, written last and whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

from locoexport.errors import InputError
from locoexport.machine.limits import RECORD_BYTES
from locoexport.machine.reading.documents import quote, read_json
from locoexport.machine.writing.output_files import sha256_of, whole_file
from locoexport.runtime.session.split_files import find_split_files

__all__ = ["ClipRecord", "hash_file", "model_sha256", "read_record", "write_record"]

_SCHEMA = "locoexport.tracked-clip/1"
_OUTCOMES = ("tracked", "nothing detected", "failed")
_FIELDS: Mapping[str, type | UnionType] = {
    "model_sha256": str,
    "options": dict,
    "clip": dict | None,
    "outcome": str,
    "text": str,
    "result": dict,
}


@dataclass(frozen=True)
class ClipRecord:
    """How a clip ended, and under which circumstances that is so.

    Attributes:
        model_sha256: of the model.
        options: whatever else decides what comes out, as JSON values.
        clip: its ``clip_content.fingerprint``; None where it was not there.
        outcome: see ``ClipOutcome`` and ``ClipResult``.
        text: what was tracked, or the reason.
        result: more facts, as JSON values.
        warnings: what was wrong with a clip that could be tracked; earlier versions kept none.
    """

    model_sha256: str
    options: Mapping[str, Any]
    clip: Mapping[str, int] | None
    outcome: str
    text: str
    result: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def difference(self, other: ClipRecord) -> str | None:
        """Under which circumstance the other record was made that this one was not."""
        names = ("model_sha256", "options", "clip")
        return next((n for n in names if getattr(self, n) != getattr(other, n)), None)


def write_record(path: Path, record: ClipRecord) -> None:
    """Write a record, whole.

    Raises:
        OutputError: it cannot be written.
    """
    document = {"schema": _SCHEMA, **vars(record)}
    if not record.warnings:  # as earlier versions wrote it
        del document["warnings"]
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_record(path: Path) -> ClipRecord | None:
    """Read a record; None where there is no file.

    Raises:
        InputError: it is another file.
    """
    try:
        return _record_of(read_json(path, limit=RECORD_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, InputError) as error:
        raise InputError(f"{path} is not a record of this program ({error}); delete it.") from error


def _record_of(document: Any) -> ClipRecord:
    """Raises ValueError where a field is missing, unknown or of another type."""
    if not isinstance(document, dict) or document.pop("schema", None) != _SCHEMA:
        raise ValueError(f"its schema is not {_SCHEMA}")
    warnings = document.pop("warnings", [])
    if not (isinstance(warnings, list) and all(isinstance(text, str) for text in warnings)):
        raise ValueError("its warnings are not a list of texts")
    wrong = sorted(set(document) ^ set(_FIELDS)) or [
        name for name, kind in _FIELDS.items() if not isinstance(document[name], kind)
    ]
    if wrong:
        raise ValueError(f"{quote(wrong[0])} is missing, unknown or of another type")
    if document["outcome"] not in _OUTCOMES:
        raise ValueError(f"its outcome is {quote(document['outcome'])}")
    return ClipRecord(**document, warnings=tuple(warnings))


def model_sha256(model: Path) -> str:
    """Of an exported file; of a split export the three together.

    Raises:
        InputError: it cannot be read.
    """
    paths = find_split_files(model)
    return hash_file(model) if paths is None else "+".join(map(hash_file, paths.values()))


def hash_file(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
