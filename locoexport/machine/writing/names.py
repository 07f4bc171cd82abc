"""Names of files that are made of other files' names."""

from __future__ import annotations

import hashlib
import os

__all__ = ["MOST_NAME_BYTES", "fit_name"]

MOST_NAME_BYTES = 255
"""Of a file's name in the file systems of Linux, macOS and Windows (there it is characters)."""


def fit_name(name: str, spare_bytes: int) -> str:
    """``name``, shortened where a file could not have it with ``spare_bytes`` more.

    What is left of it is its beginning, ``~`` and eight digits of the SHA-256 of all of it, so that
    two long names that begin alike stay apart.
    """
    room = MOST_NAME_BYTES - spare_bytes
    if _bytes(name) <= room:
        return name
    mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    kept = name
    while kept and _bytes(kept + mark) > room:
        kept = kept[:-1]
    return kept + mark


def _bytes(name: str) -> int:
    return len(os.fsencode(name))
