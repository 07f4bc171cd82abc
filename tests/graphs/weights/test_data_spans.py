"""Where a tensor says that its bytes lie."""

import pytest
from onnx import TensorProto

from locoexport.errors import ModelFileError
from locoexport.graphs.weights.data_spans import DataSpan, span_of


def entries(**told: str) -> TensorProto:
    tensor = TensorProto(name="w")
    for key, value in told.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_a_span_is_what_the_entries_say() -> None:
    assert span_of(entries(location="a", offset="4", length="8")) == DataSpan("a", 4, 8)
    assert span_of(entries(location="a")).end == 0
    assert span_of(entries(__class__="x", basepath="/etc")) == DataSpan("", 0, None)


@pytest.mark.parametrize("text", ["", "-4", "x", "1.5", "8" * 5000, "\uff18", "1_0", " 8"])
def test_a_place_that_is_no_number_is_damage(text: str) -> None:
    for key in ("offset", "length"):
        with pytest.raises(ModelFileError, match=f"'w' is damaged: its {key} is"):
            span_of(entries(location="a", **{key: text}))
