"""Samples as a batch, and what was skipped, counted once however often it is met."""

import numpy as np
import torch

from locoexport.training.data.samples import (
    Skipped,
    SkippedCount,
    TrainingSample,
    batch_samples,
)


def make_sample(value: float, *skipped: Skipped) -> TrainingSample:
    return TrainingSample(
        video=np.full((2, 4, 4, 3), value, np.float32),
        query_points_tyx=np.full((5, 3), value, np.float32),
        tracks_xy=np.full((5, 2, 2), value, np.float32),
        occluded=np.full((5, 2), value > 0),
        judged=np.full((5, 2), value <= 0),
        name=f"sample {value}",
        skipped=skipped,
    )


def test_a_batch_stacks_its_samples_and_gathers_their_remarks() -> None:
    bad = Skipped("movi-e:d", "d/a: record 3 (at byte 12): it has no depth.")
    batch = batch_samples([make_sample(0.0), make_sample(1.0, bad)])
    assert batch.video.shape == (2, 2, 4, 4, 3)
    assert batch.video.dtype == torch.float32
    assert batch.query_points_tyx[1].eq(1).all()
    assert batch.tracks_xy.shape == (2, 5, 2, 2)
    assert batch.occluded.tolist() == [[[False] * 2] * 5, [[True] * 2] * 5]
    assert batch.judged.dtype == torch.bool
    assert batch.names == ("sample 0.0", "sample 1.0")
    assert batch.skipped == (bad,)
    assert batch.remarks == ("Skipped: d/a: record 3 (at byte 12): it has no depth.",)


def test_a_batch_moves_as_a_whole() -> None:
    bad = Skipped("s", "t")
    moved = batch_samples([make_sample(1.0, bad)]).to(torch.device("meta"))
    tensors = (
        moved.video,
        moved.query_points_tyx,
        moved.tracks_xy,
        moved.occluded,
        moved.judged,
    )
    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert (moved.names, moved.skipped) == (("sample 1.0",), (bad,))


def test_what_is_met_in_every_epoch_is_counted_once() -> None:
    count = SkippedCount([Skipped("b", "a file that is cut off")])
    for _ in range(3):
        count.add([Skipped("a", "record 1"), Skipped("a", "record 2")])
    count.add([])
    count.add([Skipped("b", "record 1")])
    assert count.by_source == {"a": 2, "b": 2}
    assert SkippedCount().by_source == {}
