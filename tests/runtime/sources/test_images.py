"""Images as a video: which ones, in which order, and what is wrong with them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from locoexport.errors import UsageError, VideoError
from locoexport.runtime.decoding.damage import OnDamage
from locoexport.runtime.sources.images import image_footage
from locoexport.runtime.sources.opening import open_video
from locoexport.runtime.video.selection import Selection

RATE_UNKNOWN = "Images have no frame rate: 25 a second is assumed (--fps)."


def _write(folder: Path, *names: str, size: tuple[int, int] = (24, 32)) -> Path:
    """Images whose blue is the number of their name's last digits."""
    folder.mkdir(exist_ok=True)
    for name in names:
        number = int("".join(letter for letter in name if letter.isdecimal()) or 0)
        image = np.zeros((*size, 3), np.uint8)
        image[..., 0] = number
        assert cv2.imwrite(str(folder / name), image)
    return folder


def _numbers(where: Path) -> list[int]:
    return [int(frame[0, 0, 2]) for frame in open_video(where).frames()]


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    folder = _write(tmp_path / "f", *(f"f{number}.png" for number in (1, 10, 2, 9, 3)))
    (folder / "notes.txt").write_text("no frame")
    (folder / ".hidden7.png").write_bytes(b"")
    assert _numbers(folder) == [1, 2, 3, 9, 10]


def test_digits_that_are_no_numbers_are_letters(tmp_path: Path) -> None:
    names = ("a²10.png", "a²3.png", "a²9.png")
    assert _numbers(_write(tmp_path / "f", *names)) == [3, 9, 10]


def test_what_a_pattern_stands_for(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a b", "00001.png", "00002.png", "3.png", "000004.png")
    assert _numbers(folder / "%05d.png") == [1, 2]
    assert _numbers(folder / "%d.png") == [3]
    assert _numbers(folder / "0000[12].png") == [1, 2]
    percent = _write(tmp_path / "p", "0%_01.png", "0%_02.png")
    assert _numbers(percent / "0%%_%02d.png") == [1, 2]


def test_a_file_of_that_very_name_is_the_file(tmp_path: Path) -> None:
    folder = _write(tmp_path / "f", "clip_1.png", "clip_[1].png")
    assert len(list(open_video(folder / "clip_[1].png").frames())) == 1


def test_gaps_in_the_numbering_are_warned_of(tmp_path: Path) -> None:
    folder = _write(tmp_path / "f", *(f"{number:03}.png" for number in (1, 2, 5, 6, 9)))
    source = open_video(folder)
    assert len(list(source.frames())) == 5
    assert source.warnings == [
        "4 numbers are missing between images (002.png to 005.png, 006.png to 009.png). Frames are "
        "counted without the gaps: frame 2 is 005.png.",
        RATE_UNKNOWN,
    ]
    whole = image_footage(_write(tmp_path / "w", "7.png", "8.png"), 30.0)
    assert (whole.warnings, whole.fps, whole.frames_hint) == ([], 30.0, 2)


@pytest.mark.parametrize(("on_damage", "kept"), [("stop", 2), ("continue", 4)])
def test_another_size_ends_the_images_and_names_the_first_other(
    tmp_path: Path, on_damage: OnDamage, kept: int
) -> None:
    folder = _write(tmp_path / "f", "1.png", "2.png")
    _write(folder, "3.png", "4.png", size=(12, 16))
    source = open_video(folder, Selection(on_damage=on_damage))
    assert [frame.shape for frame in source.frames()] == [(24, 32, 3)] * kept
    assert source.frames_repeated == tuple(range(2, kept))
    assert "3.png is 16x12 pixels where 1.png has 32x24" in source.warnings[-1 if kept == 2 else -2]


@pytest.mark.parametrize(
    "names", [("left_1.png", "right_1.png"), ("1.png", "2.png", "cover.png"), ("1.png", "2.jpg")]
)
def test_two_sequences_are_never_mixed(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = _write(tmp_path / "f", *names)
    for where in (folder, folder / "*"):
        with pytest.raises(VideoError, match="more than one sequence"):
            open_video(where)


def test_what_holds_no_images(tmp_path: Path) -> None:
    folder = _write(tmp_path / "f", "1.png")
    (folder / "a.mp4").write_bytes(b"")
    for where, said in (
        (tmp_path, "holds no image"),
        (folder / "%05d.png", "There is no file .*, and none matches it"),
        (folder / "*.tif", "none matches it as a pattern"),
        (folder / "*.mp4", r"a\.mp4, which is not an image"),
        (folder / "%d_%d.png", "one number"),
        (tmp_path / "absent" / "%d.png", "none matches it as a pattern"),
    ):
        with pytest.raises(VideoError, match=said):
            open_video(where)


DAMAGE = pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "cut"])


def _damage(path: Path, content: bytes | None) -> None:
    path.write_bytes(path.read_bytes()[:60] if content is None else content)


@DAMAGE
def test_a_video_ends_before_a_damaged_image(tmp_path: Path, content: bytes | None) -> None:
    folder = _write(tmp_path / "f", *(f"{number}.png" for number in range(6)))
    _damage(folder / "3.png", content)
    source = open_video(folder)
    for _ in range(2):
        assert [int(frame[0, 0, 2]) for frame in source.frames()] == [0, 1, 2]
    assert [int(frame[0, 0, 2]) for frame in source.frames_between(1, 3)] == [1, 2]
    assert len(source.warnings) == 2
    assert "3.png" in source.warnings[1]
    assert "--on-damage continue" in source.warnings[1]


@DAMAGE
def test_the_last_good_image_stands_for_a_damaged_one(
    tmp_path: Path, content: bytes | None
) -> None:
    folder = _write(tmp_path / "f", *(f"{number}.png" for number in range(8)))
    for number in (3, 4):
        _damage(folder / f"{number}.png", content)
    source = open_video(folder, Selection(on_damage="continue"))
    assert [int(frame[0, 0, 2]) for frame in source.frames()] == [0, 1, 2, 2, 2, 5, 6, 7]
    assert source.frames_repeated == (3, 4)
    assert [int(frame[0, 0, 2]) for frame in source.frames_between(4, 7)] == [2, 5, 6]
    assert sum("replaces it" in text for text in source.warnings) == 2


@DAMAGE
def test_a_damaged_first_image_is_named(tmp_path: Path, content: bytes | None) -> None:
    folder = _write(tmp_path / "f", "1.png", "2.png")
    _damage(folder / "1.png", content)
    with pytest.raises(VideoError, match=r"1\.png"):
        list(open_video(folder).frames())


def test_grey_deep_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), np.full((8, 8), 200, np.uint8))
    cv2.imwrite(str(folder / "2.png"), np.full((8, 8, 3), 200 << 8, np.uint16))
    cv2.imwrite(str(folder / "3.png"), np.full((8, 8, 4), 200, np.uint8))
    assert [frame[4, 4].tolist() for frame in open_video(folder).frames()] == [[200] * 3] * 3


def test_images_are_read_again_from_anywhere(tmp_path: Path) -> None:
    folder = _write(tmp_path / "f", *(f"{number}.png" for number in range(12)))
    source = open_video(folder, Selection(start_s=0.08, stride=3))
    assert [int(frame[0, 0, 2]) for frame in source.frames()] == [2, 5, 8, 11]
    assert [int(frame[0, 0, 2]) for frame in source.frames_between(1, 3)] == [5, 8]


def test_a_rate_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="above 0"):
        image_footage(_write(tmp_path / "f", "1.png"), 0.0)
