from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import VideoError
from locoexport.runtime.picture.addresses import file_address, looks_like_url
from locoexport.runtime.video.clips import read_clip
from locoexport.runtime.video.mp4 import write_mp4


@pytest.mark.parametrize(
    "name",
    [
        *("2026-01-01T10:30:00.mp4", "-i.mp4", "--output.mp4", "http:film.mp4", "concat:a|b.mp4"),
        *("a%03d.mp4", "a*b?.mp4", "a,b;c=d.mp4", "été 長.mp4", "pipe:1.mp4", "file:x.mp4"),
    ],
)
def test_any_name_is_written_and_read_as_a_file(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_mp4(name, np.full((3, 16, 16, 3), 90, np.uint8), 25)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(read_clip(name).frames_rgb) == 3
    assert len(read_clip(f"./{name}").frames_rgb) == 3


def test_addresses_of_files_are_absolute(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert file_address(Path("-a:b.mp4")) == f"file:{tmp_path}/-a:b.mp4"


@pytest.mark.parametrize(
    "name", ["http://host/f.mp4", "https://host/f", "rtsp://10.0.0.1:554/live", "HTTP://h/f"]
)
def test_an_address_of_a_server_is_told_from_a_file(name: str) -> None:
    # A Path drops one of the slashes.
    for given in (name, Path(name)):
        assert looks_like_url(given)
        with pytest.raises(VideoError, match="--url"):
            read_clip(given)


@pytest.mark.parametrize(
    "name", ["a.mp4", "C:/films/a.mp4", "http", "2026-01-01T10:30:00.mp4", "d/http:/x"]
)
def test_other_names_are_none(name: str) -> None:
    assert not looks_like_url(name)
