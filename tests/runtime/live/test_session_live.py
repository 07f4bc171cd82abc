"""The three files of a live export, open; and what is none."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from exported import live_once

from locoexport.errors import LocoExportError, ModelFileError
from locoexport.runtime.live.session import open_live

ROLES = ("encoder", "query", "live")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for role in ROLES:
        shutil.copy(live_once().with_name(f"model.{role}.onnx"), tmp_path)
    return tmp_path / "model.onnx"


def changed(files: Path, role: str, change: Callable[[onnx.ModelProto], None]) -> None:
    path = files.with_name(f"model.{role}.onnx")
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


def dimensions(model: onnx.ModelProto, name: str) -> list[onnx.TensorShapeProto.Dimension]:
    found = next(each for each in (*model.graph.input, *model.graph.output) if each.name == name)
    return list(found.type.tensor_type.shape.dim)


def with_size(name: str, axis: int, size: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        dimensions(model, name)[axis].dim_value = size

    return change


def without_metadata(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def as_another(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        next(each for each in model.metadata_props if each.key == key).value = value

    return change


def renamed(model: onnx.ModelProto) -> None:
    next(each for each in model.graph.output if each.name == "next_memory").name = "other"
    for node in model.graph.node:
        node.output[:] = ["other" if name == "next_memory" else name for name in node.output]


def test_any_of_the_files_opens_all(files: Path) -> None:
    for role in ROLES:
        session = open_live(files.with_name(f"model.{role}.onnx"), threads=1)
        assert session.path.name == "model.live.onnx"
        assert session.resolution_hw == (64, 64)
        assert (session.window, session.fixed_points, session.fixed_batch) == (None, None, None)
        assert session.node_placement() == ()
        assert session.support_shapes["support_lowres"] == (49, 40)


def test_a_profile_tells_where_nodes_ran(files: Path, tmp_path: Path) -> None:
    session = open_live(files, threads=1, profile_prefix=tmp_path / "profile")
    session.encode(np.zeros((1, 1, 64, 64, 3), np.float32))
    assert dict(session.node_placement())["cpu"] > 10
    assert session.node_placement() == session.node_placement()


@pytest.mark.parametrize("role", ROLES)
def test_a_missing_neighbour_is_told(files: Path, role: str) -> None:
    files.with_name(f"model.{role}.onnx").unlink()
    with pytest.raises(ModelFileError, match=r"model"):
        open_live(files)


@pytest.mark.parametrize(
    ("role", "change"),
    [
        pytest.param("live", without_metadata, id="no metadata"),
        pytest.param("live", as_another("locoexport.part", "tracker"), id="another part"),
        pytest.param("query", as_another("locoexport.variant", "b5"), id="another variant"),
        pytest.param("live", as_another("locoexport.resolution", "9x9"), id="another size"),
        pytest.param("live", renamed, id="no memory comes out"),
        pytest.param("live", with_size("memory", 3, 10**9), id="a huge memory"),
        pytest.param("live", with_size("memory", 2, 10**9), id="a huge window"),
        pytest.param("live", with_size("memory", 0, 7), id="seven clips"),
        pytest.param("live", with_size("memory", 1, 10**12), id="a huge number of points"),
        pytest.param("encoder", with_size("video_input", 1, 24), id="many frames"),
        pytest.param("live", with_size("support_hires", 3, 10**9), id="a huge support"),
        pytest.param("query", with_size("support_hires", 3, 10**9), id="a huge support made"),
        pytest.param("query", with_size("grid_hires", 2, 5), id="a smaller grid taken"),
        pytest.param("encoder", with_size("grid_lowres", 4, 7), id="fewer channels made"),
    ],
)
def test_a_file_that_is_no_live_export_is_refused(
    files: Path, role: str, change: Callable[[onnx.ModelProto], None]
) -> None:
    changed(files, role, change)
    with pytest.raises(ModelFileError):
        open_live(files, threads=1)


@pytest.mark.parametrize("role", ROLES)
def test_a_file_that_is_cut_short_is_refused(files: Path, role: str) -> None:
    path = files.with_name(f"model.{role}.onnx")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(LocoExportError, match=role):
        open_live(files, threads=1)
