"""What a file says that it takes is held against this machine before anything is made."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from synthetic_tracker import synthetic_metadata

from locoexport.errors import ModelFileError
from locoexport.machine.hardware import Memory
from locoexport.runtime.session import signature
from locoexport.runtime.session.signature import (
    Signature,
    check_sizes,
    read_metadata,
    read_properties,
)

PATH = Path("m.onnx")


def session(properties) -> SimpleNamespace:
    return SimpleNamespace(
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map=properties),
    )


@pytest.mark.parametrize(
    ("hw", "batch", "frames", "points", "words"),
    [
        ((0, 0), None, None, None, "every size is at least 1"),
        ((256, 0), None, None, None, "every size is at least 1"),
        ((256, 256), 0, None, None, "every size is at least 1"),
        ((256, 256), None, 0, None, "every size is at least 1"),
        ((256, 256), None, None, -1, "every size is at least 1"),
        ((65536, 65536), None, None, None, "at most 4096 a side"),
        ((256, 8192), None, None, None, "at most 4096 a side"),
        ((256, 256), None, 100_000, None, r"need 78\.6 GB, and this machine has 16\.0 GB"),
        ((256, 256), 10**6, None, None, "need"),
        ((256, 256), None, None, 10**9, "need"),
    ],
)
def test_a_size_that_no_run_can_have_is_refused(
    monkeypatch, hw, batch, frames, points, words
) -> None:
    monkeypatch.setattr(signature, "read_memory", lambda: Memory(16 * 10**9, 1, None))
    check_sizes(PATH, Signature((4096, 4096), "float32", 1, None, 1000))
    with pytest.raises(ModelFileError, match=rf"^m\.onnx .*{words}"):
        check_sizes(PATH, Signature(hw, "float32", batch, frames, points))


def test_a_container_has_less_than_its_machine(monkeypatch) -> None:
    asked = Signature((256, 256), "float32", 1, 1000, 1)
    monkeypatch.setattr(signature, "read_memory", lambda: Memory(10**12, 1, 10**12))
    check_sizes(PATH, asked)
    monkeypatch.setattr(signature, "read_memory", lambda: Memory(10**12, 1, 5 * 10**8))
    with pytest.raises(ModelFileError, match=r"this machine has 0\.5 GB"):
        check_sizes(PATH, asked)


def test_damaged_metadata_is_no_absent_metadata() -> None:
    good = synthetic_metadata().to_properties()
    assert read_metadata(PATH, session({}), required=False) is None
    assert read_metadata(PATH, session({"a": "b"}), required=False) is None
    assert read_metadata(PATH, session(good), required=False) == synthetic_metadata()
    with pytest.raises(ModelFileError, match=r"^m\.onnx: .*locoexport\.opset"):
        read_metadata(PATH, session(good | {"locoexport.opset": "9" * 5000}), required=False)


def test_metadata_that_is_no_text_is_refused_by_name() -> None:
    class Damaged:
        @property
        def custom_metadata_map(self):
            return {"key": b"\xff".decode()}

    with pytest.raises(ModelFileError, match=r"^m\.onnx: its metadata cannot be read"):
        read_properties(PATH, SimpleNamespace(get_modelmeta=Damaged))
