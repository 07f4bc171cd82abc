"""Arrays of strangers: sizes that lie, archives that swell, and every honest one."""

import io
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locoexport.errors import InputError, SidecarError
from locoexport.machine.archives import parse_npy, read_npz
from locoexport.machine.limits import Limit

LIMIT = Limit("OF_A_TEST", 10_000, "bytes", "a test")


def npy_bytes(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=False)
    return file.getvalue()


def headed(header: str, data: bytes = b"") -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def claims(shape: str, dtype: str = "'<f4'", data: bytes = b"") -> bytes:
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return headed(header, data)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "|b1", "<i2", "|u1", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes(version, dtype, order) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4).astype(dtype), order=order)
    found = parse_npy(npy_bytes(array, version))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_arrays_without_axes_or_values() -> None:
    assert parse_npy(npy_bytes(np.float32(3))).shape == ()
    assert parse_npy(npy_bytes(np.zeros((0, 3)))).shape == (0, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        npy_bytes(np.zeros(3))[:-1],
        npy_bytes(np.zeros(3)) + b"\0",
        claims("(100000000000,)"),
        claims("(4611686018427387904, 4611686018427387904)"),
        claims("(-1,)"),
        claims("({},)"),
        claims("(0,) * 9"),
        claims("(" + "1," * 70 + ")", data=b"\0" * 4),
        claims("(1,)", "'|O'", b"cos\nsystem\n(S'true'\ntR."),
        claims("(1,)", "'|V1000000000'"),
        claims("(1000000000000,)", "'|S0'"),
        claims("(1,)", "[('a', '<f4', (1000000, 1000000))]"),
        claims("(__import__('os').abort(),)"),
        headed("(" * 4500 + ")" * 4500),
        headed("  {\n   }"),
        headed("a\0b\n"),
        headed("(("),
        b"\x93NUMPY\x09\x00aaaa",
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31 - 1) + b"{",
    ],
)
def test_what_is_no_array_or_another_than_it_says(data) -> None:
    with pytest.raises(InputError):
        parse_npy(data)


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_magic(data) -> None:
    with suppress(InputError):
        assert parse_npy(b"\x93NUMPY\x01\x00" + data).nbytes <= len(data)


def write_zip(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_an_honest_archive(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(3), y=np.float32([[1, 2]]))
    found = read_npz(tmp_path / "a.npz", LIMIT, SidecarError)
    assert set(found) == {"x", "y"}
    np.testing.assert_array_equal(found["x"], np.arange(3))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.npz", {"x.npy": npy_bytes(np.zeros(10_000))})
    assert path.stat().st_size < 1000
    with pytest.raises(SidecarError, match=r"has 80,128 bytes, and at most 10,000 are taken"):
        read_npz(path, LIMIT, SidecarError)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing(tmp_path: Path, packing) -> None:
    path = write_zip(tmp_path / "a.npz", {"x.npy": npy_bytes(np.zeros(3))}, packing)
    with pytest.raises(SidecarError, match="packed or encrypted"):
        read_npz(path, LIMIT, SidecarError)


def test_damage_at_any_byte(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.npz", {"x.npy": npy_bytes(np.arange(5))}).read_bytes()
    path, told = tmp_path / "b.npz", 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            # A changed name or date is no damage; a changed value never comes through.
            for array in read_npz(path, LIMIT, SidecarError).values():
                np.testing.assert_array_equal(array, np.arange(5))
        except SidecarError:
            told += 1
    assert told > len(whole) / 2


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_archive(tmp_path: Path, data) -> None:
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(SidecarError, match=r"a\.npz is no \.npz archive"):
        read_npz(tmp_path / "a.npz", LIMIT, SidecarError)
