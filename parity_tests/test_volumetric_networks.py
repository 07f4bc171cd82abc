"""Networks that sample volumes, exported by torch and rewritten: the torch module is the oracle.

MONAI and voxelmorph are no dependency: ``pip install --no-deps monai==1.6.1 voxelmorph==0.3.4
neurite==0.3.4 nibabel einops pystrum`` runs their rows too.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper
from volumetric_exports import (
    ARCHITECTURES,
    EXPORTS,
    Architecture,
    Export,
    Sides,
    export,
    lacking,
    rewritten_apart,
    verdict,
)

from locoexport.lowering.volumetric.grid_sample import Lowering

BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}
STATIC, OPEN = Export(dynamo=False, opset=20, open=False), Export(dynamo=False, opset=20, open=True)
TARGETS = (None, 16, 17)


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", EXPORTS, ids=str)
@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.filterwarnings("ignore")  # torch's exporters' own
def test_an_architecture_is_what_torch_computes(name: str, how: Export, tmp_path: Path) -> None:
    architecture = BY_NAME[name]
    if reason := lacking(architecture):
        pytest.skip(reason)
    model = export(architecture, how, tmp_path / "model.onnx")
    assert samples_volumes(model)
    found = [
        verdict(architecture, how, model, to, target)
        for to in ("gather", "planar")
        for target in TARGETS
    ]
    assert [one for one in found if one.fault] == []
    assert {one.outcome for one in found} == {"right"}


@pytest.mark.parametrize(
    ("name", "to", "target"),
    [("face-vid2vid style", "gather", 17), ("voxel radiance field", "planar", 16)],
)
@pytest.mark.filterwarnings("ignore")
def test_an_export_with_open_axes_comes_down(
    name: str, to: Lowering, target: int, tmp_path: Path
) -> None:
    """One rewrite for each kind: average pooling above opset 18, volumes that are weights."""
    architecture = BY_NAME[name]
    model = export(architecture, OPEN, tmp_path / "model.onnx")
    found = verdict(architecture, OPEN, model, to, target)
    assert found.outcome == "right", found


@pytest.mark.filterwarnings("ignore")
def test_another_result_is_told_from_rounding(tmp_path: Path) -> None:
    """The comparison can fail: an output that is 1e-4 off is not right."""
    architecture = BY_NAME["voxel radiance field"]
    model = export(architecture, STATIC, tmp_path / "model.onnx")
    spoiled = onnx.ModelProto()
    spoiled.CopyFrom(model)
    output = spoiled.graph.output[0].name
    (last,) = [node for node in spoiled.graph.node if output in node.output]
    last.output[0] = "before"
    spoiled.graph.initializer.append(helper.make_tensor("off", 1, [], [1.0001]))
    spoiled.graph.node.append(helper.make_node("Mul", ["before", "off"], [output]))
    (sides,) = rewritten_apart(architecture, STATIC, model, spoiled)
    assert isinstance(sides, Sides)
    assert sides.exported < 1e-5
    assert not sides.right


def test_what_is_not_installed_is_said() -> None:
    absent = Architecture("absent", lambda: None, lambda _: (), (1,), (), (), "no_such_package")  # type: ignore[arg-type,return-value]
    assert lacking(absent) == "no_such_package is not installed"


def samples_volumes(model: onnx.ModelProto) -> bool:
    graphs = [model.graph.node, *(function.node for function in model.functions)]
    return any(node.op_type == "GridSample" for nodes in graphs for node in nodes)
