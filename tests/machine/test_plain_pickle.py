"""Pickles of plain data are read; nothing that one names is ever called."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from bombs import Bomb

from locoexport.errors import InputError
from locoexport.machine.plain_pickle import load_plain


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
        with pytest.raises(InputError, match=r"a\.pkl is no pickle of plain data: "):
            load_plain(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "no.pkl", tmp_path):
        with pytest.raises(InputError, match=rf"Cannot read {path}: "):
            load_plain(path)
