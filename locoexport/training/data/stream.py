"""The batches of a run, from one source or several, each decided by its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from locoexport.errors import LocoExportError
from locoexport.training.data.samples import Skipped, TrainingBatch, batch_samples
from locoexport.training.data.source import SampleSource, SampleWish

__all__ = ["BatchStream", "WeightedSource", "load_batches"]


@dataclass(frozen=True)
class WeightedSource:
    """A source, and how often it is drawn from beside the others.

    ``skipped`` is what was found to be broken when it was opened.
    """

    source: SampleSource
    weight: float = 1.0
    skipped: tuple[Skipped, ...] = ()


class BatchStream(IterableDataset[TrainingBatch | LocoExportError]):
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
        """Make batches of ``clips`` clips, each of the frames that are wished for or, with
        ``least_frames``, of so many to that many. This is device ``device`` of ``devices``."""
        super().__init__()
        self._sources, self._clips, self._seed = tuple(sources), clips, seed
        self._wish, self._least_frames = wish, least_frames or wish.frames
        self._first, self._device, self._devices = first, device, devices

    def __iter__(self) -> Iterator[TrainingBatch | LocoExportError]:
        """In order; of several workers, each makes every so-manieth.

        A worker's error is its last value: raised there, it would arrive as a traceback in words.

        Raises:
            InputError: nothing in a source can be read any more.
        """
        worker = get_worker_info()
        number = self._first + (worker.id if worker else 0)
        while True:
            try:
                batch = self.batch(number)
            except LocoExportError as error:
                if worker is None:
                    raise
                yield error
                return
            yield batch
            number += worker.num_workers if worker else 1

    def batch(self, number: int) -> TrainingBatch:
        """The batch of that number.

        Raises:
            InputError: nothing in a source can be read any more.
        """
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
    """The stream made ahead by ``workers`` processes, in the same order as by none.

    Iterating raises what the stream raises, wherever it was made.
    """
    return _Loader(
        stream,
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


class _Loader(DataLoader[Any]):
    """Raises the errors that workers hand over."""

    def __iter__(self) -> Iterator[TrainingBatch]:  # type: ignore[override]
        for batch in super().__iter__():
            if isinstance(batch, LocoExportError):
                raise batch
            yield batch
