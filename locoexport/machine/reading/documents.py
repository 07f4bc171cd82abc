"""JSON and TOML from strangers: the one place where either is parsed.

A document is held against its limit of bytes before it is read and against ``NESTING`` after; what
the parsers raise becomes an error of ours. Standard library only: ``--help`` comes this way too.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from locoexport.errors import InputError, ProfileError
from locoexport.machine.limits import NESTING, PROFILE_BYTES, TEXT_BYTES, Limit

__all__ = ["parse_json", "parse_toml", "quote", "read_at_most", "read_json"]

_QUOTED = 80


def read_at_most(
    path: Path, limit: Limit, subject: object, error_type: type[InputError] = InputError
) -> bytes:
    """A file's bytes; one that has more than ``limit`` is not read to its end.

    Args:
        path: the file.
        limit: of bytes.
        subject: what a message calls the file.
        error_type: what is raised.

    Raises:
        InputError: of ``error_type``: it is larger than the limit.
        OSError, ValueError: the operating system cannot open it, or no file can have that name.
    """
    with open(path, "rb") as file:
        data = file.read(limit.value + 1)
    # A device has no size of its own; of a file that is too large the whole size is told.
    if len(data) > limit.value:
        limit.check(max(len(data), path.stat().st_size), subject, error_type)
    return data


def read_json(
    path: Path,
    subject: object = "it",
    error_type: type[InputError] = InputError,
    *,
    limit: Limit = TEXT_BYTES,
    rows: Limit | None = None,
) -> Any:
    """What a JSON file holds; see ``read_at_most`` and ``parse_json``.

    Args:
        path: the file.
        subject: what a message calls it.
        error_type: what is raised.
        limit: of bytes.
        rows: how many lists and objects there may be: an empty list of two bytes takes 64.

    Raises:
        InputError: of ``error_type``: it is too large, no JSON, or nested too deeply.
        OSError, ValueError: as ``read_at_most``.
    """
    data = read_at_most(path, limit, subject, error_type)
    if rows is not None:
        # One list is around all rows, one object may be around that.
        rows.check(data.count(b"[") + data.count(b"{") - 2, subject, error_type)
    return parse_json(data, subject, error_type)


def parse_json(
    text: str | bytes,
    subject: object,
    error_type: type[InputError] = InputError,
    *,
    finite: bool = False,
) -> Any:
    """What a JSON text holds, as Python's json has it.

    Args:
        text: whose size the caller has bounded.
        subject: what a message calls the text.
        error_type: what is raised.
        finite: also refuse NaN and Infinity, which are no JSON, though Python writes them.

    Raises:
        InputError: of ``error_type``: it is no JSON, or nested too deeply.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a number of JSON")

    return _parsed(
        lambda: json.loads(text, parse_constant=refuse if finite else None),
        f"{subject} is not JSON",
        subject,
        error_type,
    )


def parse_toml(data: bytes, subject: object) -> dict[str, Any]:
    """What a TOML text in UTF-8 holds.

    Args:
        data: at most ``PROFILE_BYTES``: tomllib takes time that grows with the square of a key.
        subject: what a message calls the text.

    Raises:
        ProfileError: it is no TOML, too large, or nested too deeply.
    """
    try:
        PROFILE_BYTES.check(len(data), subject)
        document: dict[str, Any] = _parsed(
            lambda: tomllib.loads(data.decode("utf-8")),
            f"{subject} is not valid TOML",
            subject,
            InputError,
        )
    except InputError as error:
        raise ProfileError(str(error)) from error
    return document


def quote(text: object) -> str:
    """A value of a file as a message shows it: its repr, cut where that is long."""
    try:
        shown = repr(text)
    except (RecursionError, ValueError):  # nested deeply; a number of over 4300 digits
        return f"a {type(text).__name__}"
    return shown if len(shown) <= _QUOTED else f"{shown[:_QUOTED]}…"


def _parsed(
    parse: Callable[[], Any], failure: str, subject: object, error_type: type[InputError]
) -> Any:
    try:
        document = parse()
    except RecursionError as error:
        raise error_type(
            f"{failure}: it is nested in far more than {NESTING.value} {NESTING.unit}."
        ) from error
    except Exception as error:  # a parser of a stranger's bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise error_type(f"{failure}: {reason[:200].rstrip('.')}.") from error
    _check_nesting(document, subject, error_type)
    return document


def _check_nesting(document: Any, subject: object, error_type: type[InputError]) -> None:
    depth, level = 0, [document] if isinstance(document, dict | list) else []
    while level:
        depth += 1
        NESTING.check(depth, subject, error_type)
        level = [
            value
            for container in level
            for value in (container.values() if isinstance(container, dict) else container)
            if isinstance(value, dict | list)
        ]
