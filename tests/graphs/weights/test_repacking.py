"""Weights moved into the model, or into one file beside it, byte for byte."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.walking import iterate_tensors
from locoexport.graphs.weights import repacking
from locoexport.graphs.weights.repacking import fill_data_file, fill_model, is_laid_out

SIZE = 300
RANDOM = np.random.default_rng(7)


def weight(name: str, size: int = SIZE) -> TensorProto:
    return numpy_helper.from_array(RANDOM.standard_normal(size, dtype=np.float32), name)


def outside(tensor: TensorProto, folder: Path, location: str, offset: int = 0) -> TensorProto:
    """The tensor with its bytes in a file of ``folder``."""
    path, data = folder / location, tensor.raw_data
    before = path.read_bytes() if path.exists() else b""
    path.write_bytes(before[:offset].ljust(offset, b"\0") + data + before[offset + len(data) :])
    moved = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    moved.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", len(data))):
        moved.external_data.add(key=key, value=str(value))
    return moved


def model(*initializers: TensorProto, nodes=(), sparse=(), functions=()) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [], [], initializer=initializers)
    graph.sparse_initializer.extend(sparse)
    return helper.make_model(graph, functions=functions)


def constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [f"out_{tensor.name}"], value=tensor)


def everywhere(folder: Path) -> onnx.ModelProto:
    """Large tensors of every holder, some of them in two files already."""
    body = helper.make_graph([constant(weight("in_body"))], "b", [], [], [weight("of_body")])
    sparse = onnx.SparseTensorProto(dims=[SIZE])
    sparse.values.CopyFrom(outside(weight("sparse"), folder, "b.bin"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.arange(SIZE), "i"))
    return model(
        weight("inside"),
        weight("small", 4),
        outside(weight("far"), folder, "a.bin", 512),
        outside(weight("far_and_small", 4), folder, "a.bin", 256),
        numpy_helper.from_array(np.array(["t" * 2000]), "text"),
        nodes=[
            constant(outside(weight("far_constant"), folder, "b.bin", 4096)),
            helper.make_node("If", ["c"], ["r"], then_branch=body),
            helper.make_node("Own", [], [], domain="d", plain=weight("of_node")),
            helper.make_node(
                "Own", [], [], domain="d", far=outside(weight("far_of_node"), folder, "b.bin", 8192)
            ),
        ],
        sparse=[sparse],
        functions=[
            helper.make_function("d", "f", [], ["y"], [constant(weight("in_function"))], [])
        ],
    )


def values(made: onnx.ModelProto, folder: Path) -> dict[str, bytes]:
    """Every tensor by name, as its bytes, read by onnx."""
    found = {}
    for tensor, _ in iterate_tensors(made):
        copy = TensorProto()
        copy.CopyFrom(tensor)
        array = numpy_helper.to_array(copy, str(folder))
        found[tensor.name] = array.tobytes() if array.dtype != object else str(array).encode()
    return found


def external(made: onnx.ModelProto) -> dict[str, dict[str, str]]:
    return {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor, _ in iterate_tensors(made)
        if tensor.data_location == TensorProto.EXTERNAL
    }


def test_everything_goes_into_the_model(tmp_path) -> None:
    made = everywhere(tmp_path)
    before = values(made, tmp_path)
    assert not is_laid_out(made, None)
    fill_model(made, tmp_path)
    assert is_laid_out(made, None)
    assert external(made) == {}
    assert values(made, Path("/nowhere")) == before
    assert len(before) == 13


def test_large_tensors_go_into_one_file_and_small_and_sparse_ones_into_the_model(tmp_path) -> None:
    made = everywhere(tmp_path)
    before = values(made, tmp_path)
    target = tmp_path / "to"
    target.mkdir()
    assert not is_laid_out(made, "w.bin")
    size = fill_data_file(made, tmp_path, target / "w.bin")
    assert is_laid_out(made, "w.bin")
    assert values(made, target) == before
    assert size == (target / "w.bin").stat().st_size
    found = external(made)
    assert set(found) == {
        *("inside", "far", "far_constant", "in_body", "of_body", "in_function", "far_of_node")
    }
    for entries in found.values():
        assert entries["location"] == "w.bin"
        assert int(entries["offset"]) % 4096 == 0
        assert int(entries["length"]) == SIZE * 4


def test_tensors_of_a_mebibyte_start_where_windows_can_map_them(tmp_path) -> None:
    made = model(weight("a"), weight("b", 1 << 18))
    fill_data_file(made, tmp_path, tmp_path / "w.bin")
    assert external(made)["b"]["offset"] == "65536"


@pytest.mark.parametrize(
    "kind",
    [
        *("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "UINT16", "INT64", "UINT64", "BOOL"),
        *("COMPLEX64", "FLOAT8E4M3FN", "INT4", "UINT2"),
    ],
)
def test_values_in_fields_of_their_type_become_the_same_bytes(tmp_path, kind: str) -> None:
    # 8200 elements of a quarter of a byte are over the threshold too.
    number = TensorProto.DataType.Value(kind)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    written = np.zeros(8200, np.float32) + (np.arange(8200) % 2)
    tensor = helper.make_tensor("w", number, [8200], written.astype(dtype))
    assert not tensor.HasField("raw_data")
    expected = numpy_helper.to_array(tensor)
    made = model(tensor)
    fill_data_file(made, tmp_path, tmp_path / "w.bin")
    moved = made.graph.initializer[0]
    assert moved.data_location == TensorProto.EXTERNAL
    np.testing.assert_array_equal(numpy_helper.to_array(moved, str(tmp_path)), expected)


def test_what_shared_bytes_shares_them_again(tmp_path) -> None:
    tied = [outside(weight(name), tmp_path, "a.bin") for name in ("a", "b")]
    made = model(*tied)
    assert fill_data_file(made, tmp_path, tmp_path / "w.bin") == SIZE * 4
    assert len({entries["offset"] for entries in external(made).values()}) == 1


def test_a_length_that_is_not_told_is_that_of_the_shape(tmp_path) -> None:
    untold = outside(weight("w"), tmp_path, "a.bin")
    del untold.external_data[2]
    for fill in (fill_model, lambda made, at: fill_data_file(made, at, tmp_path / "w.bin")):
        made = model(untold)
        before = values(made, tmp_path)
        fill(made, tmp_path)
        assert values(made, tmp_path) == before


@pytest.mark.parametrize("length", [8, SIZE * 4])
def test_data_that_is_not_what_the_shape_takes_is_damage(tmp_path, length: int) -> None:
    damaged = outside(weight("w"), tmp_path, "a.bin")
    damaged.external_data[2].value = str(length)
    (tmp_path / "a.bin").write_bytes(bytes(9))
    with pytest.raises(ModelFileError, match=r"'w' is damaged: it takes 1,200 bytes, and .* [89]"):
        fill_model(model(damaged), tmp_path)
    with pytest.raises(ModelFileError, match=r"'w' is damaged"):
        fill_data_file(model(damaged), tmp_path, tmp_path / "w.bin")


def test_no_file_is_made_for_nothing(tmp_path) -> None:
    made = model(outside(weight("small", 4), tmp_path, "a.bin"), weight("inside", 4))
    assert fill_data_file(made, tmp_path, tmp_path / "w.bin") == 0
    assert not (tmp_path / "w.bin").exists()
    assert external(made) == {}


def test_more_than_a_message_can_hold_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    huge = outside(weight("w"), tmp_path, "a.bin")
    huge.dims[:] = [1 << 30]
    with pytest.raises(OutputError, match=r"takes 4\.29 GB, .* 2\.15 GB .*--external-data NAME"):
        fill_model(model(huge), tmp_path)
    monkeypatch.setattr(repacking, "LARGEST_MESSAGE", 1000)
    with pytest.raises(OutputError, match="Pass --external-data"):
        fill_model(model(outside(weight("w"), tmp_path, "a.bin")), tmp_path)
