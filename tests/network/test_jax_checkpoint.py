"""Checkpoints of the JAX LocoTrack in every form that there is, and what is none."""

import hashlib
import io
import os
import sys
import tarfile
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from bombs import Bomb
from jax_files import (
    SIZES,
    golden_params,
    mapping_rows,
    npy_bytes,
    save_document,
    save_golden,
    save_tar,
)

from locoexport.errors import CheckpointError
from locoexport.network.jax_checkpoint import (
    JaxCheckpoint,
    is_jax_checkpoint,
    read_jax_checkpoint,
)

ROOT = "locotrack/~/"
OUTPUT = f"{ROOT}pips_transformer/linear_1"


def check_golden(found: JaxCheckpoint, size: str) -> None:
    rows = {row["torch"]: row for row in mapping_rows(size)}
    assert found.variant == SIZES[size]
    assert found.state.keys() == rows.keys()
    for key, array in found.state.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert list(array.shape) == rows[key]["torch_shape"], key
        assert hashlib.sha256(array.tobytes()).hexdigest()[:16] == rows[key]["sha256"], key


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_jax_checkpoint(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_told_and_mapped(size: str, tmp_path: Path) -> None:
    path = save_golden(tmp_path / "checkpoint.npy_iter0300000", size)
    assert is_jax_checkpoint(path)
    found = read_jax_checkpoint(path)
    check_golden(found, size)
    assert (found.step, found.member) == (300000, None)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("with_opt_state", [False, True])
def test_every_protocol_with_and_without_the_optimisers_state(
    protocol: int, with_opt_state: bool, tmp_path: Path
) -> None:
    path = save_golden(
        tmp_path / "a.npy",
        with_opt_state=with_opt_state,
        protocol=protocol,
        old_names=protocol == 3,
    )
    check_golden(read_jax_checkpoint(path), "small")


def test_documents_of_other_forms(tmp_path: Path) -> None:
    params = golden_params("small")
    for document in (params, {"params": params, "state": {}}, {"params": params}):
        found = read_jax_checkpoint(save_document(tmp_path / "a.npy", document))
        check_golden(found, "small")
        assert found.step is None
    for step in (np.int32(7), 7, np.array(7)):
        path = save_document(tmp_path / "a.npy", {"params": params, "global_step": step})
        assert read_jax_checkpoint(path).step == 7


@pytest.mark.parametrize("separator", ["/", ":"])
@pytest.mark.parametrize("outer", ["", "params/"])
def test_archives_join_module_and_leaf(separator: str, outer: str, tmp_path: Path) -> None:
    arrays = {
        f"{outer}{module}{separator}{leaf}": array
        for module, leaves in golden_params("small").items()
        for leaf, array in leaves.items()
    }
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "a.npz").rename(tmp_path / "weights")  # its bytes tell what it is, not its name
    assert is_jax_checkpoint(tmp_path / "weights")
    check_golden(read_jax_checkpoint(tmp_path / "weights"), "small")


def test_archives_of_dicts(tmp_path: Path) -> None:
    document = {"params": golden_params("small"), "state": {}, "global_step": 9}
    np.savez(tmp_path / "a.npz", **document)
    assert read_jax_checkpoint(tmp_path / "a.npz").step == 9
    np.savez_compressed(tmp_path / "a.npz", document)
    check_golden(read_jax_checkpoint(tmp_path / "a.npz"), "small")


@pytest.mark.parametrize("dtype", ["<f8", ">f4", ">f8", "<f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_floats_and_orders_are_the_same_weights(
    dtype: str, order: str, tmp_path: Path
) -> None:
    params = {
        module: {leaf: np.array(array, dtype, order=order) for leaf, array in leaves.items()}
        for module, leaves in golden_params("small").items()
    }
    check_golden(read_jax_checkpoint(save_document(tmp_path / "a.npy", params, 5)), "small")
    np.savez(tmp_path / "a.npz", **{f"{m}:{n}": a for m, d in params.items() for n, a in d.items()})
    check_golden(read_jax_checkpoint(tmp_path / "a.npz"), "small")


def test_half_precision_is_widened(tmp_path: Path) -> None:
    params = golden_params("small")
    weights = params[OUTPUT]["w"]
    params[OUTPUT]["w"] = weights.astype(np.float16)
    found = read_jax_checkpoint(save_document(tmp_path / "a.npy", params))
    expected = weights.astype(np.float16).astype(np.float32).T
    np.testing.assert_array_equal(found.state["torch_pips_mixer.output_proj.weight"], expected)


def test_a_member_of_a_tar(tmp_path: Path) -> None:
    checkpoint = save_golden(tmp_path / "checkpoint.npy", "small").read_bytes()
    others = {"weights/readme.txt": b"text", "weights/mean.npy": _npy(np.zeros(3))}
    one = save_tar(
        tmp_path / "one.tar", {**others, "weights/locotrack_small/checkpoint.npy": checkpoint}
    )
    assert is_jax_checkpoint(one)
    found = read_jax_checkpoint(one)
    check_golden(found, "small")
    assert found.member == "weights/locotrack_small/checkpoint.npy"
    packed = save_tar(tmp_path / "packed.tar", {"checkpoint.npy": checkpoint}, "w:gz")
    assert is_jax_checkpoint(packed)
    check_golden(read_jax_checkpoint(packed), "small")


def test_of_several_members_one_has_to_be_named(tmp_path: Path) -> None:
    small = save_golden(tmp_path / "small.npy", "small").read_bytes()
    base = save_golden(tmp_path / "base.npy", "base").read_bytes()
    path = save_tar(
        tmp_path / "weights.tar",
        {"w/locotrack_small/checkpoint.npy": small, "w/locotrack_base/checkpoint.npy": base},
    )
    message = refused(path)
    assert "w/locotrack_small/checkpoint.npy, w/locotrack_base/checkpoint.npy" in message
    assert f"Name one: {path}::locotrack_small" in message
    for member in ("locotrack_base", "w/locotrack_base/checkpoint.npy", "locotrack_base/"):
        named = Path(f"{path}::{member}")
        assert is_jax_checkpoint(named)
        check_golden(read_jax_checkpoint(named), "base")
    assert "2 checkpoints of JAX in it are called checkpoint.npy" in refused(
        Path(f"{path}::checkpoint.npy")
    )
    assert "no checkpoints of JAX in it is called large" in refused(Path(f"{path}::large"))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([1, 2], "it holds a list"),
        ({}, "it is not a checkpoint of LocoTrack: it holds nothing"),
        ({"params": [1]}, "its params are a list, not a dict of modules"),
        ({"tapir/~/resnet/~/initial_conv": {"w": np.ones(3)}}, "it is TAPIR's checkpoint"),
        (
            {"params": {"tapir/~/a": {"w": np.ones(3)}}, "state": {"b": {"n": np.ones(1)}}},
            "it is TAPIR's checkpoint",
        ),
        ({"encoder.weight": np.ones(3)}, "it is not a checkpoint of LocoTrack: it holds encoder"),
        (None, "it holds a NoneType"),
    ],
)
def test_other_documents_are_told(document: object, told: str, tmp_path: Path) -> None:
    assert told in refused(save_document(tmp_path / "a.npy", document))


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def _npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (_npy(np.zeros((3, 4), np.float32)), r"an array of shape \(3, 4\) and dtype 'float32'"),
        (_npy(np.array(["a"])), "an array of shape .* and dtype '<U1'"),
        (_npy(np.array([{}, {}])), r"an array of shape \(2,\) of objects"),
        (_npz(tracks_xy=np.zeros((1, 2)), visible=np.ones(1)), "an archive of tracks"),
        (_npz(a=np.zeros(3)), "not a checkpoint of LocoTrack: it holds a, and"),
        (_npz(tracks=np.zeros((1, 2)), occluded=np.ones(1)), "an archive of tracks"),
        (b"", "it is empty"),
        (b"<!DOCTYPE html>", "it begins with '<!DOCT', and a .npy with"),
        (_npy(np.zeros(3))[:20], "header is damaged or truncated"),
        (npy_bytes({"params": {}})[:-20], "cannot be read as a checkpoint of JAX"),
    ],
)
def test_other_files_are_told(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npy"
    path.write_bytes(data)
    assert is_jax_checkpoint(path)
    with pytest.raises(CheckpointError, match=told):
        read_jax_checkpoint(path)


def test_a_truncated_checkpoint_says_so(tmp_path: Path) -> None:
    data = save_golden(tmp_path / "a.npy").read_bytes()
    for size in (len(data) - 1, len(data) // 2, 200):
        (tmp_path / "b.npy").write_bytes(data[:size])
        assert "truncated" in refused(tmp_path / "b.npy")
    tar = save_tar(tmp_path / "a.tar", {"a/checkpoint.npy": data}).read_bytes()
    (tmp_path / "b.tar").write_bytes(tar[: len(tar) // 2])
    assert "truncated" in refused(tmp_path / "b.tar")


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    params = golden_params("base")
    del params[OUTPUT]["b"]
    params[f"{ROOT}cost_volume"]["w"] = np.zeros((3, 3, 2, 2), np.float32)
    params[f"{ROOT}tail"] = {"w": np.zeros(1, np.float32)}
    params[f"{ROOT}occlusion_out"]["b"] = np.zeros(2, np.int32)
    params[f"{ROOT}cmd_top/~/conv2_d"]["w"] = "text"
    message = refused(save_document(tmp_path / "a.npy", {"params": params}))
    assert "fit no size of LocoTrack; against resnet-base:" in message
    assert f"1 missing: {OUTPUT}:b;" in message
    assert f"1 unexpected: {ROOT}tail:w;" in message
    assert f"{ROOT}cost_volume:w (3, 3, 2, 2) instead of (3, 3, 2, 1)" in message
    assert f"{ROOT}occlusion_out:b is of 'int32'" in message
    assert f"{ROOT}cmd_top/~/conv2_d:w is a str" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_what_is_not_finite_is_named(bad: float, tmp_path: Path) -> None:
    params = golden_params("small")
    bias = params[OUTPUT]["b"].astype(np.float64)
    bias[3] = bad
    params[OUTPUT]["b"] = bias
    message = refused(save_document(tmp_path / "a.npy", params))
    assert f"NaN or infinite weights in 1 arrays: {OUTPUT}:b" in message


def test_a_state_is_refused(tmp_path: Path) -> None:
    document = {"params": golden_params("small"), "state": {"locotrack/~/bn": {"mean": np.ones(2)}}}
    message = refused(save_document(tmp_path / "a.npy", document))
    assert "its state holds locotrack/~/bn:mean" in message


def test_nothing_is_called(tmp_path: Path) -> None:
    document = {"params": golden_params("small"), "opt_state": Bomb(tmp_path / "harm")}
    path = save_document(tmp_path / "a.npy", document)
    assert "mkdir" in refused(path)
    assert not (tmp_path / "harm").exists()
    np.load(path, allow_pickle=True)
    assert (tmp_path / "harm").exists()  # else the test would prove nothing


def test_tensors_of_torch_are_told(tmp_path: Path) -> None:
    path = save_document(tmp_path / "a.npy", {"params": {"a": {"w": torch.ones(2)}}})
    assert "it holds tensors of PyTorch" in refused(path)


def test_arrays_of_jax_are_told(tmp_path: Path, monkeypatch) -> None:
    """As jax pickles its own arrays: a function of jax, called on the parts of numpy's array."""
    for name in ("jax", "jax._src", "jax._src.array"):
        made = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, made)

    def rebuild(*_parts: object) -> None:
        """Stands for jax's own."""

    rebuild.__module__, rebuild.__qualname__ = "jax._src.array", "_reconstruct_array"
    made._reconstruct_array = rebuild

    class Array:
        def __reduce__(self) -> tuple[object, ...]:
            function, arguments, state = np.ones(388, np.float32).__reduce__()
            return rebuild, (function, arguments, state, {"weak_type": False})

    params = golden_params("small")
    step = {"count": Array()}  # of an optimiser's state nothing is read
    document = {"params": params, "opt_state": step}
    check_golden(read_jax_checkpoint(save_document(tmp_path / "a.npy", document)), "small")
    params[OUTPUT]["b"] = Array()
    message = refused(save_document(tmp_path / "a.npy", {"params": params}))
    assert f"{OUTPUT}:b is a jax array (jax._src.array._reconstruct_array; save numpy" in message


def test_files_of_torch_are_left_to_torch(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "zip.npy")
    torch.save({"a": torch.ones(2)}, tmp_path / "old.npy", _use_new_zipfile_serialization=False)
    assert not is_jax_checkpoint(tmp_path / "zip.npy")
    assert not is_jax_checkpoint(tmp_path / "old.npy")
    assert not is_jax_checkpoint(tmp_path / "missing.npy")
    assert not is_jax_checkpoint(tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "a.npy", Path(f"{tmp_path}/a.tar::b")):
        with pytest.raises(CheckpointError, match="There is no checkpoint file"):
            read_jax_checkpoint(path)


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    save_golden(tmp_path / "checkpoint.npy")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo(f"link{kind.decode()}.npy")
            link.type, link.linkname = kind, str(tmp_path / "checkpoint.npy")
            archive.addfile(link)
    assert "no checkpoints of JAX in it" in refused(tmp_path / "a.tar")


@pytest.mark.parametrize("with_opt_state", [False, True])
def test_memory_is_about_the_files_size(with_opt_state: bool, tmp_path: Path) -> None:
    path = save_golden(tmp_path / "a.npy", with_opt_state=with_opt_state)
    tracemalloc.start()
    read_jax_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * os.path.getsize(path)


def test_a_packed_bomb_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    bomb = header.getvalue() + bytes(200 << 20)
    path = save_tar(tmp_path / "a.tar.gz", {"checkpoint.npy": bomb}, "w:gz")
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    message = refused(path)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    assert "which are not in it" in message
