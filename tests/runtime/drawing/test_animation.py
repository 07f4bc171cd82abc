from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locoexport.errors import OutputError, VideoError
from locoexport.runtime.drawing import animation
from locoexport.runtime.drawing.animation import check_animation_fits
from locoexport.runtime.drawing.film import check_film_path, write_film


def levels(count: int) -> list[np.ndarray]:
    """Frames of one grey level each."""
    return [np.full((20, 30, 3), 20 * index, np.uint8) for index in range(count)]


def interrupted() -> Iterator[np.ndarray]:
    """A frame, and then a fault."""
    yield levels(1)[0]
    raise RuntimeError("stop")


def read(path: Path) -> tuple[list[int], list[int]]:
    """The middle level of every frame, and for how many ms it is shown."""
    found, shown = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            shown.append(int(image.info["duration"]))
            found.append(int(np.asarray(image.convert("RGB"))[10, 15, 0]))
    return found, shown


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".GIF"])
def test_frames_come_back_and_last_as_long_as_the_clip(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    write_film(path, levels(9), 30)
    found, shown = read(path)
    assert found == pytest.approx([20 * index for index in range(9)], abs=4)
    assert sum(shown) == 300  # ms; 9 frames of 33.3
    assert set(shown) <= {30, 40, 33, 34}
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_gif_of_a_fast_clip_keeps_what_browsers_show(tmp_path: Path) -> None:
    write_film(tmp_path / "a.gif", levels(10), 100)
    found, shown = read(tmp_path / "a.gif")
    assert found == pytest.approx([0, 40, 80, 120, 160], abs=4)
    assert shown == [20] * 5


def test_what_is_too_large_is_refused_or_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(animation, "MOST_PIXELS", 3 * 600)
    with pytest.raises(OutputError, match=r"--stride.*\.mp4"):
        check_animation_fits(Path("a.webp"), 4, (20, 30))
    check_animation_fits(Path("a.webp"), 3, (20, 30))
    check_animation_fits(Path("a.mp4"), 4, (20, 30))
    told = []
    write_film(tmp_path / "a.webp", levels(5), 10, notify=told.append)
    assert len(read(tmp_path / "a.webp")[0]) == 3
    assert [notice.warning for notice in told] == [True]
    assert "last 2 frames" in told[0].text


def test_nothing_is_left_where_it_fails(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frames"):
        write_film(tmp_path / "a.gif", [], 10)
    with pytest.raises(RuntimeError, match="stop"):
        write_film(tmp_path / "a.gif", interrupted(), 10)
    with pytest.raises(VideoError, match="shape"):
        write_film(tmp_path / "a.gif", [levels(1)[0], np.zeros((21, 30, 3), np.uint8)], 10)
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes_are_refused() -> None:
    with pytest.raises(OutputError, match=r"\.mp4, \.gif or \.webp"):
        check_film_path(Path("a.avi"))


def test_a_gif_keeps_the_colours_of_small_marks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = np.stack([rng.integers(0, 200, (120, 160), np.uint8) // 2] * 3, -1)
    frame[..., 0] = np.linspace(0, 250, 160).astype(np.uint8)
    colours = {(20, 30): (225, 225, 225), (60, 80): (40, 255, 60), (90, 130): (255, 40, 200)}
    for (y, x), colour in colours.items():
        frame[y - 1 : y + 2, x - 1 : x + 2] = colour
    write_film(tmp_path / "a.gif", [frame], 10)
    with Image.open(tmp_path / "a.gif") as image:
        found = np.asarray(image.convert("RGB")).astype(int)
    for (y, x), colour in colours.items():
        assert np.abs(found[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1)) - colour).max() < 40


def test_frames_are_shown_at_their_own_times(tmp_path: Path) -> None:
    time_s = np.array([3.0, 3.1, 3.5, 3.52, 3.525, 4.0])
    write_film(tmp_path / "a.webp", levels(6), 5, time_s)
    assert read(tmp_path / "a.webp")[1] == [100, 400, 20, 5, 475, 200]
    write_film(tmp_path / "a.gif", levels(6), 5, time_s)
    found, shown = read(tmp_path / "a.gif")
    assert found == pytest.approx([0, 20, 40, 60, 100], abs=4)
    assert shown == [100, 400, 20, 480, 200]
