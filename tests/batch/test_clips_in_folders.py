"""Which files of a folder, and of those below it, are clips."""

from pathlib import Path

import pytest

from locoexport.batch.clips import find_clip_tree, find_clips, find_source_tree
from locoexport.errors import VideoError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path, left_out: Path | None = None) -> list[str]:
    clips = find_clip_tree(folder, left_out or folder.parent / "elsewhere")
    return [path.relative_to(folder).as_posix() for path in clips]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return fill(tmp_path / "clips", "b.mp4", "a.MOV", "x/c.mkv", "x/y/d.avi", "x/notes.txt")


def test_one_folder_alone(clips: Path) -> None:
    assert [path.name for path in find_clips(clips)] == ["a.MOV", "b.mp4"]


def test_all_folders_in_order(clips: Path) -> None:
    assert found(clips) == ["a.MOV", "b.mp4", "x/c.mkv", "x/y/d.avi"]
    (clips / "folder.mp4").mkdir()
    fill(clips, "folder.mp4/e.mp4")
    assert found(clips) == ["a.MOV", "b.mp4", "folder.mp4/e.mp4", "x/c.mkv", "x/y/d.avi"]


def test_what_is_hidden_is_left_out(clips: Path, tmp_path: Path) -> None:
    fill(clips, ".trash/e.mp4", "x/._c.mkv", ".f.mp4")
    assert found(clips) == ["a.MOV", "b.mp4", "x/c.mkv", "x/y/d.avi"]
    assert found(fill(tmp_path / ".hidden", "a.mp4")) == ["a.mp4"]


def test_a_folder_that_is_left_out(clips: Path) -> None:
    (clips / "link").symlink_to(clips / "x", target_is_directory=True)
    assert found(clips, clips / "x") == ["a.MOV", "b.mp4"]
    assert found(clips, clips / "link") == ["a.MOV", "b.mp4"]


def test_films_that_tracking_wrote_are_no_clips(clips: Path) -> None:
    fill(clips, "o/a.MOV.tracked.mp4", "o/a.MOV.tracks.npz", "o/b.mp4.tracked.mp4")
    fill(clips, "o/b.mp4.done.json", "mine.tracked.mp4", ".tracked.mp4")
    assert found(clips) == ["a.MOV", "b.mp4", "mine.tracked.mp4", "x/c.mkv", "x/y/d.avi"]


def test_links_are_followed_and_loops_are_not(clips: Path, tmp_path: Path) -> None:
    other = fill(tmp_path / "other", "e.mp4")
    (other / "back").symlink_to(clips, target_is_directory=True)
    (other / "up").symlink_to(tmp_path, target_is_directory=True)
    (clips / "0").symlink_to(other, target_is_directory=True)
    (clips / "1").symlink_to(other, target_is_directory=True)
    (clips / "a again").symlink_to(clips / "x", target_is_directory=True)
    (clips / "self").symlink_to("self")
    (clips / "gone.mp4").symlink_to("nothing.mp4")
    (clips / "z.mp4").symlink_to(other / "e.mp4")
    assert found(clips) == ["0/e.mp4", "a.MOV", "b.mp4", "x/c.mkv", "x/y/d.avi", "z.mp4"]


def test_folders_without_clips_or_that_cannot_be_read(tmp_path: Path) -> None:
    for find in (find_clips, lambda folder: find_clip_tree(folder, tmp_path)):
        with pytest.raises(VideoError, match="holds no clip"):
            find(fill(tmp_path / "empty", "a.txt").resolve())
        with pytest.raises(VideoError, match=r"Cannot read .*missing"):
            find(tmp_path / "missing")


def test_a_folder_below_that_cannot_be_read(clips: Path, monkeypatch) -> None:
    real = Path.iterdir

    def iterdir(self: Path):
        if self.name == "y":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(VideoError, match=r"Cannot read .*x/y: Permission denied"):
        found(clips)


def test_folders_of_images_are_clips_where_there_is_no_other(tmp_path: Path) -> None:
    for name in ("a/one/1.png", "a/one/2.png", "b/1.jpg", "b/.hidden/1.jpg", "empty/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    left_out = tmp_path / "out"
    (left_out / "c").mkdir(parents=True)
    (left_out / "c" / "1.png").write_bytes(b"")
    assert find_source_tree(tmp_path, left_out) == [tmp_path / "a/one", tmp_path / "b"]
    (tmp_path / "b" / "film.mp4").write_bytes(b"")
    assert find_source_tree(tmp_path, left_out) == [tmp_path / "b" / "film.mp4"]
    with pytest.raises(VideoError, match="holds no clip"):
        find_source_tree(tmp_path / "empty", left_out)
