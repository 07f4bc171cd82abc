"""A file's bytes, read once; and the metadata in them, against the onnx package."""

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
