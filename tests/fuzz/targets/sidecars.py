"""The answers of PyTorch in a .parity.npz."""

from pathlib import Path

from locoexport.parity.sidecar import read_sidecar

SUFFIX = ".npz"


def read(path: Path) -> None:
    """What ``verify --sidecar`` reads, for a model of that SHA-256."""
    read_sidecar(path, {"whole": "a" * 64})
