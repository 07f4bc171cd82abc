"""TFRecords: where records lie, that both checksums are looked at, and that flows are not."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from rendered_records import PackedInts, as_record, encode_example, varints, write_records

from locoexport.errors import InputError
from locoexport.training.data.rendered.tfrecord import Record, index_records, read_example


def bitwise_crc32c(data: bytes) -> int:
    """Castagnoli's polynomial, reflected, a bit at a time: no code is shared with the library."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = bitwise_crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


@pytest.fixture
def three(tmp_path) -> Path:
    return write_records(
        tmp_path / "a", [encode_example({"x": [bytes([n])] * (n + 1)}) for n in range(3)]
    )


def test_a_file_by_the_letter_of_the_format(tmp_path) -> None:
    assert bitwise_crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    data = encode_example({"x": [b"\x00y"], "f": np.array([0.5, -2.0])})
    length = len(data).to_bytes(8, "little")
    path = tmp_path / "a"
    path.write_bytes(length + masked(length) + data + masked(data))
    assert path.read_bytes() == as_record(data)
    found = index_records(path)
    assert (found.records, found.broken) == ((Record(0, 12, len(data)),), None)
    example = read_example(path, found.records[0])
    assert example.texts == {"x": (b"\x00y",)}
    assert example.numbers["f"].tolist() == [0.5, -2.0]
    assert example.numbers["f"].dtype == np.float32


def test_every_record_and_only_the_keys_that_are_named(three) -> None:
    found = index_records(three)
    assert [record.number for record in found.records] == [0, 1, 2]
    texts = [read_example(three, record).texts["x"] for record in found.records]
    assert texts == [(b"\x00",), (b"\x01",) * 2, (b"\x02",) * 3]
    assert read_example(three, found.records[0], {"y"}).texts == {}


def test_an_empty_file_has_no_records(tmp_path) -> None:
    (tmp_path / "a").touch()
    assert index_records(tmp_path / "a") == index_records(tmp_path / "a")
    assert index_records(tmp_path / "a").records == ()
    assert index_records(tmp_path / "a").broken is None


@pytest.mark.parametrize(
    ("kept", "says"),
    [(-1, "record 2 (from byte"), (5, "record 0 (at byte 0) is cut off")],
)
def test_a_file_that_is_cut_off(three, kept, says) -> None:
    three.write_bytes(three.read_bytes()[:kept])
    found = index_records(three)
    assert says in found.broken
    assert "is cut off" in found.broken
    assert len(found.records) == (2 if kept < 0 else 0)


def test_a_length_with_a_wrong_checksum_ends_the_file(three) -> None:
    whole = index_records(three)
    data = bytearray(three.read_bytes())
    at = whole.records[1].offset - 12
    data[at] += 1
    three.write_bytes(data)
    found = index_records(three)
    assert found.records == whole.records[:1]
    assert found.broken == f"record 1 (at byte {at}) has a broken length"


def test_a_length_beyond_all_sense_is_not_believed(tmp_path) -> None:
    length = struct.pack("<Q", 1 << 40)
    path = tmp_path / "a"
    path.write_bytes(length + masked(length) + bytes(100))
    assert index_records(path).broken == "record 0 (at byte 0) has a broken length"


def test_a_pointer_of_git_lfs_is_called_so(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "pointer of Git LFS" in index_records(path).broken


def test_a_file_that_cannot_be_opened(tmp_path) -> None:
    assert "cannot be read" in index_records(tmp_path / "none").broken
    with pytest.raises(InputError, match="cannot be read"):
        read_example(tmp_path / "none", Record(0, 12, 3))


@pytest.mark.parametrize("place", ["first", "last", "checksum"])
def test_a_wrong_checksum_of_the_data(three, place) -> None:
    record = index_records(three).records[1]
    offset = {"first": 0, "last": record.length - 1, "checksum": record.length}[place]
    data = bytearray(three.read_bytes())
    data[record.offset + offset] ^= 1
    three.write_bytes(data)
    with pytest.raises(InputError, match="checksum is wrong"):
        read_example(three, record)


def test_a_file_that_became_shorter(three) -> None:
    record = index_records(three).records[2]
    three.write_bytes(three.read_bytes()[:-5])
    with pytest.raises(InputError, match="became shorter"):
        read_example(three, record)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", encode_example({"x": [b"a"]})[:-1]])
def test_data_that_is_no_example(tmp_path, data) -> None:
    path = write_records(tmp_path / "a", [data])
    with pytest.raises(InputError, match=r"no tf\.train\.Example"):
        read_example(path, index_records(path).records[0])


def test_lists_of_whole_numbers_are_skipped_and_not_parsed(tmp_path) -> None:
    # 0xff never ends a varint: whoever parses this list fails.
    path = write_records(
        tmp_path / "a",
        [encode_example({"forward_flow": PackedInts(b"\xff" * 64), "x": [b"a"]})],
    )
    example = read_example(path, index_records(path).records[0])
    assert example.texts == {"x": (b"a",)}
    assert example.numbers == {}


def test_an_index_reads_the_heads_of_records_alone(tmp_path) -> None:
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("counts of read bytes are Linux's")
    size = 64 << 20
    length = struct.pack("<Q", size)
    path = tmp_path / "a"
    with open(path, "wb") as file:
        for _ in range(4):  # with holes in place of data
            file.write(length + masked(length))
            file.seek(size + 4, os.SEEK_CUR)
        file.truncate(file.tell())
    before = _read_bytes(counters)
    found = index_records(path)
    # 48 bytes of heads; the rest is what reading the counters takes.
    assert _read_bytes(counters) - before < 10_000
    assert [record.length for record in found.records] == [size] * 4


def _read_bytes(counters: Path) -> int:
    return int(counters.read_text().split()[1])


def test_the_writer_s_varints(tmp_path) -> None:
    values = np.array([0, 1, 127, 128, 300, 16383, 16384, 65535])
    coded = varints(values)
    assert coded == bytes.fromhex("00 01 7f 8001 ac02 ff7f 808001 ffff03")
