"""What a live tracker knows, as data that another process goes on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locoexport.errors import InputError, UsageError
from locoexport.machine.limits import TRACKS_BYTES
from locoexport.machine.reading.arrays import load_archive
from locoexport.machine.reading.input_files import read_by_suffix
from locoexport.machine.writing.output_files import whole_file
from locoexport.runtime.live.points import FollowedPoints

__all__ = ["LiveState"]

_PREFIX = "support/"
_LARGEST = 1 << 62
"""Of an index or an id: int64 has room for what follows."""


@dataclass(frozen=True, eq=False)
class LiveState:
    """What a live tracker needs to continue; it can be pickled or saved.

    ``LiveTracker.state`` takes it, and ``LiveTracker.restore`` continues from it.

    Attributes:
        model: the weights and settings of the export.
        frame_hw: height and width of the frames; None before the first.
        frame_index: of the newest frame, -1 before the first.
        next_id: of the next point.
        points: all that is followed.
    """

    model: str
    frame_hw: tuple[int, int] | None
    frame_index: int
    next_id: int
    points: FollowedPoints

    def save(self, path: str | Path) -> None:
        """Write a .npz, replacing a file.

        Raises:
            UsageError: another suffix.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise UsageError(f"A live state is written as .npz; {path} has another suffix.")
        arrays = {_PREFIX + name: each for name, each in self.points.supports.items()}
        size = np.array(self.frame_hw or (), np.int64)
        counts = np.array([self.frame_index, self.next_id], np.int64)
        with whole_file(path) as temporary:
            np.savez_compressed(
                temporary,
                allow_pickle=False,
                model=np.array(self.model),
                frame_hw=size,
                counts=counts,
                ids=self.points.ids,
                memory=self.points.memory,
                **arrays,
            )

    @classmethod
    def load(cls, path: str | Path) -> LiveState:
        """Read what ``save`` wrote.

        Raises:
            InputError: the file is missing, of another kind, or malformed.
        """
        state: LiveState = read_by_suffix(path, {".npz": _read}, "a live state")
        return state


def _read(path: Path) -> LiveState:
    arrays = load_archive(path, TRACKS_BYTES)
    missing = {"model", "frame_hw", "counts", "ids", "memory"} - set(arrays)
    if missing:
        raise InputError(f"it has no {sorted(missing)[0]}, which every live state has.")
    supports = {
        name.removeprefix(_PREFIX): each
        for name, each in arrays.items()
        if name.startswith(_PREFIX)
    }
    ids, memory = arrays["ids"], arrays["memory"]
    frame_hw, counts = arrays["frame_hw"], arrays["counts"]
    whole = all(each.dtype == np.int64 and each.ndim == 1 for each in (ids, frame_hw, counts))
    if not whole or len(counts) != 2 or len(frame_hw) not in (0, 2) or arrays["model"].ndim:
        raise InputError("its ids, counts or sizes are not whole numbers, or there are too many.")
    _check_points(ids, supports, memory)
    frame_index, next_id = (int(each) for each in counts)
    height_width = tuple(int(each) for each in frame_hw)
    if not (-1 <= frame_index < _LARGEST and 0 <= next_id < _LARGEST and min((*frame_hw, 1)) >= 1):
        raise InputError("its counts or its frame size are impossible.")
    if len(ids) and not (ids[0] >= 0 and (np.diff(ids) > 0).all() and ids[-1] < next_id):
        raise InputError("its ids do not rise to the next one.")
    return LiveState(
        str(arrays["model"]),
        (height_width[0], height_width[1]) if height_width else None,
        frame_index,
        next_id,
        FollowedPoints(ids, supports, memory),
    )


def _check_points(
    ids: NDArray[np.int64], supports: dict[str, NDArray[np.float32]], memory: NDArray[np.float32]
) -> None:
    for each in (memory, *supports.values()):
        if each.dtype != np.float32 or each.ndim != 3 or len(each) != len(ids):
            raise InputError(
                f"it is of {len(ids)} points, and holds {each.dtype} of shape {each.shape} of them."
            )
        if not np.isfinite(each).all():
            raise InputError("it holds a value that is not finite.")
