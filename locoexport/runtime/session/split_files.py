"""The files of a split or a live export, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from locoexport.contract.interface import LIVE_ROLES, SPLIT_ROLES, FileRole
from locoexport.machine.writing.output_files import is_file

__all__ = [
    "find_live_files",
    "find_split_files",
    "is_live_export",
    "name_live_files",
    "name_split_files",
]


def name_split_files(path: Path) -> dict[FileRole, Path]:
    """The files of a split export named ``path`` (NAME.onnx), by role."""
    return _named(path, SPLIT_ROLES)


def name_live_files(path: Path) -> dict[FileRole, Path]:
    """The files of a live export named ``path`` (NAME.onnx), by role."""
    return _named(path, LIVE_ROLES)


def find_split_files(path: str | Path) -> dict[FileRole, Path] | None:
    """The files of the split export that ``path`` belongs to, by role; None if it is of none.

    ``path`` is one of the three, or the NAME.onnx that was asked for on export.
    """
    path = Path(path)
    named = _whole_name(path, SPLIT_ROLES)
    if named is not None:
        files = name_split_files(named)
        is_split = path == files["tracker"] or is_file(files["tracker"])
        return files if is_split or find_live_files(path) is None else None
    encoder, _, tracker = name_split_files(path).values()
    is_split = is_file(tracker) or (is_file(encoder) and find_live_files(path) is None)
    return name_split_files(path) if is_split and not is_file(path) else None


def find_live_files(path: str | Path) -> dict[FileRole, Path] | None:
    """The files of the live export that ``path`` belongs to, as ``find_split_files``.

    An encoder and a query sampler may belong to both.
    """
    path = Path(path)
    named = _whole_name(path, LIVE_ROLES)
    if named is not None:
        files = name_live_files(named)
        return files if path == files["live"] or is_file(files["live"]) else None
    files = name_live_files(path)
    return files if is_file(files["live"]) and not is_file(path) else None


def is_live_export(path: str | Path) -> bool:
    """Whether that names a live export, and no split one that shares its files."""
    return find_live_files(path) is not None and find_split_files(path) is None


def _named(path: Path, roles: Sequence[FileRole]) -> dict[FileRole, Path]:
    stem = path.name.removesuffix(".onnx")
    return {role: path.with_name(f"{stem}.{role}.onnx") for role in roles}


def _whole_name(path: Path, roles: Sequence[FileRole]) -> Path | None:
    """NAME.onnx of the file of one of those roles; None where it is of none."""
    stem = path.name.removesuffix(".onnx")
    for role in roles:
        if stem.endswith(f".{role}"):
            return path.with_name(f"{stem.removesuffix(f'.{role}')}.onnx")
    return None
