"""Metadata read from the bytes of a file, against the onnx package."""

import onnx
import onnx.helper
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_tracker import tracker_bytes

from locoexport.runtime.session.onnx_metadata import read_metadata


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
