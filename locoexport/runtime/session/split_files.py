"""The three files of a split export, by name."""

from __future__ import annotations

from pathlib import Path

from locoexport.contract.interface import SPLIT_PARTS, GraphPart
from locoexport.machine.output_files import is_file

__all__ = ["part_paths", "split_paths"]


def part_paths(path: Path) -> dict[GraphPart, Path]:
    """The files of a split export named ``path`` (NAME.onnx), by part."""
    stem = path.name.removesuffix(".onnx")
    return {part: path.with_name(f"{stem}.{part}.onnx") for part in SPLIT_PARTS}


def split_paths(path: str | Path) -> dict[GraphPart, Path] | None:
    """The files of the split export that ``path`` belongs to, by part; None if it is of none.

    ``path`` is one of the three, or the NAME.onnx that was asked for on export.
    """
    path = Path(path)
    stem = path.name.removesuffix(".onnx")
    for part in SPLIT_PARTS:
        if stem.endswith(f".{part}"):
            stem = stem.removesuffix(f".{part}")
            break
    else:
        if is_file(path) or not is_file(path.with_name(f"{stem}.{SPLIT_PARTS[0]}.onnx")):
            return None
    return part_paths(path.with_name(f"{stem}.onnx"))
