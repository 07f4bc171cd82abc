"""Clips and annotations become lessons: once, of every length, and never of what changed."""

from collections.abc import Callable

import av
import numpy as np
import pytest
from annotated import as_jpeg, make_clip, write_pickle
from numbered_films import write_numbered

from locoexport.errors import InputError, UsageError
from locoexport.notices import Notice
from locoexport.runtime.session.single import RawTracks
from locoexport.training.data.source import SampleWish
from locoexport.training.data.taught.lessons import Lessons, read_lesson
from locoexport.training.data.taught.preparing import prepare_annotated, prepare_taught
from locoexport.training.data.taught.teacher import Teacher


class StillTeacher:
    """Every point stays where it is, and is seen; unless ``lost``, when it never is again.

    ``lengths`` keeps the numbers of frames that were given.
    """

    name = "still"

    def __init__(self, lost: Callable[[np.ndarray], bool] = lambda frames: False) -> None:
        self._lost = lost
        self.lengths: list[int] = []

    def track(self, frames_rgb: np.ndarray, query_points_tyx: np.ndarray) -> RawTracks:
        self.lengths.append(len(frames_rgb))
        queries = query_points_tyx[0]
        shape = (len(queries), len(frames_rgb))
        tracks = np.broadcast_to(queries[:, None, :0:-1], (*shape, 2))
        logits = np.full(shape, 9.0 if self._lost(frames_rgb) else -9.0, np.float32)
        return RawTracks(
            tracks[None].astype(np.float32), logits[None], np.full_like(logits, -9)[None]
        )


class Said(list[Notice]):
    """Notices, as they come."""

    def __call__(self, notice: Notice) -> None:
        self.append(notice)

    @property
    def warnings(self) -> str:
        return "\n".join(notice.text for notice in self if notice.warning)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "films" / "below").mkdir(parents=True)
    return tmp_path / "films"


def taught(folder, side=None, *, frames=4, seed=0, said=None, identity="one", fixed=None):
    teacher = Teacher(side or StillTeacher(), identity, fixed)
    lessons = folder.parent / "lessons"
    return prepare_taught(folder, teacher, frames, lessons, seed, Said() if said is None else said)


def write_rotated(path) -> None:
    """A film of 4 frames, 32 wide and 64 high as stored, that is to be shown turned by 90°."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 64, "yuv420p"
        for _ in range(4):
            picture = np.zeros((64, 32, 3), np.uint8)
            picture[:32] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    # The display matrix of the track header: 90° clockwise.
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    turned = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], ">i4")
    path.write_bytes(data[:at] + turned.tobytes() + data[at + 36 :])


def test_windows_follow_one_another_and_the_last_ends_with_the_clip(folder) -> None:
    write_numbered(folder / "ten.mp4", 10)
    write_numbered(folder / "below" / "four.mkv", 4)
    side = StillTeacher()
    files = taught(folder, side)
    assert [file.stem.rsplit("-", 1)[1] for file in files] == [
        "000000",
        "000000",
        "000004",
        "000006",
    ]
    assert set(side.lengths) == {4}
    lessons = [read_lesson(file) for file in files]
    for lesson in lessons:
        assert lesson.frames_rgb.shape == (4, 256, 256, 3)
        assert lesson.tracks_xy.shape == (256, 4, 2)
        assert lesson.judged.all()
    # Frames 6 and 7 are in two windows.
    np.testing.assert_array_equal(lessons[2].frames_rgb[2:], lessons[3].frames_rgb[:2])
    sample = Lessons(files, 0).sample(0, SampleWish(3, 5, (64, 64)))
    assert sample.video.shape == (3, 64, 64, 3)


def test_a_turned_film_is_upright(folder) -> None:
    write_rotated(folder / "turned.mp4")
    (file,) = taught(folder)
    frame = read_lesson(file).frames_rgb[0].astype(float).mean(-1)
    # What was the upper half lies on the right.
    assert frame[:, 150:].mean() > 180
    assert frame[:, :100].mean() < 40


def test_lessons_are_made_once(folder) -> None:
    write_numbered(folder / "six.mp4", 6)
    first = taught(folder)
    side = StillTeacher()
    assert taught(folder, side) == first
    assert side.lengths == []


@pytest.mark.parametrize(
    "change",
    [{"identity": "two"}, {"frames": 5}, {"seed": 1}],
    ids=lambda change: next(iter(change)),
)
def test_what_was_made_otherwise_is_not_taken(folder, change) -> None:
    write_numbered(folder / "six.mp4", 6)
    first = taught(folder)
    side = StillTeacher()
    assert not set(taught(folder, side, **change)) & set(first)
    assert side.lengths


def test_a_clip_that_changed_is_taught_again_and_its_neighbours_are_not(folder) -> None:
    write_numbered(folder / "a.mp4", 4)
    write_numbered(folder / "b.mp4", 4)
    first = taught(folder)
    write_numbered(folder / "a.mp4", 4, first=90)
    write_numbered(folder / "0.mp4", 3)
    side = StillTeacher()
    second = taught(folder, side)
    assert len(side.lengths) == 3
    assert second[0] != first[0]
    assert second[1] == first[1]


def test_an_interrupted_clip_goes_on_and_ends_alike(folder) -> None:
    write_numbered(folder / "nine.mp4", 9)
    whole = [read_lesson(file).tracks_xy for file in taught(folder)]
    files = taught(folder)
    files[1].unlink()
    (files[0].parent / f"{files[0].stem.rsplit('-', 2)[0]}.json").unlink()
    side = StillTeacher()
    assert taught(folder, side) == files
    assert len(side.lengths) == 3  # one window of three, there and twice back
    for file, tracks in zip(files, whole, strict=True):
        np.testing.assert_array_equal(read_lesson(file).tracks_xy, tracks)


def test_what_cannot_be_used_is_named_and_counted(folder) -> None:
    write_numbered(folder / "good.mp4", 5)
    write_numbered(folder / "dark.mp4", 5, first=100)
    write_numbered(folder / "short.mp4", 3)
    write_numbered(folder / "brief.mp4", 2)
    (folder / "text.mp4").write_text("no film")
    (folder / "empty.mov").write_bytes(b"")
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    said = Said()
    # The bar of bit 6 is white from number 64 on.
    side = StillTeacher(lambda frames: frames[:, 40:90, 200:216].mean() > 127)
    files = taught(folder, side, said=said)
    assert {file.name.partition("-")[0] for file in files} == {"good"}
    for text in (
        "Left out 2 of 7 clips with fewer than 4 frames: brief.mp4, short.mp4.",
        "Left out 1 of 7 clips that the teacher does not track there and back: dark.mp4.",
        "Left out 3 of 7 clips that cannot be read: empty.mov, sound.mp4, text.mp4.",
    ):
        assert text in said.warnings
    # The next run says so again, and asks for nothing.
    again = Said()
    side.lengths.clear()
    assert taught(folder, side, said=again) == files
    assert again.warnings == said.warnings
    assert side.lengths == []


def test_a_damaged_film_is_used_up_to_the_damage_and_told(folder) -> None:
    path = write_numbered(folder / "cut.avi", 60, "mpeg4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    said = Said()
    assert taught(folder, said=said)
    assert "cut.avi is damaged" in said.warnings


@pytest.mark.parametrize("content", ["nothing", "short", "unread"])
def test_a_folder_without_anything_to_learn_is_refused(folder, content) -> None:
    if content == "short":
        write_numbered(folder / "short.mp4", 3)
    if content == "unread":
        (folder / "text.mp4").write_text("no film")
    expected = {
        "nothing": "holds no video",
        "short": r"1 of 1 clip with fewer than 4 frames: short",
    }
    with pytest.raises(InputError, match=expected.get(content, "cannot be read: text")) as refused:
        taught(folder)
    assert refused.value.exit_code == 2


def test_a_folder_that_is_not_there_is_refused(folder) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        taught(folder / "nowhere")


def test_a_teacher_of_another_length_is_refused_before_it_is_asked(folder) -> None:
    (folder / "text.mp4").write_text("no film, which nobody has looked at yet")
    with pytest.raises(UsageError, match=r"takes 8 frames .*--frames 8"):
        taught(folder, fixed=8)
    write_numbered(folder / "good.mp4", 8)
    assert taught(folder, frames=8, fixed=8)


def test_annotations_become_lessons(tmp_path) -> None:
    wide = make_clip(0, frames=7, size_hw=(90, 160))
    tall = as_jpeg(make_clip(1, frames=4, size_hw=(120, 64)))
    path = write_pickle(tmp_path / "clips.pkl", {"wide": wide, "tall": tall})
    files = prepare_annotated(path, 4, tmp_path / "lessons")
    # Windows overlap by half, and the last one ends with the clip.
    assert [file.stem[-12:] for file in files] == [
        "00000-000000",
        "00000-000002",
        "00000-000003",
        "00001-000000",
    ]
    lesson = read_lesson(files[2])
    assert lesson.frames_rgb.shape == (4, 256, 256, 3)
    np.testing.assert_allclose(lesson.tracks_xy, wide["points"][:, 3:] * 256, rtol=1e-6)
    assert lesson.visible.all()
    assert lesson.judged.all()
    assert prepare_annotated(tmp_path, 4, tmp_path / "lessons") == files


def test_hidden_and_outside_points_are_kept_as_such(tmp_path) -> None:
    clip = make_clip(0, frames=4, points=4)
    clip["occluded"][0, 1:] = True
    clip["points"][0, 1:] = np.nan
    clip["points"][0, 2] = np.inf
    clip["occluded"][1] = True
    clip["points"][2, 2] = (1.5, -0.5)
    files = prepare_annotated(write_pickle(tmp_path / "c.pkl", [clip]), 4, tmp_path / "lessons")
    lesson = read_lesson(files[0])
    assert np.isfinite(lesson.tracks_xy).all()
    np.testing.assert_array_equal(lesson.visible, ~clip["occluded"])
    for index in range(6):
        sample = Lessons(files, 0, damage=0).sample(index, SampleWish(4, 8, (64, 64)))
        assert np.isfinite(sample.tracks_xy).all()
        seen = sample.tracks_xy[~sample.occluded]
        # What was called visible outside the frame is hidden: nobody can see it there.
        assert ((seen >= 0) & (seen < 64)).all()


def test_annotations_that_changed_or_another_length_are_cut_anew(tmp_path) -> None:
    path = write_pickle(tmp_path / "c.pkl", [make_clip(0, frames=6)])
    first = prepare_annotated(path, 4, tmp_path / "lessons")
    assert not set(first) & set(prepare_annotated(path, 6, tmp_path / "lessons"))
    write_pickle(path, [make_clip(1, frames=6)])
    assert not set(first) & set(prepare_annotated(path, 4, tmp_path / "lessons"))


def test_annotations_without_a_window_are_refused_or_counted(tmp_path) -> None:
    short, hidden = make_clip(0, frames=3), make_clip(1, frames=4)
    hidden["occluded"][:] = True
    path = write_pickle(tmp_path / "c.pkl", [short, hidden])
    with pytest.raises(InputError, match="no clip has 4 frames with a visible point"):
        prepare_annotated(path, 4, tmp_path / "lessons")
    said = Said()
    write_pickle(path, [short, hidden, make_clip(2, frames=4)])
    assert len(prepare_annotated(path, 4, tmp_path / "lessons", said)) == 1
    assert "left out 1 of 3 clips with fewer than 4 frames" in said.warnings
    with pytest.raises(InputError, match=r"holds no \.pkl"):
        prepare_annotated(tmp_path / "lessons", 4, tmp_path / "lessons")
    (tmp_path / "bad.pkl").write_bytes(b"no pickle")
    with pytest.raises(InputError, match=r"bad\.pkl"):
        prepare_annotated(tmp_path / "bad.pkl", 4, tmp_path / "lessons")
