"""What a point looks like: the features around it, kept so that it is followed in another clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError
from locoexport.machine.limits import TRACKS_BYTES
from locoexport.machine.reading.arrays import load_archive
from locoexport.machine.reading.input_files import read_by_suffix
from locoexport.machine.writing.output_files import whole_file

__all__ = ["QueryFeatures"]

_PREFIX = "support/"


@dataclass(frozen=True, eq=False)
class QueryFeatures:
    """The 7×7 features around points, as a model's query sampler gives them.

    Attributes:
        supports: by name, float32 (points, 49, channels).
        model: what they are features of: the weights and settings of that export, as text.

    ``len`` is the number of points.
    """

    supports: Mapping[str, NDArray[np.float32]]
    model: str

    def __post_init__(self) -> None:
        """Raises InputError where the arrays do not fit together."""
        shapes = {name: each.shape for name, each in self.supports.items()}
        counts = {shape[0] if len(shape) == 3 else None for shape in shapes.values()}
        types = {each.dtype for each in self.supports.values()}
        if len(counts) != 1 or None in counts or types != {np.dtype(np.float32)}:
            raise InputError(
                f"Query features are float32 of shape (points, cells, channels) a level, not "
                f"{shapes}."
            )
        if not all(np.isfinite(each).all() for each in self.supports.values()):
            raise InputError("Query features hold a value that is not finite.")

    def __len__(self) -> int:
        """How many points there are."""
        return len(next(iter(self.supports.values())))

    def save(self, path: str | Path) -> None:
        """Write a .npz, replacing a file.

        Raises:
            UsageError: another suffix.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise UsageError(f"Query features are written as .npz; {path} has another suffix.")
        arrays = {_PREFIX + name: each for name, each in self.supports.items()}
        with whole_file(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, model=np.array(self.model), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> QueryFeatures:
        """Read what ``save`` wrote.

        Raises:
            InputError: the file is missing, of another kind, or malformed.
        """
        features: QueryFeatures = read_by_suffix(path, {".npz": _read}, "query features")
        return features


def _read(path: Path) -> QueryFeatures:
    arrays = load_archive(path, TRACKS_BYTES)
    supports = {
        name.removeprefix(_PREFIX): each
        for name, each in arrays.items()
        if name.startswith(_PREFIX)
    }
    if "model" not in arrays or arrays["model"].ndim:
        raise InputError("it does not say which model its features belong to.")
    return QueryFeatures(supports, str(arrays["model"]))
