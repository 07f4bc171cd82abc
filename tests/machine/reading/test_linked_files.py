"""Which files a model may have its weights in."""

import os
import sys
from pathlib import Path

import pytest

from locoexport.errors import ModelFileError
from locoexport.machine.reading.linked_files import data_folder, find_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
HASH = "5d4a1b9930c5af894b32e88cd26a49133cdfd5d459b3acc123a04e834e8cb2b6"


def put(path: Path, contents: bytes = b"12345678") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
    return path


def link(path: Path, target: str | Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path.parent


def test_plain_files_and_links_within_the_folder(tmp_path) -> None:
    data = put(tmp_path / "more" / "weights.bin")
    link(tmp_path / "alias.bin", "more/weights.bin")
    for location in ("more/weights.bin", "./more/weights.bin", "alias.bin"):
        assert find_file(tmp_path, location) == data.resolve()


@pytest.mark.parametrize("inner", ["snapshots/revision", "snapshots/revision/onnx/int8"])
def test_the_cache_of_hugging_face(tmp_path, inner: str) -> None:
    blob = put(tmp_path / "models--a--b" / "blobs" / HASH)
    name = tmp_path / "models--a--b" / inner / "model.onnx_data"
    name.parent.mkdir(parents=True)
    folder = link(name, os.path.relpath(blob, name.parent))
    assert find_file(folder, "model.onnx_data") == blob.resolve()


def test_blobs_beside_the_models_folder(tmp_path) -> None:
    blob = put(tmp_path / "blobs" / "abc")
    folder = link(tmp_path / "model" / "model.onnx_data", "../blobs/abc")
    assert find_file(folder, "model.onnx_data") == blob.resolve()


@pytest.mark.parametrize("inner", ["snapshots/revision", "snapshots/revision/onnx"])
def test_a_snapshot_may_name_any_file_in_its_own_blobs(tmp_path, inner: str) -> None:
    blob = put(tmp_path / "repository" / "blobs" / "model.onnx_data1")
    folder = tmp_path / "repository" / inner
    link(folder / "model.onnx_data", os.path.relpath(blob, folder))
    assert find_file(folder, "model.onnx_data") == blob.resolve()


def test_a_snapshot_reaches_nothing_but_its_own_blobs(tmp_path) -> None:
    repository = tmp_path / "repository"
    folder = repository / "snapshots" / "revision"
    secret = put(tmp_path / "secret.txt")
    put(repository / "id_rsa")
    put(repository / "blobs" / "deeper" / "id_rsa")
    put(tmp_path / "blobs" / "id_rsa")
    put(tmp_path / "other" / "blobs" / "id_rsa")
    link(repository / "blobs" / "onward", secret)
    targets = [
        *("../../id_rsa", "../../blobs/deeper/id_rsa", "../../../blobs/id_rsa"),
        *("../../../other/blobs/id_rsa", "../../blobs/onward", str(secret)),
    ]
    for number, target in enumerate(targets):
        link(folder / f"data{number}", target)
        with pytest.raises(ModelFileError, match=r"is a link to .*outside its folder"):
            find_file(folder, f"data{number}")


def test_data_lies_beside_a_link_to_a_model_or_beside_that_model(tmp_path) -> None:
    real, work = tmp_path / "real", tmp_path / "work"
    model = link(work / "m.onnx", put(real / "model.onnx")) / "m.onnx"
    put(real / "w.bin")
    put(real / "more.bin")
    assert data_folder(model, ["w.bin", "more.bin"]) == real
    assert data_folder(real / "model.onnx", ["w.bin"]) == real
    link(work / "w.bin", real / "w.bin")
    assert data_folder(model, ["w.bin", "more.bin"]) == real
    # Missing altogether: the folder that the user named is told.
    assert data_folder(model, ["w.bin", "none.bin"]) == work
    assert data_folder(model, ["../secret"]) == work
    put(work / "more.bin", b"another")
    assert data_folder(model, ["more.bin"]) == work


def test_other_files_than_those_beside_the_link_are_not_taken_in_their_place(tmp_path) -> None:
    real, work = tmp_path / "real", tmp_path / "work"
    model = link(work / "m.onnx", put(real / "model.onnx")) / "m.onnx"
    put(real / "w.bin")
    link(work / "w.bin", put(tmp_path / "secret.txt"))
    assert data_folder(model, ["w.bin"]) == work
    with pytest.raises(ModelFileError, match="is a link to"):
        find_file(work, "w.bin")


def test_links_to_anything_else_are_refused(tmp_path) -> None:
    secret = put(tmp_path / "secret.txt")
    put(tmp_path / "blobs" / "id_rsa")
    put(tmp_path / "far" / "blobs" / HASH)
    link(tmp_path / "blobs" / HASH, secret)
    link(tmp_path / "m" / "folder", tmp_path / "blobs")
    put(tmp_path / "blobs" / "abc")
    targets = ["../secret.txt", "../blobs/id_rsa", f"../far/blobs/{HASH}", f"../blobs/{HASH}"]
    for number, target in enumerate([*targets, "/etc/passwd"]):
        folder = link(tmp_path / "m" / f"data{number}", target)
        with pytest.raises(ModelFileError, match=r"is a link to .*outside its folder"):
            find_file(folder, f"data{number}")
    with pytest.raises(ModelFileError, match="is a link to"):
        find_file(tmp_path / "m", "folder/abc")


@pytest.mark.parametrize(
    "location", ["", "/etc/passwd", "../w", "a/../../w", "a\0b", "..\\..\\w", "C:\\w", "C:w"]
)
def test_names_that_leave_the_folder(tmp_path, location: str) -> None:
    with pytest.raises(ModelFileError, match="outside its folder"):
        find_file(tmp_path, location)


def test_what_is_no_plain_file_is_missing_and_never_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    link(tmp_path / "null", "/dev/null")
    link(tmp_path / "loop", "loop")
    for location in (".", "pipe", "null", "loop", "none", "a" * 5000):
        with pytest.raises(ModelFileError, match="is missing") as caught:
            find_file(tmp_path, location)
        assert len(str(caught.value)) < 400 + len(str(tmp_path))
