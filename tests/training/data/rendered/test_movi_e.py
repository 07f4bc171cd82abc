"""A folder of records as a source of samples: where it may lie, and what it passes over."""

import itertools
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from rendered_records import (
    TRAIN,
    Feature,
    as_record,
    encode_example,
    golden_arrays,
    scene_features,
    write_records,
)

from locoexport.errors import InputError
from locoexport.training.data.rendered.movi_e import MoviE, open_movi_e
from locoexport.training.data.samples import TrainingSample
from locoexport.training.data.source import SampleWish

WISH = SampleWish(frames=8, points=24, size_hw=(64, 64))


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return golden_arrays()


@pytest.fixture
def features(golden) -> dict[str, Feature]:
    return scene_features(golden)


@pytest.fixture(scope="module")
def five(golden) -> list[bytes]:
    """Records of five scenes that differ by name."""
    return [encode_example(scene_features(golden, name)) for name in "abcde"]


def names_of(source: MoviE, count: int) -> list[str]:
    return [source.sample(index, WISH).name for index in range(count)]


def test_a_sample_has_what_was_wished_for(tmp_path, five) -> None:
    write_records(tmp_path / TRAIN.format(0, 1), five)
    for size_hw, frames in (((64, 64), 8), ((48, 80), 5)):
        sample = open_movi_e(tmp_path, 0).sample(3, SampleWish(frames, 24, size_hw))
        assert sample.video.shape == (frames, *size_hw, 3)
        assert sample.video.dtype == np.float32
        assert np.abs(sample.video).max() <= 1
        assert sample.query_points_tyx.shape == (24, 3)
        assert sample.tracks_xy.shape == (24, frames, 2)
        assert sample.occluded.shape == sample.judged.shape == (24, frames)
        assert sample.judged.all()
        assert np.isfinite(sample.tracks_xy).all()
        assert not sample.skipped
        t, y, x = sample.query_points_tyx.T
        assert ((t >= 0) & (t < frames) & (t == np.rint(t))).all()
        assert ((y > 0) & (y < size_hw[0]) & (x > 0) & (x < size_hw[1])).all()


@pytest.mark.parametrize("index", range(6))
def test_a_point_is_where_it_was_asked_for(tmp_path, five, index) -> None:
    write_records(tmp_path / TRAIN.format(0, 1), five)
    sample = open_movi_e(tmp_path, 0).sample(index, WISH)
    at = np.arange(24), sample.query_points_tyx[:, 0].astype(int)
    assert not sample.occluded[at].any()
    # Places on a box are kept in 16 bits, and the window is enlarged: 1.7e-4 px were measured.
    np.testing.assert_allclose(
        sample.tracks_xy[at], sample.query_points_tyx[:, :0:-1], rtol=0, atol=4e-4
    )


def test_an_index_decides_everything(tmp_path, five) -> None:
    write_records(tmp_path / TRAIN.format(0, 1), five)
    one, again, other_seed = (open_movi_e(tmp_path, seed) for seed in (0, 0, 1))
    assert_same(one.sample(7, WISH), again.sample(7, WISH))
    # Another epoch or seed cuts the same scene otherwise.
    first = one.sample(0, WISH)
    later = [one.sample(index, WISH) for index in range(5, 10)]
    twin = next(sample for sample in later if sample.name == first.name)
    assert not np.array_equal(twin.video, first.video)
    assert names_of(other_seed, 5) != names_of(one, 5)


def test_every_scene_comes_once_before_any_comes_again(tmp_path, five) -> None:
    write_records(tmp_path / TRAIN.format(0, 2), five[:2])
    write_records(tmp_path / TRAIN.format(1, 2), five[2:])
    source = open_movi_e(tmp_path, 3)
    assert len(source) == 5
    epochs = [names_of(source, 15)[5 * epoch : 5 * epoch + 5] for epoch in range(3)]
    assert all(len(set(epoch)) == 5 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert f"{TRAIN.format(1, 2)}, record 2 (e)" in epochs[0]


def test_a_shorter_clip_begins_anywhere_in_the_scene(tmp_path, golden) -> None:
    marked = golden | {"video": np.zeros_like(golden["video"])}
    marked["video"][:] = np.arange(8, dtype=np.uint8)[:, None, None, None] * 10
    write_records(tmp_path / TRAIN.format(0, 1), [encode_example(scene_features(marked))])
    source = open_movi_e(tmp_path, 0)
    firsts = set()
    for index in range(30):
        video = source.sample(index, SampleWish(6, 8, (64, 64))).video
        shown = np.rint((video[:, 9, 9, 0] + 1) * 12.75).astype(int)
        assert (np.diff(shown) == 1).all()
        firsts.add(int(shown[0]))
    assert firsts == {0, 1, 2}


@pytest.mark.parametrize(
    "below",
    [
        "",
        "1.0.0",
        "256x256/1.0.0",
        "panning_movi_e/256x256/1.0.0",
        "3f2a/panning_movi_e/256x256/1.0.0",
        "snapshots/3f2a/panning_movi_e/256x256/1.0.0",
    ],
)
def test_any_folder_above_may_be_named(tmp_path, five, below) -> None:
    home = tmp_path / below
    write_records(home / TRAIN.format(0, 1), five[:1])
    write_records(home / "panning_movi_e-validation.tfrecord-00000-of-00001", five[1:])
    (home / "dataset_info.json").write_text("{}")
    assert len(open_movi_e(tmp_path, 0)) == 1


def test_two_data_sets_are_not_mixed(tmp_path, five) -> None:
    for commit in ("a", "b"):
        write_records(tmp_path / commit / TRAIN.format(0, 1), five[:1])
    with pytest.raises(InputError, match=r"in 2 folders: .*a, .*b\. Name one"):
        open_movi_e(tmp_path, 0)


def test_a_folder_that_is_fetched_in_part_is_remarked(tmp_path, five) -> None:
    write_records(tmp_path / TRAIN.format(3, 1024), five)
    source = open_movi_e(tmp_path, 0)
    assert source.remarks == (f"{tmp_path} holds 1 of the 1024 files of its data set.",)
    assert source.skipped == ()


def test_no_folder_and_no_records(tmp_path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*none"):
        open_movi_e(tmp_path / "none", 0)
    with pytest.raises(InputError, match=r"expected panning_movi_e-train\.tfrecord-00000-of-NNNNN"):
        open_movi_e(tmp_path, 0)
    (tmp_path / TRAIN.format(0, 1)).touch()
    with pytest.raises(InputError, match=r"not one record is whole\. Its files are empty"):
        open_movi_e(tmp_path, 0)
    (tmp_path / TRAIN.format(0, 1)).write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=r"not one record is whole\. .*Git LFS"):
        open_movi_e(tmp_path, 0)


def test_a_truncated_file_is_used_as_far_as_it_goes(tmp_path, five) -> None:
    path = write_records(tmp_path / TRAIN.format(0, 1), five)
    path.write_bytes(path.read_bytes()[:-10])
    source = open_movi_e(tmp_path, 0)
    assert len(source) == 4
    assert [each.source for each in source.skipped] == [f"movi-e:{tmp_path}"]
    assert source.remarks[0].startswith(f"{path}: record 4 (from byte ")
    assert "is cut off" in source.remarks[0]


def broken_inside(features: dict[str, Feature]) -> bytes:
    return encode_example(features | {"video": [b"no picture", *features["video"][1:]]})


def without_depth(features: dict[str, Feature]) -> bytes:
    del features["depth"]
    return encode_example(features)


def not_finite(features: dict[str, Feature]) -> bytes:
    features["camera/positions"][4] = np.nan
    return encode_example(features)


def with_broken_normals(features: dict[str, Feature]) -> bytes:
    return encode_example(features | {"normal": [b"no picture"] * 8})


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (broken_inside, "a frame of video is no whole PNG file"),
        (without_depth, "it has no depth"),
        (not_finite, "camera/positions holds NaN"),
        (with_broken_normals, "a frame of normal is no whole PNG file"),
        (lambda _: b"\xff\xff", "it is no tf.train.Example"),
    ],
)
def test_a_broken_record_is_named_and_passed_over(tmp_path, five, features, broken, says) -> None:
    path = write_records(tmp_path / TRAIN.format(0, 1), [five[0], broken(features), five[2]])
    source = open_movi_e(tmp_path, 0)
    assert not source.skipped
    samples = [source.sample(index, WISH) for index in range(9)]
    assert {sample.name[-3:] for sample in samples} == {"(a)", "(c)"}
    skipped = [each for sample in samples for each in sample.skipped]
    # Once an epoch the broken record's turn comes; the one before may fall on it, too.
    assert len(skipped) >= 3
    offset = len(as_record(five[0])) + 12
    assert {each.source for each in skipped} == {source.name}
    (text,) = {each.text for each in skipped}
    assert text.startswith(f"{path}: record 1 (at byte {offset}): ")
    assert says in text


def test_a_wrong_checksum_is_named_and_passed_over(tmp_path, five) -> None:
    path = write_records(tmp_path / TRAIN.format(0, 1), five[:2])
    data = bytearray(path.read_bytes())
    data[200] ^= 255
    path.write_bytes(data)
    source = open_movi_e(tmp_path, 0)
    samples = [source.sample(index, WISH) for index in range(2)]
    assert {sample.name for sample in samples} == {f"{path.name}, record 1 (b)"}
    (text,) = {each.text for each in itertools.chain(*(sample.skipped for sample in samples))}
    assert text.startswith(f"{path}: record 0 (at byte 12): its checksum is wrong")


def test_where_nothing_can_be_used_the_last_reason_is_told(tmp_path, five) -> None:
    write_records(tmp_path / TRAIN.format(0, 1), five[:3])
    source = open_movi_e(tmp_path, 0)
    with pytest.raises(InputError) as caught:
        source.sample(0, SampleWish(9, 24, (64, 64)))
    assert "3 records in a row cannot be used" in str(caught.value)
    assert "it has 8 frames, and 9 were asked for" in str(caught.value)


def assert_same(one: TrainingSample, other: TrainingSample) -> None:
    for field in fields(TrainingSample):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_the_folder_is_found_through_links(tmp_path, five) -> None:
    blob = write_records(tmp_path / "blobs" / "0a1b", five[:2])
    home = tmp_path / "snapshots" / "3f2a"
    home.mkdir(parents=True)
    link: Path = home / TRAIN.format(0, 1)
    link.symlink_to(blob)
    assert len(open_movi_e(tmp_path, 0)) == 2
