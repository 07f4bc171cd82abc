"""Batches are decided by their number: whoever makes them, and however many devices share them."""

import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from rendered_records import TRAIN, encode_example, golden_arrays, scene_features, write_records

from locoexport.errors import InputError
from locoexport.training.data.rendered.movi_e import open_movi_e
from locoexport.training.data.samples import Skipped, TrainingBatch, TrainingSample
from locoexport.training.data.source import SampleWish
from locoexport.training.data.stream import BatchStream, WeightedSource, load_batches

WISH = SampleWish(frames=6, points=4, size_hw=(8, 8))


@dataclass(frozen=True)
class Numbered:
    """Samples that say which they are; index ``broken`` has something skipped before it."""

    name: str = "numbered"
    broken: int = -1

    def sample(self, index: int, wish: SampleWish) -> TrainingSample:
        return TrainingSample(
            video=np.full((wish.frames, *wish.size_hw, 3), index, np.float32),
            query_points_tyx=np.zeros((wish.points, 3), np.float32),
            tracks_xy=np.zeros((wish.points, wish.frames, 2), np.float32),
            occluded=np.zeros((wish.points, wish.frames), np.bool_),
            judged=np.ones((wish.points, wish.frames), np.bool_),
            name=f"{self.name} {index}",
            skipped=(Skipped(self.name, "a record"),) if index == self.broken else (),
        )


def make_stream(*names: str, clips: int = 2, **settings) -> BatchStream:
    sources = [WeightedSource(Numbered(name)) for name in names or ("numbered",)]
    return BatchStream(sources, WISH, clips, seed=5, **settings)


def names_of(batches: list[TrainingBatch]) -> list[str]:
    return [name for batch in batches for name in batch.names]


def take(stream: BatchStream, count: int) -> list[TrainingBatch]:
    return list(itertools.islice(load_batches(stream, 0), count))


def test_batches_follow_one_another_from_the_first_that_is_named() -> None:
    assert names_of(take(make_stream(), 3)) == [f"numbered {i}" for i in range(6)]
    assert names_of(take(make_stream(first=7), 2)) == [f"numbered {i}" for i in range(14, 18)]


def test_devices_share_the_samples_that_one_would_see() -> None:
    alone = names_of(take(make_stream("a", "b", clips=4), 5))
    shared = [take(make_stream("a", "b", device=d, devices=2), 5) for d in range(2)]
    together = [
        name for pair in zip(*shared, strict=True) for batch in pair for name in batch.names
    ]
    assert together == alone


def test_lengths_are_drawn_for_each_batch_and_alike_on_all_devices() -> None:
    lengths = [
        [
            batch.video.shape[1]
            for batch in take(make_stream(least_frames=3, device=d, devices=2), 60)
        ]
        for d in range(2)
    ]
    assert lengths[0] == lengths[1]
    assert set(lengths[0]) == {3, 4, 5, 6}
    later = take(make_stream(least_frames=3, devices=2, first=20), 10)
    assert [batch.video.shape[1] for batch in later] == lengths[0][20:30]
    assert {batch.video.shape[1] for batch in take(make_stream(), 20)} == {6}


def test_sources_are_drawn_by_their_weights() -> None:
    sources = [WeightedSource(Numbered("a"), 3.0), WeightedSource(Numbered("b"), 1.0)]
    stream = BatchStream(sources, WISH, 10, seed=0)
    counts = Counter(name[0] for name in names_of([stream.batch(n) for n in range(100)]))
    # Four standard errors of a share of 1000.
    assert abs(counts["a"] / 1000 - 0.75) < 4 * np.sqrt(0.1875 / 1000)
    assert counts["a"] + counts["b"] == 1000


def test_another_seed_draws_otherwise() -> None:
    sources = [WeightedSource(Numbered("a")), WeightedSource(Numbered("b"))]
    one, other = (BatchStream(sources, WISH, 40, seed=seed).batch(0).names for seed in (0, 1))
    assert one != other


def test_what_was_skipped_comes_with_its_batch() -> None:
    stream = BatchStream([WeightedSource(Numbered(broken=3))], WISH, 2, seed=0)
    assert [batch.skipped for batch in take(stream, 3)] == [
        (),
        (Skipped("numbered", "a record"),),
        (),
    ]


@pytest.fixture
def records(tmp_path) -> Path:
    """Four scenes of 8 frames, of which one is broken."""
    arrays = golden_arrays()
    whole = [encode_example(scene_features(arrays, name)) for name in "abc"]
    write_records(tmp_path / TRAIN.format(0, 1), [*whole, b"\xff"])
    return tmp_path


# Two workers on one core are slow, and torch says so; here they only have to be right.
@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")
def test_workers_make_the_same_batches_in_the_same_order_and_hand_over_errors(records) -> None:
    # Clips of 5 to 9 frames: scenes have 8, so that sooner or later nothing fits.
    def stream() -> BatchStream:
        sources = [WeightedSource(open_movi_e(records, 0))]
        return BatchStream(sources, SampleWish(9, 4, (16, 16)), 1, seed=3, least_frames=5)

    expected, told = gather(load_batches(stream(), 0))
    assert len(expected) >= 3
    found, told_by_worker = gather(load_batches(stream(), 2))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.names == other.names
        assert one.skipped == other.skipped
        assert torch.equal(one.video, other.video)
        assert torch.equal(one.tracks_xy, other.tracks_xy)
        assert torch.equal(one.occluded, other.occluded)
    assert any(batch.skipped for batch in expected)
    # As it was raised, without a worker's traceback in its words.
    assert told_by_worker == told
    assert "9 were asked for" in told or "in a row cannot be used" in told
    assert "Traceback" not in told


def gather(batches) -> tuple[list[TrainingBatch], str]:
    """Batches up to the first error, and what that says."""
    found: list[TrainingBatch] = []
    try:
        for batch in itertools.islice(batches, 100):
            found.append(batch)
    except InputError as error:
        return found, str(error)
    pytest.fail("no error within 100 batches")
