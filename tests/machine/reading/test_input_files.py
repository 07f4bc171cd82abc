"""Arrays and rows of strangers: held against their own headers and against the limits."""

import struct
import zipfile

import numpy as np
import pytest

from locoexport.errors import InputError, QueryError
from locoexport.machine.limits import ROWS, TEXT_BYTES, TRACKS_BYTES
from locoexport.machine.reading.arrays import load_archive, load_array
from locoexport.machine.reading.input_files import read_by_suffix, read_rows


def read(path):
    return read_by_suffix(path, {".npy": load_array, ".csv": read_rows}, "points", QueryError)


def array_file(shape: str, descr: str = "'<f4'", data: bytes = b"", version: int = 1) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_array_of_any_version_is_read(tmp_path, version) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(array_file("(1, 3)", data=struct.pack("<3f", 1, 2, 3), version=version))
    assert read(path).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(tmp_path, order) -> None:
    array = np.asarray(np.arange(12, dtype=">i8").reshape(4, 3), order=order)
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read(tmp_path / "a.npy"), array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (array_file("(100000000000, 3)"), "1,200,000,000,000 bytes, but 0 bytes follow"),
        (array_file("(1, 3)", data=bytes(13)), "12 bytes, but 13"),
        (array_file("(1, 3)", data=bytes(11)), "12 bytes, but 11"),
        (array_file("(99999999999999999999999, 3)"), "bytes follow"),
        (array_file("(-1, 3)"), "says the shape"),
        (array_file("(-1, -3)", data=bytes(12)), "says the shape"),
        (array_file("(True, 3)", data=bytes(12)), "says the shape"),
        (array_file("(1000000000000, 3)", "'|S0'"), "not of plain numbers"),
        (array_file("(1, 3)", "'|V1000000000'"), "not of plain numbers"),
        (array_file("(1,)", "[('a','<f4')]", bytes(4)), "not of plain numbers"),
        (array_file("(1,)", "'|O'", b"cos\nsystem\n."), "not of plain numbers"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31 - 1) + b"{", "2147483647 bytes"),
        (b"\x93NUMPY\x09\x00aaaa", "version 9.0"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000, "does not hold points"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"-" * 9000, "does not hold points"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9) + b"  {\n   }\n", "does not hold points"),
        (b"\x80\x04.", "does not hold points"),
        (b"PK\x03\x04" + bytes(60), "archive"),
        (b"", "does not hold points"),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(tmp_path, content, words) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(QueryError, match=words) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_rows_are_counted(tmp_path, monkeypatch) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    (tmp_path / "a.csv").write_text("1\n2\n3\n")
    monkeypatch.setenv(ROWS.variable, "3")
    assert len(read(tmp_path / "a.npy")) == len(read(tmp_path / "a.csv")) == 3
    monkeypatch.setenv(ROWS.variable, "2")
    for name in ("a.npy", "a.csv"):
        with pytest.raises(QueryError, match="it has 3 rows, and at most 2"):
            read(tmp_path / name)


def test_text_is_measured_before_it_is_read(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.csv").write_text("1,2,3\n")
    monkeypatch.setenv(TEXT_BYTES.variable, "5")
    with pytest.raises(QueryError, match="it has 6 bytes, and at most 5"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a" * 300 + ".csv", "a\0b.csv", "no.csv"])
def test_a_name_that_no_file_can_have(tmp_path, name) -> None:
    with pytest.raises(QueryError, match=r"Cannot read|does not hold"):
        read(tmp_path / name)


def archive_file(path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_an_archive_is_read(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.float64(2), c=np.array(["x"]))
    found = load_archive(path, TRACKS_BYTES)
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [0, 1, 2],
        "b": 2.0,
        "c": ["x"],
    }


def test_an_archive_is_measured_before_it_is_unpacked(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(10_000))
    assert path.stat().st_size < 1000
    monkeypatch.setenv(TRACKS_BYTES.variable, "80000")
    with pytest.raises(InputError, match="it has 80,128 bytes, and at most 80,000"):
        load_archive(path, TRACKS_BYTES)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.npy": array_file("(100000000000, 3)")}, "0 bytes follow"),
        ({"a.npy": array_file("(1, 3)", data=bytes(9))}, "9 bytes follow"),
        ({"a.npy": array_file("(1,)", "'|O'", b"cos\nsystem\n.")}, "not of plain numbers"),
        ({"a.npy": b""}, "damaged archive"),
        ({"a.txt": b"hello"}, "damaged archive"),
    ],
)
def test_a_member_that_lies_is_refused(tmp_path, members, words) -> None:
    path = tmp_path / "a.npz"
    archive_file(path, members)
    with pytest.raises(InputError, match=words):
        load_archive(path, TRACKS_BYTES)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(60), b"\x93NUMPY\x01\0", b"x"])
def test_what_is_no_archive(tmp_path, content) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="it is "):
        load_archive(path, TRACKS_BYTES)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(tmp_path, packing) -> None:
    path = tmp_path / "a.npz"
    archive_file(path, {"a.npy": array_file("(0,)")}, packing)
    with pytest.raises(InputError, match="packed or encrypted"):
        load_archive(path, TRACKS_BYTES)


def test_damage_at_any_byte(tmp_path) -> None:
    path, told = tmp_path / "a.npz", 0
    np.savez_compressed(path, x=np.arange(5))
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            # A changed name or date is no damage; a changed value never comes through.
            for array in load_archive(path, TRACKS_BYTES).values():
                np.testing.assert_array_equal(array, np.arange(5))
        except InputError:
            told += 1
    assert told > len(whole) / 2
