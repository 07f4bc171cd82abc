"""Where a rewritten model's weights are put: whole, or not at all, and never over what was read."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from locoexport.errors import OutputError, UsageError
from locoexport.pipeline.rewrite import rewrite_here
from locoexport.pipeline.rewriting.destination import layout_to_make, original_place, write_whole
from locoexport.pipeline.rewriting.report import RewriteReport
from locoexport.pipeline.rewriting.request import DataLayout, RewriteRequest

WEIGHTS = np.random.default_rng(2).standard_normal((2, 400), dtype=np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model with two weights, in two files."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "a"], ["s"]), helper.make_node("Mul", ["s", "b"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [400])],
        [value("y", TensorProto.FLOAT, [400])],
        [numpy_helper.from_array(array, name) for array, name in zip(WEIGHTS, "ab", strict=True)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = tmp_path / "from"
    folder.mkdir()
    onnx.save_model(
        made, folder / "in.onnx", save_as_external_data=True, all_tensors_to_one_file=False
    )
    return folder / "in.onnx"


def write(source: Path, output: Path, wanted: DataLayout, *, force: bool = False) -> RewriteReport:
    report, files = rewrite_here(source, RewriteRequest())
    layout = layout_to_make(report, wanted)
    assert original_place(source, files).exists()
    with write_whole(report, source, output, files, layout, force=force) as (draft, written):
        assert draft.exists()
        assert not any(data.path.exists() for data in written.data_files) or force
    return written


def result(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.zeros(400, np.float32)})[0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("wanted", [DataLayout(single_file=True), DataLayout(external_data="w")])
def test_weights_are_put_where_they_are_wanted(source, tmp_path, wanted, elsewhere: bool) -> None:
    folder = tmp_path if elsewhere else source.parent
    before = names(folder)
    written = write(source, folder / "out.onnx", wanted)
    data = [wanted.external_data] if wanted.external_data else []
    assert names(folder) == sorted([*before, "out.onnx", *data])
    assert [(file.path, file.size_bytes) for file in written.data_files] == [
        (folder / name, (folder / name).stat().st_size) for name in data
    ]
    np.testing.assert_array_equal(result(folder / "out.onnx"), WEIGHTS[0] * WEIGHTS[1])


def test_what_lies_as_wanted_already_is_left(source, tmp_path) -> None:
    write(source, tmp_path / "one.onnx", DataLayout(external_data="w"))
    report, _ = rewrite_here(tmp_path / "one.onnx", RewriteRequest())
    assert layout_to_make(report, DataLayout(external_data="w")) == DataLayout()
    assert layout_to_make(report, DataLayout(external_data="v")) == DataLayout(external_data="v")
    assert layout_to_make(report, DataLayout(single_file=True)) == DataLayout(single_file=True)


def test_nothing_that_was_read_is_replaced(source) -> None:
    for name, what in (("a", "external data"), ("in.onnx", "the model")):
        with pytest.raises(OutputError, match=rf"is {what}|is the model's {what}"):
            write(source, source.with_name("o.onnx"), DataLayout(external_data=name), force=True)
    assert names(source.parent) == ["a", "b", "in.onnx"]


def test_what_is_there_is_replaced_only_by_force(source, tmp_path) -> None:
    (tmp_path / "w").write_bytes(b"another's")
    with pytest.raises(OutputError, match="exists already; pass --force"):
        write(source, tmp_path / "out.onnx", DataLayout(external_data="w"))
    assert names(tmp_path) == ["from", "w"]
    write(source, tmp_path / "out.onnx", DataLayout(external_data="w"), force=True)
    np.testing.assert_array_equal(result(tmp_path / "out.onnx"), WEIGHTS[0] * WEIGHTS[1])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_data_never_lies_apart_from_a_model_that_is_written_through_a_link(
    source, tmp_path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out.onnx").symlink_to("real/out.onnx")
    with pytest.raises(OutputError, match=r"is a link to .*pass --single-file"):
        write(source, tmp_path / "out.onnx", DataLayout(external_data="w"))
    write(source, tmp_path / "out.onnx", DataLayout(single_file=True))
    assert names(tmp_path / "real") == ["out.onnx"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\\b", "C:a", "a\nb", "a\0b"])
def test_a_name_that_is_no_plain_file_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected the plain name of a file"):
        DataLayout(external_data=name)


def test_the_outputs_own_name_is_refused_whatever_its_case() -> None:
    for name in ("out.onnx", "OUT.onnx"):
        with pytest.raises(UsageError, match="is the output's own name"):
            DataLayout(external_data=name).check_apart(Path("folder/out.onnx"))
