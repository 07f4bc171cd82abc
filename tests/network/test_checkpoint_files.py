"""Checkpoints that ask for more than they hold are refused before torch reads them."""

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints import save_lightning, seeded_state

from locoexport.errors import CheckpointError
from locoexport.network.checkpoint_files import check_checkpoint
from locoexport.network.loading import choose_profile, load_network


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return seeded_state()


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        check_checkpoint(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def archive(path: Path, data: bytes, storages: int = 0, packing: int = zipfile.ZIP_STORED) -> Path:
    """A .pt file as torch lays it out, with one storage of so many bytes."""
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/version", "3\n")
        if storages:
            file.writestr("archive/data/0", bytes(storages))
    return path


def opcodes(value: object) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def call(name: str, arguments: bytes) -> bytes:
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n".encode() + arguments + b"R"


def tensor(size: object, stride: object, offset: int = 0, count: int = 4) -> bytes:
    """A float32 tensor over storage 0 of ``count`` numbers."""
    storage = b"(" + opcodes("storage") + b"ctorch\nFloatStorage\n" + opcodes("0") + opcodes("cpu")
    parts = storage + opcodes(count) + b"tQ" + opcodes(offset) + opcodes(size) + opcodes(stride)
    return call("torch._utils._rebuild_tensor_v2", b"(" + parts + b"\x89Nt")


@pytest.mark.parametrize("form", ["zip", "legacy", "lightning", "deflated", "parameters"])
def test_sound_checkpoints_pass(form: str, state, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    if form == "lightning":
        save_lightning(path, state)
    elif form == "parameters":
        torch.save(
            {
                name: torch.nn.Parameter(t, t.is_floating_point() and False)
                for name, t in state.items()
            },
            path,
        )
    else:
        torch.save(OrderedDict(state), path, _use_new_zipfile_serialization=form != "legacy")
    if form == "deflated":
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.pt", "w", 8) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        path = tmp_path / "b.pt"
    network = load_network(choose_profile(None, path), path)
    loaded = network.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tensor((5,), (1,)), "a tensor of shape (5,) reaches beyond its 16 bytes"),
        (tensor((2,), (1,), 3), "reaches beyond its 16 bytes"),
        (tensor((2,), (-1,), 2), "a shape that is not a tuple of whole numbers"),
        (tensor((2, 2), (1,)), "a shape that is not a tuple of whole numbers"),
        (tensor((2,), (1,), count=10**9), "storage 0 should have 4,000,000,000 bytes, and fewer"),
        (call("builtins.bytearray", opcodes((10**11,))), "calls builtins.bytearray with something"),
        (call("torch.storage.UntypedStorage", opcodes((10**11,))), "what is not a function"),
        (call("torch.Tensor", opcodes((10**6, 10**6))), "it calls what is not a function for"),
        (
            call("builtins.list", tensor((10**12,), (0,)) + b"\x85"),
            "it makes builtins.list of something that is not plain",
        ),
        (
            call(
                "torch._tensor._rebuild_from_type_v2",
                b"(cbuiltins\nbytearray\nctorch\nTensor\n" + opcodes((10**11,)) + b"Nt",
            ),
            "a tensor is made by no function for tensors",
        ),
        (
            call(
                "torch._utils._rebuild_parameter_with_state",
                b"(" + tensor((4,), (1,)) + b"\x89N" + opcodes({"numel": 5}) + b"t",
            ),
            "it sets the attribute numel, which tensors or dicts have",
        ),
        (
            call("collections.OrderedDict", b")") + opcodes({"items": 5}) + b"b",
            "it sets the attribute items",
        ),
        (call("torch._utils._rebuild_device_tensor_from_numpy", b")"), "asks for torch._utils._re"),
    ],
    ids=range(13),
)  # fmt: skip
def test_calls_that_would_do_more_than_make_tensors(data: bytes, says: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", b"\x80\x02}" + opcodes("a") + data + b"s.", 16)
    assert says in refused(path)


def test_the_tensor_of_these_tests_is_one(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.pt", b"\x80\x02}" + opcodes("a") + tensor((2, 2), (2, 1)) + b"s.", 16
    )
    check_checkpoint(path)
    assert torch.load(path, weights_only=True)["a"].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def doubled(times: int) -> bytes:
    return b")" + b"".join(bytes([113, i, 104, i, 134]) for i in range(times))


@pytest.mark.parametrize("form", ["zip", "raw", "legacy"])
@pytest.mark.parametrize(
    "data",
    [
        b"}" + doubled(60) + b"K\x01s",
        call("builtins.set", b"](" + doubled(60) + b"e\x85"),
        call("__builtin__.frozenset", b"](" + doubled(60) + b"e\x85"),
        call("collections.Counter", b"](" + doubled(60) + b"e\x85"),
        call("collections.OrderedDict", b"]](" + doubled(60) + b"K\x01ea\x85"),
        call("collections.OrderedDict", b")") + b"(" + doubled(60) + b"K\x01u",
    ],
    ids=["key", "set", "frozenset", "counter", "pairs", "items"],
)
def test_keys_that_take_years_to_hash(data: bytes, form: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    stream = b"\x80\x02" + data + b"."
    if form == "zip":
        archive(path, stream)
    elif form == "raw":
        path.write_bytes(stream)
    else:
        buffer = io.BytesIO()
        torch.save({}, buffer, _use_new_zipfile_serialization=False)
        empty = pickle.dumps({}, 2)
        assert buffer.getvalue().count(empty) == 1
        path.write_bytes(buffer.getvalue().replace(empty, stream))
    assert "a key is a tuple of over 100 values" in refused(path)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda t: t.to_sparse(), "sparse"),
        (lambda t: torch.empty_like(t, device="meta"), "without values (meta)"),
        (lambda t: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]), "nested"),
        (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "quantised"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_unusual_tensors_are_named(
    make: Callable[[torch.Tensor], Any], kind: str, tmp_path: Path
) -> None:
    torch.save({"state_dict": {"conv.weight": make(torch.ones(3, 3))}}, tmp_path / "a.pt")
    assert f"tensor conv.weight is {kind}; expected plain floats" in refused(tmp_path / "a.pt")


def test_archives_that_unpack_to_far_more(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", b"N.", 200 << 20, zipfile.ZIP_DEFLATED)
    assert "unpacks to 209,715,204 bytes, which no weights do" in refused(path)


def test_archives_that_two_readers_may_read_differently(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", b"N.")
    data = path.read_bytes()
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/DATA.pkl", b"N.")
    assert "two members of its archive have the same name" in refused(path)
    path.write_bytes(data[:-2] + b"\1\0x")
    assert "does not end as torch writes it" in refused(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("other/version", b"3")
        file.writestr("archive/data.pkl", b"N.")
    assert "not an archive that torch writes" in refused(path)


def test_a_program_is_no_state_dict(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", b"N.")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/constants.pkl", b"N.")
    assert "it is a TorchScript archive" in refused(path)


def test_a_header_that_is_too_long(monkeypatch, tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"a": "x" * 3000}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    check_checkpoint(path)
    monkeypatch.setenv("LOCOEXPORT_MAX_CHECKPOINT_HEADER_BYTES", "2000")
    assert "LOCOEXPORT_MAX_CHECKPOINT_HEADER_BYTES" in refused(path)


def test_the_limit_of_tensors_is_the_environments(monkeypatch, state, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "a.pt")
    monkeypatch.setenv("LOCOEXPORT_MAX_CHECKPOINT_TENSORS", "20")
    with pytest.raises(CheckpointError, match=r"has \d+ tensors, and at most 20 are taken"):
        choose_profile(None, tmp_path / "a.pt")


def test_a_missing_file_is_left_to_the_reader(tmp_path: Path) -> None:
    check_checkpoint(tmp_path / "no.pt")
    check_checkpoint(tmp_path)


def test_a_state_dict_of_too_many_names(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCOEXPORT_MAX_CHECKPOINT_TENSORS", "20")
    path = archive(tmp_path / "a.pt", pickle.dumps({str(index): None for index in range(21)}, 2))
    assert "its state dict has 21 tensors, and at most 20 are taken" in refused(path)
