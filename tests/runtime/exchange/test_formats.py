"""Formats are found by name or suffix, and say what they need to know of a clip."""

from pathlib import Path

import pytest
from moving_points import FACTS, moving_points

from locoexport.errors import UsageError
from locoexport.runtime.exchange.clip_facts import ClipFacts
from locoexport.runtime.exchange.formats import FORMATS, export_tracks, find_format


def test_no_two_formats_share_a_name_or_a_suffix() -> None:
    names = [each.name for each in FORMATS]
    suffixes = [suffix for each in FORMATS for suffix in each.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in suffixes)


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_a_suffix_tells_its_format(each: object) -> None:
    for suffix in each.suffixes:  # type: ignore[attr-defined]
        assert find_format(f"Some.Clip{suffix.upper()}") is each


def test_what_is_no_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not identify the format; pass --to with one of"):
        find_format("tracks.bin")
    with pytest.raises(UsageError, match=r"nuke \(\.nk\), 3de \(\.3de\.txt\), .* \(\.slp, "):
        find_format("tracks")
    with pytest.raises(UsageError, match=r"There is no format .maya.; there are"):
        find_format("tracks.nk", "maya")
    with pytest.raises(UsageError, match=r"clip.s width.*--size HxW or --video CLIP"):
        export_tracks(tmp_path / "t.nk", moving_points(), ClipFacts(), find_format("t.nk"))
    assert list(tmp_path.iterdir()) == []


def test_endings_that_formats_share_take_a_name() -> None:
    with pytest.raises(
        UsageError,
        match=r"^a.txt may be for 3DEqualizer or After Effects; say --to 3de or --to after-effects",
    ):
        find_format("a.txt")
    for path, name in (("a.txt", "3de"), ("a.json", "COCO"), ("a.csv", "deeplabcut")):
        assert find_format(path, name).name == name.lower()
    assert find_format("clip.h5", "sleap").name == "sleap"
    assert find_format("clip.analysis.h5").name == "sleap"  # as SLEAP itself names them
    assert find_format("a.track", "3de").name == "3de"  # a name that tells nothing


@pytest.mark.parametrize(
    ("path", "name", "says"),
    [
        ("a.nk", "sleap", r"^a.nk: a file for SLEAP is named .slp or .analysis.h5; .* for Nuke.$"),
        ("a.slp", "npz", r"locoexport's .npz is named .npz; this is a name for SLEAP"),
        ("a.txt", "npz", r"locoexport's .npz is named .npz.$"),
        ("a.json", "csv", r"is named .csv; this is a name for locoexport's .json"),
    ],
)
def test_a_name_that_tells_another_format_is_refused(path: str, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find_format(path, name)


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_an_existing_file_stays_where_writing_fails(
    each: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    def fail(tracks: object, path: Path, facts: object) -> None:
        path.write_text("half")
        raise UsageError("no")

    path = tmp_path / "t.nk"
    path.write_text("old")
    with pytest.raises(UsageError, match=r"^no$"):
        export_tracks(path, moving_points(), FACTS, replace(each, write=fail))  # type: ignore[type-var]
    assert path.read_text() == "old"
