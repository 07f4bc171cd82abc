"""Pickles of plain data are read; nothing that one names is ever called."""

import pickle
import struct
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from bombs import Bomb

from locoexport.errors import InputError
from locoexport.machine.reading.pickles.plain_pickle import load_plain


def _written(path: Path, document: object, protocol: int = pickle.DEFAULT_PROTOCOL) -> Path:
    path.write_bytes(pickle.dumps(document, protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_back(protocol: int, tmp_path: Path) -> None:
    document = {"clip": [1, 2.5, "text", None, True, (b"\xff\x00", -(2**70))], "empty": {}}
    assert load_plain(_written(tmp_path / "a.pkl", document, protocol)) == document


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["uint8", "float64", "bool", "<U3", "datetime64[s]"])
def test_arrays_come_back(protocol: int, dtype: str, tmp_path: Path) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    for written in (array, np.asfortranarray(array), array[::2, 1:]):
        found = load_plain(_written(tmp_path / "a.pkl", [written], protocol))[0]
        assert found.dtype == written.dtype
        np.testing.assert_array_equal(found, written)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_called(protocol: int, tmp_path: Path) -> None:
    path = _written(tmp_path / "a.pkl", {"clip": [Bomb(tmp_path / "harm")]}, protocol)
    with pytest.raises(InputError, match=r"a\.pkl: it wants to make \w+\.mkdir; only arrays are"):
        load_plain(path)
    assert not (tmp_path / "harm").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "harm").exists()  # else the test would prove nothing


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (OrderedDict(), r"collections\.OrderedDict"),
        (eval, r"builtins\.eval"),
        (np.load, r"numpy\.load"),
        (pickle.loads, r"_pickle\.loads"),
    ],
)
def test_other_names_are_refused(document: object, names: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"wants to make {names};"):
        load_plain(_written(tmp_path / "a.pkl", document))


def test_old_protocols_may_name_no_other_encoder(tmp_path: Path) -> None:
    assert load_plain(_written(tmp_path / "a.pkl", [b"\xff\x00"], 2)) == [b"\xff\x00"]
    stream = b"c_codecs\nencode\n(Vtext\nVidna\ntR."
    assert pickle.loads(stream) == b"text"
    (tmp_path / "b.pkl").write_bytes(stream)
    with pytest.raises(InputError, match="wants to encode text as 'idna'"):
        load_plain(tmp_path / "b.pkl")


def test_a_damaged_file_is_an_input_error_that_names_it(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.arange(6.0), "b": ["text"]}, 4)
    path = tmp_path / "a.pkl"
    for content in (b"", b"no pickle", b"(.", *(whole[:end] for end in range(1, len(whole)))):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.pkl is not a pickle of plain data: "):
            load_plain(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "no.pkl", tmp_path):
        with pytest.raises(InputError, match=rf"Cannot read {path}: "):
            load_plain(path)


def _opcodes(value: object) -> bytes:
    """Of a plain value, to stand within a stream."""
    return pickle.dumps(value, 2)[2:-1]


def _array(count: int, payload: bytes, kind: str, state: tuple[object, ...]) -> bytes:
    """An array as numpy writes it, of a type whose state is ours."""
    return b"".join(
        [
            b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n",
            *(_opcodes((0,)), b"C\x01btR(", _opcodes(1), _opcodes((count,))),
            *(b"cnumpy\ndtype\n", _opcodes((kind, False, True)), b"R", _opcodes(state), b"b"),
            *(_opcodes(False), b"B", struct.pack("<I", len(payload)), payload, b"tb"),
        ]
    )


def _plain_state(order: str = "<", size: int = -1) -> tuple[object, ...]:
    return (3, order, None, None, None, size, -1, 0)


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        # numpy itself takes these eight bytes for the address of an object.
        (_array(1, b"A" * 8, "O8", _plain_state("|")), "array of objects has not as many"),
        (_array(2, b"A" * 15, "i8", _plain_state()), "not as many bytes as its shape and type"),
        (
            _array(-1, b"", "i8", _plain_state()),
            "shape of an array is not a tuple of whole numbers",
        ),
        (_array(2**70, b"", "i8", _plain_state()), "shape of an array is not a tuple"),
        (_array(1, b"A" * 8, "V8", _plain_state()), "makes an array of another type"),
        (_array(1, b"A" * 8, "S8", _plain_state("|", 4)), "has not the size that it says"),
        (_array(10**12, b"", "S0", _plain_state("|", 0)), "elements of no size"),
        (_array(1, b"A" * 8, "M8", (4, "<", *_plain_state()[2:], ({}, (b"x", 1, 1, 1)))), "unit"),
        (
            _array(1, b"A" * 8, "i8", (3, "<", (np.int64(0).item(), (9,)), None, None, 8, 1, 0)),
            "of a type that is not plain",
        ),
        (b"cnumpy\nndarray\n(J\xff\xff\xff\x7ft\x85R", "in another way"),
        (b"cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb", "sets the state of what has none"),
        (b"cnumpy._core.numeric\n_frombuffer\n}b", "sets the state of what has none"),
        (b"\x82\x01", "in a way that no array of numbers is written"),
        (b"Pa\n", "asks for something that is not in the file"),
    ],
    ids=range(14),
)
def test_a_forged_array_is_refused(stream: bytes, says: str, tmp_path: Path) -> None:
    _assert_refused(stream, says, tmp_path)


def test_the_forger_of_these_tests_writes_what_numpy_reads(tmp_path: Path) -> None:
    stream = b"\x80\x04" + _array(2, bytes(range(16)), "i8", _plain_state(">")) + b"."
    (tmp_path / "a.pkl").write_bytes(stream)
    found, real = load_plain(tmp_path / "a.pkl"), pickle.loads(stream)
    assert found.dtype == real.dtype
    assert found.tolist() == real.tolist()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "written",
    [
        np.array(2.5),
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.array([b"one", b"two"], object),
        np.array([b"one", b"three"]),
        np.zeros((0, 3), np.uint16),
        np.array(["2024-01-01", "NaT"], "datetime64[25us]"),
        np.array([1 + 2j]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_every_kind_of_plain_array_comes_back(protocol: int, written, tmp_path: Path) -> None:
    streams = [pickle.dumps(written, protocol)]
    if protocol < 4:  # later ones tell the length of a name
        streams.append(streams[0].replace(b"numpy._core", b"numpy.core"))
    for stream in streams:
        (tmp_path / "a.pkl").write_bytes(stream)
        found, real = load_plain(tmp_path / "a.pkl"), pickle.loads(stream)
        assert found.dtype == real.dtype
        assert found.flags.writeable == real.flags.writeable
        assert found.tolist() == real.tolist() == written.tolist()
        assert found.shape == written.shape


def _doubled(times: int) -> bytes:
    """A tuple of itself twice, ``times`` times over: 2 to that power leaves."""
    each = (b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(times))
    return b")" + b"".join(each)


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (b"}" + _doubled(60) + b"K\x01s", "a key is a tuple of over 100 values"),
        (b"\x8f(" + _doubled(60) + b"\x90", "a key is a tuple of over 100 values"),
        (b"(" + _doubled(60) + b"\x91", "a key is a tuple of over 100 values"),
        (b"}" + _opcodes("k" * 5000) + b"Ns", "a key is a str that is not short text"),
        (b"}" + _opcodes(2**61 - 1 << 61) + b"Ns", "a key is a int that is not short text"),
        (b"}(" + b"".join(_opcodes((i,)) + b"N" for i in range(1001)) + b"u", "keys are tuples"),
        (b"}(\x91Ns", "a key is a frozenset"),
    ],
    ids=range(7),
)
def test_keys_that_take_long_to_hash_are_refused(stream: bytes, says: str, tmp_path: Path) -> None:
    _assert_refused(stream, says, tmp_path)


def test_short_tuples_are_keys(tmp_path: Path) -> None:
    document = {("clip", 3): {(1, (2, None))}}
    assert load_plain(_written(tmp_path / "a.pkl", document)) == document


def test_memory_is_not_taken_by_a_number_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02]r\xff\xff\xff\x7f.")
    tracemalloc.start()
    assert load_plain(tmp_path / "a.pkl") == []  # the memo's index is all that is large
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".")
    with pytest.raises(InputError, match="expected 1099511627776 bytes"):
        load_plain(tmp_path / "a.pkl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_bytes_that_are_named_again_and_again_are_not_copied_each_time(tmp_path: Path) -> None:
    """Swapped bytes are copied, and so is encoded text, and so is a list in an array."""
    encoded = b"X" + struct.pack("<I", 10_000) + b"a" * 10_000 + b"q\x00"
    again = b"0c_codecs\nencode\n(h\x00X\x06\x00\x00\x00latin1tR"
    (tmp_path / "a.pkl").write_bytes(encoded + again * 200 + b".")
    with pytest.raises(InputError, match="makes far more bytes than the file holds"):
        load_plain(tmp_path / "a.pkl")
    items = b"](" + b"N" * 1000 + b"eq\x07" + b"0"
    array = _array(1000, b"", "O8", _plain_state("|")) + b"0"
    empty = b"B" + bytes(4)
    assert array.count(empty) == 1
    array = array.replace(empty, b"h\x07")
    (tmp_path / "b.pkl").write_bytes(items + array * 50 + b"N.")
    with pytest.raises(InputError, match="copies the same list too often"):
        load_plain(tmp_path / "b.pkl")


def test_operations_are_counted(monkeypatch, tmp_path: Path) -> None:
    path = _written(tmp_path / "a.pkl", list(range(100)))
    monkeypatch.setenv("LOCOEXPORT_MAX_PICKLE_OPERATIONS", "50")
    with pytest.raises(InputError, match=r"more than 50 operations; .*LOCOEXPORT_MAX_PICKLE_OPER"):
        load_plain(path)
    monkeypatch.setenv("LOCOEXPORT_MAX_PICKLE_OPERATIONS", "200")
    assert len(load_plain(path)) == 100


def test_a_name_with_escapes_is_shown_in_print(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"cos\n\x1b[31msystem\n.")
    with pytest.raises(InputError, match=r"wants to make os\.\\x1b\[31msystem;"):
        load_plain(tmp_path / "a.pkl")


def _assert_refused(stream: bytes, says: str, folder: Path) -> None:
    """The stream, as a pickle of protocol 4, is refused with these words."""
    (folder / "a.pkl").write_bytes(b"\x80\x04" + stream + b".")
    with pytest.raises(InputError, match=says):
        load_plain(folder / "a.pkl")
