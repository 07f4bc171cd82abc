"""Pictures of a folder: what is read, what is left out and named, and what is cut from them."""

import cv2
import numpy as np
import pytest

from locoexport.errors import InputError
from locoexport.training.data.generated.pictures import Pictures, read_pictures


def ramps(height: int = 80, width: int = 96) -> np.ndarray:
    """uint8 (height, width, 3): red rises to the right, green downwards, blue is 40."""
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[..., 0] = np.arange(width)[None] * 2
    picture[..., 1] = np.arange(height)[:, None] * 2
    return picture


def write(path, picture_rgb: np.ndarray) -> None:
    """Red first in memory; OpenCV writes blue first."""
    order = [2, 1, 0, 3][: picture_rgb.shape[-1]]
    assert cv2.imwrite(str(path), picture_rgb[..., order] if picture_rgb.ndim == 3 else picture_rgb)


def test_every_kind_becomes_rgb_of_eight_bits(tmp_path) -> None:
    rgb = ramps()
    write(tmp_path / "a.png", rgb)
    write(tmp_path / "b.png", np.concatenate((rgb, np.full((80, 96, 1), 9, np.uint8)), -1))
    write(tmp_path / "c.png", rgb.astype(np.uint16) * 257)
    write(tmp_path / "d.png", rgb[..., 0])
    write(tmp_path / "e.bmp", rgb)
    write(tmp_path / "f.tif", rgb)
    (tmp_path / "below").mkdir()
    write(tmp_path / "below" / "g.JPG", rgb)
    (tmp_path / "z.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    found = read_pictures(tmp_path)
    assert found.remarks == ()
    assert len(found.pictures) == 8
    assert all(each.dtype == np.uint8 and each.shape == (80, 96, 3) for each in found.pictures)
    by_name = dict(zip(("a", "b", "below", "c", "d", "e", "f", "z"), found.pictures, strict=True))
    for name in "abcefz":
        np.testing.assert_array_equal(by_name[name], rgb)
    np.testing.assert_array_equal(by_name["d"], np.repeat(rgb[..., :1], 3, -1))
    # JPEG at OpenCV's usual quality, 95; measured: 0.6 levels.
    assert np.abs(by_name["below"].astype(float) - rgb).mean() < 2


def test_what_cannot_be_read_is_left_out_and_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_IMAGE_PIXELS", "10000")
    write(tmp_path / "good.png", ramps())
    write(tmp_path / "small.png", ramps(63, 90))
    write(tmp_path / "huge.png", ramps(200, 90))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    found = read_pictures(tmp_path)
    assert len(found.pictures) == 1
    (remark,) = found.remarks
    assert "5 files" in remark
    for name in ("small.png", "huge.png", "text.png", "empty.jpg", "cut.png"):
        assert name in remark
    assert "10,000 pixels" in remark


def test_a_long_list_is_counted(tmp_path) -> None:
    write(tmp_path / "good.png", ramps())
    for number in range(8):
        (tmp_path / f"{number}.png").write_text("no picture")
    (remark,) = read_pictures(tmp_path).remarks
    assert "8 files" in remark
    assert remark.endswith("4.png and 3 more.")


def test_a_folder_without_pictures_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        read_pictures(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no picture of 64x64"):
        read_pictures(tmp_path)
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(InputError, match=r"Left out 1 file .*bad\.png") as refused:
        read_pictures(tmp_path)
    assert refused.value.exit_code == 2
    write(tmp_path / "file.png", ramps())
    with pytest.raises(InputError, match="no folder"):
        read_pictures(tmp_path / "file.png")


def test_large_pictures_are_shrunk(tmp_path) -> None:
    write(tmp_path / "wide.png", np.zeros((1200, 2400, 3), np.uint8))
    (picture,) = read_pictures(tmp_path).pictures
    assert picture.shape == (1024, 2048, 3)


def test_more_than_memory_should_hold_is_thinned_evenly(tmp_path) -> None:
    for number in range(9):
        write(tmp_path / f"{number}.png", np.full((80, 96, 3), number, np.uint8))
    one = 3 * 80 * 96
    found = read_pictures(tmp_path, most_bytes=4 * one)
    assert [int(each[0, 0, 0]) for each in found.pictures] == [0, 3, 6]
    (remark,) = found.remarks
    assert "Of 9 pictures" in remark
    assert "3 are used" in remark
    assert f"{4 * one:,}" in remark


def test_cuts_are_whole_squares_of_the_picture() -> None:
    pictures = Pictures((ramps(600, 900),), 0, real_share=1.0)
    random = np.random.default_rng(0)
    for _ in range(8):
        cut = pictures.cut(random)
        assert cut.shape == (512, 512, 3)
        assert cut.dtype == np.uint8
        # Nothing but the picture: its blue, which INTER_CUBIC keeps.
        assert (cut[..., 2] == 40).all()


def test_procedural_pictures_are_the_same_in_any_order() -> None:
    """Each is made when it is first asked for, from its number and the seed alone."""

    def cut(pictures: Pictures, seed: int) -> np.ndarray:
        return pictures.cut(np.random.default_rng(seed))

    one, other = Pictures((), 3), Pictures((), 3)
    first = [cut(one, seed) for seed in (0, 1)]
    second = [cut(other, seed) for seed in (1, 0)]
    np.testing.assert_array_equal(first[0], second[1])
    np.testing.assert_array_equal(first[1], second[0])
    assert (cut(Pictures((), 4), 0) != first[0]).mean() > 0.5
