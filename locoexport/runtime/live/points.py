"""The points that are followed: what they look like, what was answered of each, and their ids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["FollowedPoints"]

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FollowedPoints:
    """Points in the order in which they were added; every array has them on its first axis.

    Attributes:
        ids: int64 (points,), rising.
        supports: by name, float32 (points, 49, channels).
        memory: float32 (points, W-1, channels), the newest frame last; zeros where a point was not
            there yet.
    """

    ids: NDArray[np.int64]
    supports: dict[str, Array]
    memory: Array

    @classmethod
    def none(
        cls, support_shapes: dict[str, tuple[int, int]], past: int, channels: int
    ) -> FollowedPoints:
        """No points."""
        supports = {
            name: np.zeros((0, *shape), np.float32) for name, shape in support_shapes.items()
        }
        return cls(np.zeros(0, np.int64), supports, np.zeros((0, past, channels), np.float32))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)

    def joined(self, others: FollowedPoints) -> FollowedPoints:
        """These and then others."""
        supports = {
            name: np.concatenate((each, others.supports[name]))
            for name, each in self.supports.items()
        }
        ids = np.concatenate((self.ids, others.ids))
        return FollowedPoints(ids, supports, np.concatenate((self.memory, others.memory)))

    def kept(self, chosen: NDArray[np.bool_]) -> FollowedPoints:
        """Those that are chosen."""
        supports = {name: each[chosen] for name, each in self.supports.items()}
        return FollowedPoints(self.ids[chosen], supports, self.memory[chosen])

    def remembering(self, past: int) -> FollowedPoints:
        """The same with so many frames of the past: the newest, or more that hold nothing."""
        count, known, channels = self.memory.shape
        if past <= known:
            return replace(self, memory=self.memory[:, known - past :])
        nothing = np.zeros((count, past - known, channels), np.float32)
        return replace(self, memory=np.concatenate((nothing, self.memory), 1))

    def having_answered(self, memory: Array) -> FollowedPoints:
        """The same after a frame.

        ``memory`` is what is remembered after it, of as many frames as were looked at, or fewer
        than are kept: those before them are kept.
        """
        kept, looked_at = self.memory.shape[1], memory.shape[1]
        if looked_at == kept:
            return replace(self, memory=memory)
        before = self.memory[:, 1 : kept - looked_at + 1]
        return replace(self, memory=np.concatenate((before, memory), 1))
