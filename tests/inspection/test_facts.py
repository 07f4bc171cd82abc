"""What a file says of itself, and what is no file of ours to inspect."""

from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from locoexport.errors import ModelFileError
from locoexport.graphs.reading import read_model
from locoexport.inspection.facts import Port, inspect_model
from locoexport.inspection.parts import UNATTRIBUTED, Part

_GRAPH = """
<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1], producer_name: "someone">
g (float[n,4] x, bool c) => (float[n,k] y)
<float[4,3] "head.weight" = {1,2,3,4,5,6,7,8,9,10,11,12}, int64[1] axis = {0}>
{
  a = MatMul(x, "head.weight")
  b = If(c) <
    then_branch = t () => (float[n,k] r) { r = Relu(a) },
    else_branch = e () => (float[n,k] s) { s = com.microsoft.Gelu(a) }
  >
  y = Identity(b)
}
"""


def model() -> onnx.ModelProto:
    text = _GRAPH.replace('"head.weight"', "head_weight")
    parsed = onnx.parser.parse_model(text)
    parsed.metadata_props.add(key="author", value="them")
    return parsed


def test_facts_of_a_foreign_file() -> None:
    facts = inspect_model(model(), {"n": 2})
    assert facts.opsets == {"ai.onnx": 17, "com.microsoft": 1}
    assert (facts.ir_version, facts.producer) == (8, "someone")
    assert facts.inputs == (Port("x", "float32", ("n", 4)), Port("c", "bool", ()))
    assert facts.dynamic_axes == ("n",)
    assert facts.metadata == {"author": "them"}
    assert facts.operators == {
        "MatMul": 1,
        "If": 1,
        "Identity": 1,
        "Relu": 1,
        "com.microsoft::Gelu": 1,
    }
    assert facts.parameters.total == 12
    assert facts.parameters.by_part == {UNATTRIBUTED: 12}
    assert facts.costs.flops.total == 2 * 2 * 4 * 3


def test_sizes_left_open_are_named_and_counted() -> None:
    costs = inspect_model(model(), {}).costs
    assert costs.unbound == ("n",)
    assert costs.flops.unresolved == ("MatMul → a",)
    assert len(costs.unresolved) == costs.nodes == 5


def test_weights_listed_among_the_inputs_are_weights() -> None:
    """As files of IR version 3 do."""
    old = model()
    old.graph.input.append(
        onnx.helper.make_tensor_value_info("head_weight", onnx.TensorProto.FLOAT, [4, 3])
    )
    assert [port.name for port in inspect_model(old, {}).inputs] == ["x", "c"]


def test_weights_that_lie_elsewhere_are_counted_without_being_read(tmp_path: Path) -> None:
    stored = model()
    weight = stored.graph.initializer[0]
    # Only raw bytes are ever put elsewhere.
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.save(
        stored,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    (tmp_path / "weights.bin").unlink()
    facts = inspect_model(read_model(tmp_path / "m.onnx"), {"n": 2})
    assert facts.external_files == ("weights.bin",)
    assert facts.parameters.total == 12
    assert facts.costs.flops.total == 2 * 2 * 4 * 3
    assert not any(finding.rule == "valid" for finding in facts.findings)


def test_parts_of_parameters_of_a_tracker() -> None:
    ours = model()
    ours.graph.node[0].name = "/refinement_0/torch_pips_mixer/input_proj/MatMul"
    assert inspect_model(ours, {}).parameters.by_part == {Part("transformer"): 12}


@pytest.mark.parametrize(
    "content", [b"", b"hello, this is no model\n", bytes(range(256)) * 8, b"\x08\x08"]
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"m\.onnx") as caught:
        read_model(path)
    assert caught.value.exit_code == 2


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    whole = model().SerializeToString()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="There is no model file"):
        read_model(tmp_path / "none.onnx")
