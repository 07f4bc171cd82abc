"""Weights in other files: found, checked, read where they are small, and carried along."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from locoexport.errors import ModelFileError, OutputError
from locoexport.graphs.weights.external_data import (
    check_external_files,
    has_external_data,
    staging_folder,
    with_small_tensors,
)


def external(name: str, size: int = 2, **entries: object) -> TensorProto:
    """``size`` float32 values that lie in another file, as the entries tell."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[size])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def model(*initializers: TensorProto, nodes=(), functions=()) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [], [], initializer=initializers)
    return helper.make_model(graph, functions=functions)


def constant(output: str, tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [output], value=tensor)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with 16 bytes of weights in it."""
    (tmp_path / "weights.bin").write_bytes(np.array([1, 2, 3, 4], np.float32).tobytes())
    return tmp_path


def test_a_model_that_holds_its_weights_needs_no_file(tmp_path) -> None:
    inside = model(numpy_helper.from_array(np.zeros(2, np.float32), "w"))
    assert not has_external_data(inside)
    assert check_external_files(inside, tmp_path) == ()
    assert with_small_tensors(inside, tmp_path) is inside


def test_two_tensors_in_one_file_name_it_once(folder) -> None:
    both = model(
        external("a", location="weights.bin", offset=0, length=8),
        external("b", location="weights.bin", offset=8, length=8),
    )
    assert has_external_data(both)
    assert check_external_files(both, folder) == ("weights.bin",)


HIDDEN = external("w", location="weights.bin", offset=0, length=8)
BODY = helper.make_graph([], "body", [], [], initializer=[HIDDEN])
FUNCTION = helper.make_function("d", "f", [], ["y"], [constant("y", HIDDEN)], [])


def sparse(part: str) -> onnx.ModelProto:
    """A model with a sparse initializer whose values or indices lie in another file."""
    made = model()
    getattr(made.graph.sparse_initializer.add(dims=[9]), part).CopyFrom(HIDDEN)
    return made


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(model(nodes=[constant("y", HIDDEN)]), id="attribute"),
        pytest.param(model(nodes=[helper.make_node("N", [], [], all=[HIDDEN])]), id="attributes"),
        pytest.param(model(nodes=[helper.make_node("If", [], [], then=BODY)]), id="body"),
        pytest.param(model(nodes=[helper.make_node("N", [], [], all=[BODY])]), id="bodies"),
        pytest.param(model(functions=[FUNCTION]), id="function"),
        pytest.param(sparse("values"), id="sparse values"),
        pytest.param(sparse("indices"), id="sparse indices"),
    ],
)
def test_tensors_are_found_wherever_they_lie(folder, made: onnx.ModelProto) -> None:
    assert check_external_files(made, folder) == ("weights.bin",)
    (folder / "weights.bin").unlink()
    with pytest.raises(ModelFileError, match=r"weights\.bin is missing"):
        check_external_files(made, folder)


def test_a_file_that_ends_before_the_last_tensor_is_too_short(folder) -> None:
    # The one that reaches furthest counts, in whatever order they stand.
    far = external("far", location="weights.bin", offset=12, length=8)
    near = external("near", location="weights.bin", offset=0, length=4)
    for tensors in ((far, near), (near, far)):
        with pytest.raises(ModelFileError, match=r"has 16 bytes, and the model refers to 20"):
            check_external_files(model(*tensors), folder)


def test_an_offset_that_is_no_number_is_damage(folder) -> None:
    damaged = external("w", location="weights.bin", offset="eight", length=8)
    with pytest.raises(ModelFileError, match="'w' is damaged"):
        check_external_files(model(damaged), folder)


@pytest.mark.parametrize("location", ["", "/etc/passwd", "../weights.bin", "a/../../weights.bin"])
def test_a_name_that_leaves_the_folder_is_refused(folder, location: str) -> None:
    inside = folder / "models"
    (inside / "a").mkdir(parents=True)
    leaving = model(external("w", location=location, offset=0, length=8))
    with pytest.raises(ModelFileError, match="outside its folder"):
        check_external_files(leaving, inside)


def test_small_tensors_are_read_at_their_offset_into_a_copy(folder) -> None:
    (folder / "large.bin").write_bytes(bytes(65540))
    original = model(
        external("small", location="weights.bin", offset=8, length=8),
        external("large", 16385, location="large.bin", offset=0, length=65540),
    )
    before = original.SerializeToString()
    small, large = with_small_tensors(original, folder).graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(small), [3, 4])
    assert (small.data_location, len(small.external_data)) == (TensorProto.DEFAULT, 0)
    assert large == original.graph.initializer[1]
    assert original.SerializeToString() == before
    assert with_small_tensors(original, None) is original


def test_a_tensor_that_tells_no_length_is_left_where_it_is(folder) -> None:
    untold = model(external("w", 4, location="weights.bin"))
    assert with_small_tensors(untold, folder) == untold


def test_model_and_data_appear_together_in_another_folder(folder, tmp_path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "bias.bin").write_bytes(b"bias")
    target = tmp_path / "out"
    (target / "more").mkdir(parents=True)
    locations = ("weights.bin", "more/bias.bin")
    with staging_folder(target / "m.onnx", folder, locations, force=False) as draft:
        assert draft.name == "m.onnx"
        assert (draft.parent / "weights.bin").stat().st_size == 16
        assert (draft.parent / "more" / "bias.bin").read_bytes() == b"bias"
        assert names(target) == {draft.parent.parent.name, "more"}  # nothing in place yet
        draft.write_bytes(b"model")
    assert names(target) == {"m.onnx", "weights.bin", "more"}
    assert (target / "m.onnx").read_bytes() == b"model"
    assert (target / "weights.bin").read_bytes() == (folder / "weights.bin").read_bytes()
    assert (target / "more" / "bias.bin").read_bytes() == b"bias"


def test_nothing_is_left_behind_after_a_failure(folder, tmp_path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "m.onnx").write_bytes(b"old")
    (target / "weights.bin").write_bytes(b"old data")

    def fail(error: BaseException) -> None:
        locations = ("weights.bin",)
        with staging_folder(target / "m.onnx", folder, locations, force=True) as draft:
            draft.write_bytes(b"half")
            raise error

    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt())
    with pytest.raises(OutputError, match=r"Cannot write .*m\.onnx: No space left"):
        fail(OSError(28, "No space left"))
    assert names(target) == {"m.onnx", "weights.bin"}
    assert (target / "m.onnx").read_bytes() == b"old"
    assert (target / "weights.bin").read_bytes() == b"old data"


def test_a_link_stays_and_the_file_behind_it_is_replaced(folder) -> None:
    (folder / "real.onnx").write_bytes(b"old")
    (folder / "m.onnx").symlink_to("real.onnx")
    with staging_folder(folder / "m.onnx", folder, (), force=True) as draft:
        draft.write_bytes(b"new")
    assert (folder / "m.onnx").is_symlink()
    assert (folder / "real.onnx").read_bytes() == b"new"


def test_data_that_is_there_already_stays_without_force(folder, tmp_path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "weights.bin").write_bytes(b"another model's")

    def stage(force: bool) -> None:
        locations = ("weights.bin",)
        with staging_folder(target / "m.onnx", folder, locations, force=force) as draft:
            draft.write_bytes(b"model")

    with pytest.raises(OutputError, match="exists already; pass --force"):
        stage(force=False)
    assert names(target) == {"weights.bin"}
    assert (target / "weights.bin").read_bytes() == b"another model's"
    stage(force=True)
    assert (target / "weights.bin").stat().st_size == 16


def test_a_data_folder_that_does_not_exist_is_never_made(folder, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(OutputError, match=r"that folder does not exist; make it first \(mkdir -p"),
        staging_folder(tmp_path / "out" / "m.onnx", folder, ("more/b.bin",), force=True),
    ):
        raise AssertionError("the block must not run")
    assert names(tmp_path / "out") == set()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
