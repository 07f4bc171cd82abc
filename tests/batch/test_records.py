"""A record of finished work is what this program wrote, or none at all."""

import json

import pytest

from locoexport.batch.records import ClipRecord, read_record, write_record
from locoexport.errors import InputError

RECORD = ClipRecord("ab", {"x": [1]}, {"size_bytes": 1}, "tracked", "9 points", {"points": 9})


def test_a_record_is_read_back(tmp_path) -> None:
    path = tmp_path / "r.json"
    assert read_record(path) is None
    write_record(path, RECORD)
    assert read_record(path) == RECORD


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "owned"},
        {"text": {"a": 1}},
        {"result": [1]},
        {"options": None},
        {"clip": "x"},
        {"model_sha256": 1},
        {"zzz": 1},
        {"schema": "other"},
    ],
)
def test_a_forged_record_is_refused_by_name(tmp_path, change) -> None:
    path = tmp_path / "r.json"
    write_record(path, RECORD)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"r\.json is not a record of this program .*; delete it"):
        read_record(path)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"[]", b"", b"\xff", b"9" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200],
    ids=["deep", "list", "empty", "bytes", "digits", "nested"],
)
def test_a_damaged_record_is_refused_by_name(tmp_path, content) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"r\.json is not a record of this program"):
        read_record(path)


def test_a_record_is_short(tmp_path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match="1,048,577 bytes, and at most 1,048,576"):
        read_record(path)
