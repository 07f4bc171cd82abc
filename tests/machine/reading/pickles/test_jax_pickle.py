"""What JAX's trainings pickle: arrays are read, all else is passed over, nothing is looked up."""

import io
import pickle
from typing import Any

import numpy as np
import pytest
from bombs import Bomb

from locoexport.errors import InputError
from locoexport.machine.reading.pickles.jax_pickle import JaxPickleReader, StoredArray, Unread


def load(data: bytes) -> Any:
    return JaxPickleReader(io.BytesIO(data), len(data)).load()


def called(module: str, name: str, *arguments: object, operation: bytes = b"R") -> bytes:
    """A pickle that calls MODULE.NAME, which need not exist."""
    inner = pickle.dumps(arguments, 4)
    assert inner[:2] == b"\x80\x04"
    assert inner[2:3] in (b")", b"K", b"}", b"]", b"\x95", b"N", b"M", b"\x8c", b"(")
    body = inner[11:] if inner[2:3] == b"\x95" else inner[2:]
    return b"\x80\x04c" + f"{module}\n{name}\n".encode() + body[:-1] + operation + b"."


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["float32", ">f4", "float16", "int64", "bool"])
def test_arrays_are_what_was_saved(protocol: int, dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for written in (array, np.asfortranarray(array), array[:, ::2], array[:0], array[1, 1, 1:2]):
        found = load(pickle.dumps([written], protocol))[0]
        assert isinstance(found, StoredArray)
        assert (found.shape, found.dtype) == (written.shape, written.dtype)
        np.testing.assert_array_equal(found.values(), written)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numbers_of_numpy(protocol: int) -> None:
    found = load(pickle.dumps([np.int64(-3), np.uint8(7), np.float32(0.5)], protocol))
    assert found[:2] == [-3, 7]
    assert isinstance(found[2], Unread)


@pytest.mark.parametrize("name", ["FlatMapping", "FlatMap", "frozendict"])
def test_dicts_of_haiku_are_dicts(name: str) -> None:
    assert load(called("haiku._src.data_structures", name, {"a": {"w": 1}})) == {"a": {"w": 1}}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("optax._src.transform", "ScaleByAdamState"),
        ("optax.transforms._conditionality", "ApplyIfFiniteState"),
        ("locotrack.optimizers", "AddWeightDecayState"),
        ("jax._src.array", "_reconstruct_array"),
        ("jaxlib.xla_extension", "DeviceArray"),
    ],
)
@pytest.mark.parametrize("operation", [b"R", b"\x81"])
def test_what_nobody_reads_is_a_stand_in(module: str, name: str, operation: bytes) -> None:
    found = load(called(module, name, 1, {"a": 2}, operation=operation))
    assert isinstance(found, Unread)
    assert found.text == f"{module}.{name}"


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("locotrack.models", "load"), ("builtins", "eval"), ("optax", "")],
)
def test_other_names_are_refused(module: str, name: str) -> None:
    with pytest.raises(InputError, match="only arrays are read"):
        load(called(module, name, 1))


def test_nothing_is_called(tmp_path) -> None:
    with pytest.raises(InputError, match="mkdir"):
        load(pickle.dumps({"a": Bomb(tmp_path / "harm")}))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), (b"\x8c\x02f4", b"\x8c\x02f8")],
)
def test_arrays_whose_parts_disagree_are_refused(old: bytes, new: bytes) -> None:
    data = pickle.dumps(np.zeros((2, 3), np.float32), 4)
    assert data.count(old) == 1
    with pytest.raises(InputError, match="not as many bytes as its shape and type say"):
        load(data.replace(old, new))


def test_an_array_of_objects_has_no_numbers() -> None:
    found = load(pickle.dumps(np.array([{}, None], object)))
    with pytest.raises(InputError, match="holds objects"):
        found.values()
    with pytest.raises(InputError, match="not an array of one object"):
        found.only_object()


def test_one_bytes_object_is_not_many_arrays() -> None:
    """A file whose arrays repeat the same bytes without end asks for work that it has not paid."""
    data = bytes(1 << 16)
    array = np.frombuffer(data, np.uint8)
    state = (1, (1 << 16,), array.dtype, False, data)

    class Same:
        def __reduce__(self) -> tuple[Any, ...]:
            make = array.__reduce__()[0]
            return make, (np.ndarray, (0,), b"b"), state

    with pytest.raises(InputError, match="far more bytes than the file holds"):
        load(pickle.dumps([Same() for _ in range(5)]))
