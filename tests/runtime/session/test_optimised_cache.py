"""ONNX Runtime's optimised form of a model, kept between processes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from locoexport.errors import ModelFileError
from locoexport.runtime.session import optimised_cache as model_cache
from locoexport.runtime.session.model_file import read_model_file
from locoexport.runtime.session.optimised_cache import create_cached_session, optimised_folder
from locoexport.runtime.session.single import open_session, session_options

VIDEO = np.zeros((1, 3, 24, 32, 3), np.float32)
POINTS = np.array([[[0, 5, 6], [1, 7, 8]]], np.float32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LOCOEXPORT_CACHE", raising=False)
    return optimised_folder()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _assert_answers(model) -> None:
    raw = model.run(VIDEO, POINTS)
    np.testing.assert_array_equal(raw.tracks_xy[0, :, 0], [[6, 5], [7.5, 7.25]])
    assert model.metadata.profile == "b0-tiny"


def test_the_second_start_reads_what_the_first_wrote(make_model, own_cache: Path) -> None:
    first = open_session(make_model(), cached=True)
    (entry,) = _entries(own_cache)
    assert first.load_note == f"optimised, kept as {entry}"
    second = open_session(make_model(), cached=True)
    assert second.load_note == f"optimised graph from {entry}"
    for model in (first, second):
        _assert_answers(model)
    open_session(make_model(frames=3), cached=True)
    assert len(_entries(own_cache)) == 2


def test_what_is_kept_is_of_the_bytes_that_were_read(make_model, tmp_path: Path) -> None:
    # A redeploy between the reading of the file and ONNX Runtime's opening it.
    path, other = make_model(), make_model("other.onnx", frames=3)
    file = read_model_file(path)
    os.replace(other, path)
    session, note = create_cached_session(file, "cpu", lambda: session_options("cpu"))
    assert "kept as" in note
    assert session.get_inputs()[0].shape[1] == "frames"
    again = open_session(make_model("again.onnx"), cached=True)
    assert "optimised graph from" in again.load_note
    assert again.fixed_frames is None
    assert open_session(path, cached=True).fixed_frames == 3


def test_the_folder_is_the_users_alone(make_model, own_cache: Path) -> None:
    own_cache.mkdir(parents=True, mode=0o777)
    own_cache.chmod(0o777)
    open_session(make_model(), cached=True)
    assert own_cache.stat().st_mode & 0o777 == 0o700


def test_only_who_asks_is_cached(make_model, own_cache: Path, tmp_path: Path) -> None:
    open_session(make_model())
    open_session(make_model(), profile_prefix=tmp_path / "p", cached=True)
    assert not own_cache.exists()


@pytest.mark.parametrize("word", ["off", "0", "OFF"])
def test_the_switch(make_model, own_cache: Path, monkeypatch, word: str) -> None:
    monkeypatch.setenv("LOCOEXPORT_CACHE", word)
    model = open_session(make_model(), cached=True)
    assert "LOCOEXPORT_CACHE is off" in model.load_note
    _assert_answers(model)
    assert not own_cache.exists()


@pytest.mark.parametrize("how", ["cut", "flipped", "empty"])
def test_a_damaged_entry_is_made_again(make_model, own_cache: Path, how: str) -> None:
    path = make_model()
    open_session(path, cached=True)
    (entry,) = _entries(own_cache)
    whole = entry.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    entry.write_bytes({"cut": whole[:-9], "flipped": flipped, "empty": b""}[how])
    model = open_session(path, cached=True)
    assert "was damaged; optimised again" in model.load_note
    _assert_answers(model)
    assert [file.read_bytes() for file in _entries(own_cache)] == [whole]
    assert "optimised graph from" in open_session(path, cached=True).load_note


def test_a_bad_model_is_the_same_error_and_leaves_nothing(own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match=r"cannot open .*bad\.onnx"):
        open_session(tmp_path / "bad.onnx", cached=True)
    assert _entries(own_cache) == []


def test_a_folder_that_cannot_be_made(make_model, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    model = open_session(make_model(), cached=True)
    assert "cannot be used" in model.load_note
    _assert_answers(model)


def test_a_folder_that_cannot_be_written(make_model, own_cache: Path, monkeypatch) -> None:
    """Root may write into any folder, so the refusal of the operating system is played."""
    own_cache.mkdir(parents=True)
    own_cache.chmod(0o500)
    real = Path.mkdir

    def mkdir(path: Path, *arguments, **options) -> None:
        if path.parent == own_cache:
            raise PermissionError(13, "Permission denied")
        real(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    model = open_session(make_model(), cached=True)
    assert "cannot be written" in model.load_note
    _assert_answers(model)


def test_the_oldest_entries_go_first(make_model, own_cache: Path, monkeypatch) -> None:
    paths = [make_model(f"{frames}.onnx", frames=frames) for frames in (3, 4, 5)]
    for age, path in enumerate(paths):
        open_session(path, cached=True)
        newest = max(_entries(own_cache), key=lambda file: file.stat().st_mtime_ns)
        os.utime(newest, (1000 + age, 1000 + age))
    open_session(paths[0], cached=True)  # used now: the second is the oldest
    size = max(file.stat().st_size for file in _entries(own_cache))
    monkeypatch.setattr(model_cache, "CACHE_LIMIT_BYTES", 3 * size)
    open_session(make_model("6.onnx", frames=6), cached=True)
    assert len(_entries(own_cache)) == 3
    assert "optimised graph from" in open_session(paths[0], cached=True).load_note
    assert "kept as" in open_session(paths[1], cached=True).load_note


def test_processes_that_start_together_share_a_folder(make_model, own_cache: Path) -> None:
    path = make_model()
    script = (
        "import sys, numpy as np\n"
        "from locoexport.runtime.session.single import open_session\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "model = open_session(sys.argv[1], cached=True)\n"
        "raw = model.run(np.zeros((1, 3, 24, 32, 3), 'f'), np.ones((1, 1, 3), 'f'))\n"
        "print(raw.tracks_xy.shape)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout, stderr) == (0, "(1, 1, 3, 2)\n", "")
    assert all(file.suffix == ".onnx" for file in _entries(own_cache))
    assert "optimised graph from" in open_session(path, cached=True).load_note
