"""Which lessons are taken again, and which are never."""

import pytest

from locoexport.errors import OutputError
from locoexport.training.data.taught.prepared import Preparation


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"frames")
    return path


def of(clip, *decides, folder="lessons") -> Preparation:
    return Preparation.of(clip.parent / folder, clip, *decides)


def made(preparation: Preparation, count: int = 2):
    files = [preparation.lesson(0, start) for start in range(count)]
    for file in files:
        file.write_bytes(b"lesson")
    return preparation.keep(5, files, ["a remark"])


def test_what_was_made_is_recalled(clip) -> None:
    assert of(clip, "teacher", 8).recall() is None
    kept = made(of(clip, "teacher", 8))
    assert of(clip, "teacher", 8).recall() == kept
    assert kept.windows == 5
    assert len(kept.files) == 2
    assert kept.remarks == ("a remark",)


def test_nothing_at_all_is_recalled_too(clip) -> None:
    """A clip that the teacher cannot track is not given to it again."""
    assert made(of(clip, "teacher", 8), 0) == of(clip, "teacher", 8).recall()


def test_whatever_decides_the_lessons_makes_others_of_them(clip) -> None:
    first = of(clip, "teacher", 8)
    made(first)
    for other in (of(clip, "another", 8), of(clip, "teacher", 9), of(clip, "teacher", "8")):
        assert other.recall() is None
        assert other.lesson(0, 0) != first.lesson(0, 0)
        assert other.entropy != first.entropy
    clip.write_bytes(b"others")
    assert of(clip, "teacher", 8).recall() is None
    clip.write_bytes(b"frames")
    assert of(clip, "teacher", 8).recall() is not None


def test_a_lesson_that_is_gone_or_a_damaged_record_is_made_again(clip) -> None:
    preparation = of(clip, 8)
    kept = made(preparation)
    kept.files[1].unlink()
    assert preparation.recall() is None
    made(preparation)
    (record,) = kept.files[0].parent.glob("*.json")
    for damaged in ("", "[]", "{}", '{"windows": "x", "files": []}', '{"windows": 1, "files": 3}'):
        record.write_text(damaged)
        assert preparation.recall() is None
    record.write_bytes(b"\xff\xfe")
    assert preparation.recall() is None


def test_the_longest_names_are_cut(tmp_path) -> None:
    clip = tmp_path / ("\N{SNOWMAN}" * 80 + ".mp4")
    clip.write_bytes(b"frames")
    assert made(of(clip)) == of(clip).recall()


def test_a_folder_that_cannot_be_made_is_an_error_of_output(clip) -> None:
    (clip.parent / "file").write_text("no folder")
    with pytest.raises(OutputError, match="Cannot make"):
        of(clip, folder="file/lessons")
