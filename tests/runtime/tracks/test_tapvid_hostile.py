"""Clips that ask for more than they hold, or hold what no clip does: one message, and early."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated import as_jpeg, make_clip, write_pickle

from locoexport.errors import InputError
from locoexport.runtime.tracks import tapvid
from locoexport.runtime.tracks.tapvid import iterate_tapvid, read_tapvid


def refused(path: Path, document: object) -> str:
    """The message; nothing is decoded before it."""
    with pytest.raises(InputError) as caught:
        read_tapvid(write_pickle(path, document))
    assert str(path) in str(caught.value)
    return str(caught.value)


def clip_of(images: object, frames: int) -> dict[str, object]:
    return make_clip(frames=frames, size_hw=(4, 4)) | {"video": images}


@pytest.fixture
def undecoded(monkeypatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("an image was decoded")

    monkeypatch.setattr(tapvid.cv2, "imdecode", decode)


@pytest.mark.usefixtures("undecoded")
def test_one_image_named_thousands_of_times(tmp_path: Path) -> None:
    file = cv2.imencode(".jpg", np.zeros((1000, 1000, 3), np.uint8))[1].tobytes()
    message = refused(tmp_path / "a.pkl", [clip_of([file] * 2000, 2000)])
    assert "clip 0: a video has 6,000,000,000 bytes of decoded frames" in message
    assert "LOCOEXPORT_MAX_CLIP_BYTES" in message
    message = refused(tmp_path / "a.pkl", [clip_of([file] * 200, 200)])
    assert "take 600,000,000 bytes when they are decoded, and its images of 16," in message


@pytest.mark.usefixtures("undecoded")
def test_one_image_of_too_many_pixels(tmp_path: Path) -> None:
    for suffix in (".jpg", ".png"):
        file = cv2.imencode(suffix, np.zeros((7000, 6000, 1), np.uint8))[1].tobytes()
        message = refused(tmp_path / "a.pkl", [clip_of([file], 1)])
        assert "frame 0 of a video has 42,000,000 pixels an image" in message


@pytest.mark.usefixtures("undecoded")
def test_passes_over_an_image_are_counted(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    scan = file[file.rindex(b"\xff\xda") : -2]
    bomb = file[:-2] + scan[:20] * 10_000 + b"\xff\xd9"
    message = refused(tmp_path / "a.pkl", [clip_of([bomb], 1)])
    assert "a video has 3,003,000,000 bytes of decoded frames" in message


@pytest.mark.usefixtures("undecoded")
def test_a_clip_that_does_not_fit_in_memory(monkeypatch, tmp_path: Path) -> None:
    free = tapvid.read_memory()
    monkeypatch.setattr(tapvid, "read_memory", lambda: type(free)(free.total, 1000, None))
    assert "and 1,000 bytes of memory are free" in refused(
        tmp_path / "a.pkl", [as_jpeg(make_clip(size_hw=(32, 32)))]
    )


def test_images_that_are_no_images_or_of_several_sizes(tmp_path: Path) -> None:
    small, large = (
        cv2.imencode(".jpg", np.zeros((side, side, 3), np.uint8))[1].tobytes() for side in (8, 16)
    )
    for broken in (small[: len(small) // 3], b"GIF89a" + small, b""):
        message = refused(tmp_path / "a.pkl", [clip_of([small, broken], 2)])
        assert "frame 1 of a video is not an image" in message
    assert "of several sizes" in refused(tmp_path / "a.pkl", [clip_of([small, large], 2)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_positions_that_are_nowhere(value: float, tmp_path: Path) -> None:
    clip = make_clip(size_hw=(4, 4))
    clip["points"] = clip["points"].astype(np.float64)
    clip["points"][1, 2, 0] = value
    assert "clip 0: points that are not occluded are far outside" in refused(
        tmp_path / "a.pkl", [clip]
    )
    # Published files keep whatever they like where a point is hidden.
    clip["occluded"][1, 2] = True
    (found,) = read_tapvid(write_pickle(tmp_path / "a.pkl", [clip])).values()
    np.testing.assert_array_equal(found.points, clip["points"])


def test_bytes_that_stand_for_a_flag_are_counted_as_one(tmp_path: Path) -> None:
    clip = make_clip(size_hw=(4, 4))
    clip["occluded"] = np.full((5, 6), 0, np.uint8)
    clip["occluded"][0, 0] = 255
    clip["occluded"] = clip["occluded"].view(np.bool_)
    (found,) = read_tapvid(write_pickle(tmp_path / "a.pkl", [clip])).values()
    assert found.occluded.view(np.uint8).sum() == 1


def test_empty_clips_and_ragged_ones(tmp_path: Path) -> None:
    clip = make_clip(size_hw=(4, 4))
    for video in (np.zeros((0, 4, 4, 3), np.uint8), np.zeros((6, 0, 4, 3), np.uint8), np.array(3)):
        message = refused(tmp_path / "a.pkl", [clip | {"video": video}])
        assert "video is empty" in message
    ragged = np.empty(2, object)
    ragged[:] = [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)]
    for video in (ragged, list(ragged), "text", None):
        message = refused(tmp_path / "a.pkl", [clip | {"video": video}])
        assert "video is not an array of numbers" in message


def test_too_many_points(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_ROWS", "4")
    message = refused(tmp_path / "a.pkl", [make_clip(size_hw=(4, 4))])
    assert "points has 5 rows, and at most 4" in message


def test_names_reach_nobody_with_their_escapes(tmp_path: Path) -> None:
    clip = make_clip(size_hw=(4, 4))
    path = write_pickle(tmp_path / "a.pkl", {"\x1b]0;x\x07\x1b[31mred\n": clip, 7: clip})
    assert [name for name, _ in iterate_tapvid(path)] == [r"\x1b]0;x\x07\x1b[31mred\n", "7"]
    for name in (None, 2.5, b"x", ("a",)):
        assert "names a clip by a" in refused(tmp_path / "b.pkl", {name: clip})


def test_a_stand_in_is_no_clip(tmp_path: Path) -> None:
    for value in (np.dtype("u1"), np.ndarray):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
        with pytest.raises(InputError, match="neither a dict nor a list"):
            read_tapvid(tmp_path / "a.pkl")
