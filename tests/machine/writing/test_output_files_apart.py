import os
from pathlib import Path

import pytest

from locoexport.errors import OutputError
from locoexport.machine.writing.output_files import check_apart


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"footage")
    return path


def test_an_input_is_found_by_any_name(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clip.parent / "folder").symlink_to(clip.parent)
    link, hard = clip.with_name("link.mp4"), clip.with_name("hard.mp4")
    link.symlink_to(clip)
    os.link(clip, hard)
    monkeypatch.chdir(clip.parent)
    for name in (clip, Path("a.mp4"), Path("folder/a.mp4"), link, hard, "./folder/../a.mp4"):
        with pytest.raises(OutputError, match=r"--output .* is VIDEO .*never replaced"):
            check_apart([("--output", name)], [("VIDEO", clip)])
    check_apart([("--output", clip.with_name("b.mp4"))], [("VIDEO", clip), ("--queries", None)])


def test_two_outputs_are_two_files(clip: Path) -> None:
    new = clip.with_name("new.csv")
    check_apart([("--tracks", new), ("--objects", None), ("--output", clip)])
    for one, other in ((new, new), (new, f"{new.parent}/./new.csv"), (clip, clip)):
        with pytest.raises(OutputError, match=r"--tracks .* and --objects .* are the same file"):
            check_apart([("--tracks", one), ("--objects", other)])


def test_names_that_are_no_files_are_compared_as_they_are() -> None:
    check_apart([("--output", "x" * 5000)], [("VIDEO", "https://example.org/a.mp4")])
    with pytest.raises(OutputError):
        check_apart([("--output", "a\0b")], [("VIDEO", "a\0b")])
