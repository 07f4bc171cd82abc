"""The three files of a split export, by name."""

from __future__ import annotations

from pathlib import Path

from locoexport.contract.interface import SPLIT_ROLES, FileRole
from locoexport.machine.writing.output_files import is_file

__all__ = ["find_split_files", "name_split_files"]


def name_split_files(path: Path) -> dict[FileRole, Path]:
    """The files of a split export named ``path`` (NAME.onnx), by role."""
    stem = path.name.removesuffix(".onnx")
    return {role: path.with_name(f"{stem}.{role}.onnx") for role in SPLIT_ROLES}


def find_split_files(path: str | Path) -> dict[FileRole, Path] | None:
    """The files of the split export that ``path`` belongs to, by role; None if it is of none.

    ``path`` is one of the three, or the NAME.onnx that was asked for on export.
    """
    path = Path(path)
    stem = path.name.removesuffix(".onnx")
    for role in SPLIT_ROLES:
        if stem.endswith(f".{role}"):
            stem = stem.removesuffix(f".{role}")
            break
    else:
        if is_file(path) or not is_file(path.with_name(f"{stem}.{SPLIT_ROLES[0]}.onnx")):
            return None
    return name_split_files(path.with_name(f"{stem}.onnx"))
