"""The published layouts, read without trust; the stereo pair; what else ``--dataset`` may name."""

from pathlib import Path

import numpy as np
import pytest
from annotated import as_jpeg, make_clip, write_pickle
from bombs import Bomb

from locoexport.errors import InputError
from locoexport.evaluation.datasets.opening import open_dataset
from locoexport.evaluation.datasets.resizing import resize_as_published
from locoexport.evaluation.metrics import sample_queries


def loaded(dataset: str | Path) -> dict:
    return {source.name: source.load() for source in open_dataset(str(dataset)).clips()}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_davis_is_a_dict(protocol: int, tmp_path: Path) -> None:
    clip = make_clip()
    path = write_pickle(tmp_path / "tapvid_davis.pkl", {"bear": clip, "cat": clip}, protocol)
    found = loaded(path)
    assert list(found) == ["bear", "cat"]
    for field in ("video", "points", "occluded"):
        np.testing.assert_array_equal(getattr(found["cat"], field), clip[field])
    assert open_dataset(str(path)).name == "tapvid_davis"


def test_rgb_stacking_is_a_list(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "tapvid_rgb_stacking.pkl", [make_clip(0), make_clip(1)])
    assert list(loaded(path)) == ["0", "1"]


def test_robotap_is_a_folder_of_dicts(tmp_path: Path) -> None:
    for index in (1, 0):
        write_pickle(tmp_path / f"robotap_split{index}.pkl", {f"video_{index}": make_clip(index)})
    (tmp_path / "README.txt").write_text("not a pickle")
    assert list(loaded(tmp_path)) == ["robotap_split0/video_0", "robotap_split1/video_1"]


@pytest.mark.parametrize("kind", ["strings", "list", "objects"])
def test_kinetics_is_shards_of_jpeg_files(kind: str, tmp_path: Path) -> None:
    clip = as_jpeg(make_clip(size_hw=(48, 64)))
    if kind == "list":
        clip["video"] = [bytes(file) for file in clip["video"]]
    if kind == "objects":
        clip["video"] = np.array([bytes(file) for file in clip["video"]], object)
    for shard in range(2):
        write_pickle(tmp_path / f"{shard:04}_of_0010.pkl", [clip])
    found = loaded(tmp_path)
    assert list(found) == ["0000_of_0010/0", "0001_of_0010/0"]
    decoded = found["0000_of_0010/0"]
    assert decoded.video.shape == (6, 48, 64, 3)
    assert decoded.points.dtype == np.float64
    # Noise of 0 to 19 grey levels comes back about as dark.
    assert abs(decoded.video.mean() - make_clip(size_hw=(48, 64))["video"].mean()) < 1


def test_colours_of_jpeg_files_are_rgb(tmp_path: Path) -> None:
    clip = make_clip(size_hw=(32, 32))
    clip["video"][...] = (200, 40, 90)
    path = write_pickle(tmp_path / "a.pkl", [as_jpeg(clip)])
    np.testing.assert_allclose(loaded(path)["0"].video.mean(axis=(0, 1, 2)), (200, 40, 90), atol=3)


def test_a_broken_frame_is_told(tmp_path: Path) -> None:
    clip = as_jpeg(make_clip(size_hw=(32, 32)))
    clip["video"] = [*(bytes(file) for file in clip["video"][:2]), b"no image"]
    path = write_pickle(tmp_path / "a.pkl", [clip])
    with pytest.raises(InputError, match="frame 2 of a video is not an image"):
        loaded(path)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_nothing_in_a_pickle_is_run(protocol: int, tmp_path: Path) -> None:
    document = {"clip": make_clip() | {"occluded": Bomb(tmp_path / "harm")}}
    path = write_pickle(tmp_path / "a.pkl", document, protocol)
    with pytest.raises(InputError, match=r"wants to make \w+\.mkdir"):
        loaded(path)
    assert not (tmp_path / "harm").exists()


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no dataset 'davis'.*synthetic, motorcycle, a \.pkl"):
        open_dataset("davis")
    with pytest.raises(InputError, match=r"holds no \.pkl file"):
        open_dataset(str(tmp_path))
    path = write_pickle(tmp_path / "a.pkl", "text")
    with pytest.raises(InputError, match="neither a dict nor a list, but a str"):
        list(open_dataset(str(path)).clips())


def test_the_identity_follows_the_files(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "a.pkl", [make_clip(0)])
    before = open_dataset(str(path)).identity
    assert open_dataset(str(path)).identity == before
    write_pickle(path, [make_clip(0), make_clip(1)])
    assert open_dataset(str(path)).identity != before


def test_frames_are_resized_as_pillow_does() -> None:
    from PIL import Image

    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    found = resize_as_published(frames, (32, 32))
    wanted = Image.fromarray(frames[1]).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(found[1], np.asarray(wanted))
    assert resize_as_published(found, (32, 32)) is found


def test_the_motorcycle_pair() -> None:
    clip = loaded("motorcycle")["motorcycle"]
    assert clip.video.shape == (2, 500, 741, 3)
    assert 300 < len(clip.points) <= 600
    assert not clip.occluded[:, 0].any()
    assert 0.01 < clip.occluded[:, 1].mean() < 0.25
    # Left to right everything moves left; rows stay.
    motion = (clip.points[:, 1] - clip.points[:, 0]) * (741, 500)
    assert (motion[:, 0] < 0).all()
    assert (motion[:, 1] == 0).all()
    # Where a point is visible, it looks alike in both pictures.
    at = (clip.points * (741, 500)).astype(int)
    seen = ~clip.occluded[:, 1]
    left, right = (clip.video[t, at[seen, t, 1], at[seen, t, 0]].astype(float) for t in range(2))
    assert np.median(np.abs(left - right).mean(axis=1)) < 8
    assert sample_queries(clip.occluded, clip.points, "first")["query_points"].shape[1] == len(at)
