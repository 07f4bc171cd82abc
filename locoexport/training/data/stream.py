"""The batches of a run, from one source or several, each decided by its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from locoexport.training.data.samples import TrainingBatch, batch_samples
from locoexport.training.data.source import SampleSource, SampleWish

__all__ = ["BatchStream", "WeightedSource", "load_batches"]


@dataclass(frozen=True)
class WeightedSource:
    """A source, and how often it is drawn from beside the others."""

    source: SampleSource
    weight: float = 1.0


class BatchStream(IterableDataset[TrainingBatch]):
    """Batches ``first``, ``first + 1``, ... of one device; endless.

    Sample i of the whole run is the same however many devices share them.
    """

    def __init__(
        self,
        sources: Sequence[WeightedSource],
        wish: SampleWish,
        clips: int,
        seed: int,
        *,
        least_frames: int | None = None,
        first: int = 0,
        device: int = 0,
        devices: int = 1,
    ) -> None:
        """``clips`` a batch of so many frames as ``wish`` says, or of ``least_frames`` up to so many;
        this is device ``device`` of ``devices``."""
        super().__init__()
        self._sources, self._clips, self._seed = tuple(sources), clips, seed
        self._wish, self._least_frames = wish, least_frames or wish.frames
        self._first, self._device, self._devices = first, device, devices

    def __iter__(self) -> Iterator[TrainingBatch]:
        """In order; of several workers, each makes every so-manieth."""
        worker = get_worker_info()
        number = self._first + (worker.id if worker else 0)
        while True:
            yield self.batch(number)
            number += worker.num_workers if worker else 1

    def batch(self, number: int) -> TrainingBatch:
        """The batch of that number."""
        first = (number * self._devices + self._device) * self._clips
        wish = replace(self._wish, frames=self._draw_frames(number))
        return batch_samples(
            [self._choose(index).sample(index, wish) for index in range(first, first + self._clips)]
        )

    def _draw_frames(self, number: int) -> int:
        """The same on all devices, so that none waits for another."""
        random = np.random.default_rng([7, self._seed, number])
        return int(random.integers(self._least_frames, self._wish.frames + 1))

    def _choose(self, index: int) -> SampleSource:
        if len(self._sources) == 1:
            return self._sources[0].source
        weights = np.array([each.weight for each in self._sources], np.float64)
        random = np.random.default_rng([11, self._seed, index])
        return self._sources[random.choice(len(weights), p=weights / weights.sum())].source


def load_batches(stream: BatchStream, workers: int) -> DataLoader[TrainingBatch]:
    """The stream made ahead by ``workers`` processes, in the same order as by none."""
    return DataLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )
