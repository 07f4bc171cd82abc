"""Boxes as .csv, .json or .npy: the first byte says which."""

from pathlib import Path

from locoexport.runtime.objects.box_files import check_boxes, read_boxes

SUFFIX = ".boxes"


def read(path: Path) -> None:
    """What ``track --boxes`` does with it."""
    data = path.read_bytes()
    suffix = (".csv", ".json", ".npy")[data[0] % 3] if data else ".csv"
    named = path.with_suffix(suffix)
    named.write_bytes(data[1:])
    check_boxes(read_boxes(named), 10, 100, 100)
