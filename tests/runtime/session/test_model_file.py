"""A file's bytes, read once; and the metadata in them, against the onnx package."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_tracker import tracker_bytes

from locoexport.errors import ModelFileError
from locoexport.machine.writing.output_files import sha256_of
from locoexport.runtime.session.model_file import read_metadata, read_model_file
from locoexport.runtime.session.single import open_session


def test_what_is_hashed_is_what_is_opened(make_model) -> None:
    path = make_model()
    file = read_model_file(path)
    assert file.sha256 == sha256_of(path) == open_session(path).sha256
    assert file.source == path.read_bytes()
    path.write_bytes(b"another")
    assert file.source != path.read_bytes()
    assert file.size_bytes == len(file.data or b"")


def test_a_file_with_others_beside_it_is_opened_by_its_path(make_model) -> None:
    path = make_model()
    tensor = onnx.TensorProto(name="w", data_type=1, dims=(2,))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    model = onnx.load(path)
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    file = read_model_file(path)
    assert file.source == str(path)
    file.check_unchanged()
    path.with_suffix(".new").write_bytes(path.read_bytes() + b"\x08\x08")
    path.with_suffix(".new").replace(path)
    with pytest.raises(ModelFileError, match="was replaced while it was opened"):
        file.check_unchanged()


def with_weights_beside(path: Path, data: Path) -> None:
    """A tracker whose first output is moved by (1, 2), which lie in another file."""
    model = onnx.load_from_string(tracker_bytes())
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "tracks":
                node.output[index] = "tracks_before"
    shift = onnx.TensorProto(name="shift", data_type=1, dims=(2,))
    shift.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "model.onnx_data"), ("length", "8")):
        shift.external_data.add(key=key, value=value)
    model.graph.initializer.append(shift)
    model.graph.node.append(onnx.helper.make_node("Add", ["tracks_before", "shift"], ["tracks"]))
    path.write_bytes(model.SerializeToString())
    data.write_bytes(np.float32([1, 2]).tobytes())


VIDEO, POINTS = np.zeros((1, 3, 24, 32, 3), np.float32), np.float32([[[0, 5, 6]]])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_the_cache_of_hugging_face_is_opened(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    blobs, shown = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "abc"
    for folder in (blobs, shown):
        folder.mkdir(parents=True)
    with_weights_beside(blobs / "a1", blobs / "b2")
    (shown / "model.onnx").symlink_to("../../blobs/a1")
    (shown / "model.onnx_data").symlink_to("../../blobs/b2")
    plain = tmp_path / "plain"
    plain.mkdir()
    with_weights_beside(plain / "model.onnx", plain / "model.onnx_data")
    found, due = (
        open_session(folder / "model.onnx").run(VIDEO, POINTS) for folder in (shown, plain)
    )
    np.testing.assert_array_equal(found.tracks_xy, due.tracks_xy)
    np.testing.assert_array_equal(found.tracks_xy[0, 0, 0], [6 + 1, 5 + 2])
    assert list((tmp_path / "cache" / "locoexport").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_a_model_is_opened_with_the_data_beside_that_model(tmp_path: Path) -> None:
    data, work = tmp_path / "data", tmp_path / "work"
    for folder in (data, work):
        folder.mkdir()
    with_weights_beside(data / "m.onnx", data / "model.onnx_data")
    (work / "m.onnx").symlink_to("../data/m.onnx")
    tracks = open_session(work / "m.onnx").run(VIDEO, POINTS).tracks_xy
    np.testing.assert_array_equal(tracks[0, 0, 0], [6 + 1, 5 + 2])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_that_leaves_is_not_opened(tmp_path: Path) -> None:
    with_weights_beside(tmp_path / "m.onnx", tmp_path / "secret.bin")
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "m.onnx").rename(folder / "m.onnx")
    (folder / "model.onnx_data").symlink_to("../secret.bin")
    with pytest.raises(ModelFileError, match="is a link to"):
        open_session(folder / "m.onnx")


def test_the_metadata_of_a_tracker() -> None:
    data = tracker_bytes()
    stated = {p.key: p.value for p in onnx.load_from_string(data).metadata_props}
    assert stated
    assert read_metadata(data) == stated


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_any_properties(properties: dict[str, str]) -> None:
    model = onnx.load_from_string(tracker_bytes(metadata_hw=None))
    onnx.helper.set_model_props(model, properties)
    assert read_metadata(model.SerializeToString()) == properties


@pytest.mark.parametrize(
    "data", [b"\x72\xff", b"\x72", b"\x0b", b"\xff" * 12, b"\x08\x01" * 1_000_001]
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|wire type|over 1000000 fields"):
        read_metadata(data)
