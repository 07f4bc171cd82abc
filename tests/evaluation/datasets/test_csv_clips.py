"""Films beside annotations: the published rate, parts of long ones, and what does not fit."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from annotated import make_clip
from annotated_csv import counting_film, row_of, write_video_layout

from locoexport.errors import InputError
from locoexport.evaluation.datasets import csv_clips
from locoexport.evaluation.datasets.csv_clips import at_rate
from locoexport.evaluation.datasets.opening import open_dataset


def chosen_by_ffmpeg(times: list[int], base: Fraction, duration: int, fps: int) -> list[int]:
    """Which frame FFmpeg's own filter shows at each new time."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=16, height=16, format="gray", time_base=base)
    rate, sink = graph.add("fps", f"fps={fps}:start_time=0"), graph.add("buffersink")
    source.link_to(rate)
    rate.link_to(sink)
    graph.configure()
    shown = []

    def pull() -> None:
        while True:
            try:
                shown.append(int(graph.pull().to_ndarray()[0, 0]))
            except (BlockingIOError, EOFError):
                return

    for index, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(np.full((16, 16), index, np.uint8), format="gray")
        frame.pts, frame.time_base, frame.duration = time, base, duration
        graph.push(frame)
        pull()
    graph.push(None)
    pull()
    return shown


@pytest.mark.parametrize(
    ("fps", "frames"),
    [(Fraction(30), 60), (Fraction(24), 50), (Fraction(30000, 1001), 61), (Fraction(60), 90),
     (Fraction(25), 40), (Fraction(15), 31), (Fraction(50), 51)],
)  # fmt: skip
def test_frames_are_chosen_as_ffmpeg_does(fps: Fraction, frames: int) -> None:
    duration = 90_000 // 30 if fps == 30 else int(90_000 / fps)
    base = Fraction(1, 90_000)
    times = [int(index * 90_000 / fps) for index in range(frames)]
    timed = [(float(time * base), index) for index, time in enumerate(times)]
    end_s = float((times[-1] + duration) * base)
    ours = list(at_rate(timed, 25, 0.0, lambda: end_s))
    assert ours == chosen_by_ffmpeg(times, base, duration, 25)
    assert abs(len(ours) - frames * 25 / fps) <= 1


def test_a_gap_at_the_beginning_shows_the_first_frame() -> None:
    assert list(at_rate([(0.1, "a"), (0.14, "b")], 25, 0.0, lambda: 0.18)) == ["a"] * 4 + ["b"]


def test_ten_seconds_of_a_faster_film(tmp_path: Path) -> None:
    """From 30 frames a second to 25, positions from corners to centres, in a folder below."""
    (tmp_path / "jumping").mkdir()
    counting_film(tmp_path / "jumping" / "x_000001_000011.mp4", 255, 30)
    points, occluded = np.full((250, 2), 0.5), np.zeros(250, bool)
    text = row_of(["x", 1, 11], points, occluded)
    (tmp_path / "kinetics.csv").write_text(f"{text}\n{text}\n")
    dataset = open_dataset(str(tmp_path), full_resolution=True)
    assert (dataset.name, dataset.count, dataset.missing) == (tmp_path.name, 1, ())
    (source,) = dataset.clips()
    clip = source.load()
    # 8.5 s: the rest of the annotations has no frame.
    assert source.remarks == [
        f"{tmp_path / 'jumping' / 'x_000001_000011.mp4'} has 213 frames and 250 are annotated: the "
        "first 213 are scored."
    ]
    assert clip.video.shape == (213, 32, 48, 3)
    assert clip.occluded.shape == (2, 213)
    np.testing.assert_allclose(clip.points[0, 0], [0.5 - 0.5 / 48, 0.5 - 0.5 / 32])
    levels = clip.video[:, 16, 24, 1].astype(int)
    # Round half up of 0.8333 i: frame 3 is due at 2.5, so it is shown at 3, and 2 at 2.
    expected = [max(i for i in range(255) if int(i / 1.2 + 0.5 + 1e-9) <= n) for n in range(213)]
    assert np.abs(levels - expected).max() <= 2


def test_a_film_of_no_length(tmp_path: Path) -> None:
    counting_film(tmp_path / "x_000001_000011.mp4", 1, 100)
    (tmp_path / "kinetics.csv").write_text("x,1,11" + ",0.5,0.5,0" * 250)
    (source,) = open_dataset(str(tmp_path)).clips()
    with pytest.raises(InputError, match="is shorter than a frame of 25 a second"):
        source.load()


def test_frames_as_they_are(tmp_path: Path) -> None:
    path = write_video_layout(tmp_path / "pt", {"a": 0, "b.mp4": 1}, size_hw=(64, 96))
    dataset = open_dataset(str(path))
    assert (dataset.name, dataset.count) == ("valid", 2)
    first, second = dataset.clips()
    assert (first.name, second.name) == ("a", "b")
    clip = first.load()
    assert clip.video.shape == (6, 256, 256, 3)  # as the published readers resize
    assert clip.points.dtype == np.float32
    np.testing.assert_allclose(clip.points, make_clip(0)["points"], atol=1e-6)
    assert first.remarks == []
    large = next(iter(open_dataset(str(path), full_resolution=True).clips())).load()
    assert large.video.shape == (6, 64, 96, 3)


def test_a_film_without_annotations_to_its_end(tmp_path: Path) -> None:
    counting_film(tmp_path / "a.mp4", 9, 30)
    (tmp_path / "a.csv").write_text("a" + ",0.5,0.5,0" * 6)
    (source,) = open_dataset(str(tmp_path)).clips()
    assert len(source.load().video) == 6
    assert source.remarks == [
        f"{tmp_path / 'a.mp4'} has more frames than the 6 that are annotated: the first 6 are "
        "scored."
    ]


def test_long_films_in_parts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(csv_clips, "LONGEST_PART", 4)
    monkeypatch.setattr("locoexport.evaluation.datasets.opening.LONGEST_PART", 4)
    counting_film(tmp_path / "a.mp4", 10, 30)
    (tmp_path / "a.csv").write_text("a" + ",0.5,0.5,0" * 10)
    dataset = open_dataset(str(tmp_path), full_resolution=True)
    assert dataset.count is None
    parts = {source.name: source.load() for source in dataset.clips()}
    assert list(parts) == ["a 1 of 3", "a 2 of 3", "a 3 of 3"]
    assert [len(clip.video) for clip in parts.values()] == [3, 3, 4]
    starts = [int(clip.video[0, 16, 24, 1]) for clip in parts.values()]
    assert np.abs(np.array(starts) - [0, 3, 6]).max() <= 2


def test_films_that_are_not_there(tmp_path: Path) -> None:
    counting_film(tmp_path / "b.mp4", 3, 30)
    rows = [name + ",0.5,0.5,0" * 3 for name in ("a", "b", "../b", "c")]
    (tmp_path / "v.csv").write_text("\n".join(rows))
    dataset = open_dataset(str(tmp_path))
    assert dataset.missing == ("a", "../b", "c")
    assert [source.name for source in dataset.clips()] == ["b"]
    (tmp_path / "b.mp4").unlink()
    with pytest.raises(InputError, match=r"None of the 4 videos .* expected a\.mp4"):
        open_dataset(str(tmp_path))


def test_two_films_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for place in (tmp_path, tmp_path / "x"):
        counting_film(place / "a.mp4", 2, 30)
    (tmp_path / "v.csv").write_text("a,0.5,0.5,0")
    with pytest.raises(InputError, match="keep only one of them"):
        open_dataset(str(tmp_path))


def test_a_clip_that_takes_too_much_memory(tmp_path: Path, monkeypatch) -> None:
    path = write_video_layout(tmp_path / "pt", {"a": 0})
    (source,) = open_dataset(str(path)).clips()
    monkeypatch.setenv("LOCOEXPORT_MAX_CLIP_BYTES", "1000")
    with pytest.raises(InputError, match=r"a\.mp4 has 1,179,648 bytes of decoded frames"):
        source.load()
