"""Types that the file does not state: found, asked of ONNX Runtime, or assumed by the user."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, parser
from sampling_graphs import TOLERANCE, run

from locoexport.errors import GraphCheckFailedError, UsageError
from locoexport.graphs.values.deduced_types import types_in
from locoexport.notices import Notice
from locoexport.pipeline.rewrite import rewrite
from locoexport.pipeline.rewriting.known_types import (
    parse_assumed,
    with_known_types,
    with_stated_types,
)
from locoexport.rendering.rewrite import rewrite_document

FLOAT = TensorProto.FLOAT
node = helper.make_node
VOLUME, GRID = (1, 2, 3, 4, 5), (1, 2, 3, 2, 3)


def foreign(taken: str, made: str, op_type: str = "Plugin", domain: str = "acme") -> onnx.NodeProto:
    return node(op_type, [taken], [made], domain=domain)


def model_of(nodes: Sequence[onnx.NodeProto]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info("x", FLOAT, VOLUME),
            helper.make_tensor_value_info("g", FLOAT, GRID),
        ],
        [onnx.ValueInfoProto(name="y")],
    )
    imports = [helper.make_opsetid(*pair) for pair in (("", 20), ("com.microsoft", 1), ("acme", 1))]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def between_plugins() -> onnx.ModelProto:
    sample = node("GridSample", ["v", "w"], ["s"], name="sample")
    return model_of([foreign("x", "v"), foreign("g", "w"), sample, foreign("s", "y")])


def refusal(model: onnx.ModelProto, assumed: Mapping[str, str]) -> str:
    with pytest.raises((GraphCheckFailedError, UsageError)) as caught:
        rewrite(model, assumed_types=assumed)
    return str(caught.value)


@pytest.mark.parametrize(("to", "opset"), [("gather", None), ("planar", 17)])
def test_between_operators_of_onnxruntime_everything_is_proven(to: str, opset: int | None) -> None:
    gelu = "com.microsoft"
    model = model_of(
        [
            foreign("x", "v", "Gelu", gelu),
            node("GridSample", ["v", "g"], ["s"]),
            foreign("s", "y", "Gelu", gelu),
        ]
    )
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, None))
    notices: list[Notice] = []
    report = rewrite(model, to=to, opset=opset, notify=notices.append)
    assert report.unproven == ()
    assert any("com.microsoft::Gelu" in n.text and n.warning for n in notices)
    random = np.random.default_rng(0)
    inputs = {
        "x": random.standard_normal(VOLUME).astype(np.float32),
        "g": random.uniform(-1.3, 1.3, GRID).astype(np.float32),
    }
    (expected,), (found,) = run(model, **inputs), run(report.model, **inputs)
    assert np.abs(expected - found).max() < TOLERANCE


def test_a_type_that_is_known_downstream_needs_no_assumption() -> None:
    nodes = [
        foreign("x", "v"),
        node("GridSample", ["v", "g"], ["s"]),
        node("Add", ["s", "x"], ["y"]),
    ]
    report = rewrite(model_of(nodes))
    assert "float (1, ?, ?, ?, ?)" in report.rewritten[0].before
    assert report.assumed == ()


def test_a_deduced_type_that_the_opset_lacks_is_refused() -> None:
    half = helper.make_tensor("half", TensorProto.FLOAT16, [1], [1.0])
    nodes = [foreign("x", "v"), node("Add", ["v", "half"], ["a"]), node("IsInf", ["v"], ["y"])]
    model = model_of(nodes)
    model.graph.initializer.append(half)
    with pytest.raises(GraphCheckFailedError, match=r"IsInf: tensor\(float16\) is newer"):
        rewrite(model, opset=17)


def test_a_refusal_names_the_operator_and_what_to_type() -> None:
    told = refusal(between_plugins(), {})
    assert "'v' is made by acme::Plugin" in told
    assert "--assume-type 'v=float32[?,?,?,?,?]'" in told
    told = refusal(between_plugins(), {"v": "float32[?,?,?,?,?]"})
    assert "its grid 'w' is made by acme::Plugin" in told
    assert "--assume-type w=float32 (in Python: assumed_types={'w': 'float32'})" in told


def test_assumed_types_are_used_and_told() -> None:
    report = rewrite(
        between_plugins(), opset=17, assumed_types={"v": "fp16[1,2,?,4,4]", "w": "float"}
    )
    assert "float16 (1, 2, ?, 4, 4)" in report.rewritten[0].before
    assert report.assumed == (("v", "float16[1,2,?,4,4]"), ("w", "float32"))
    assert rewrite_document(report)["assumed"] == {"v": "float16[1,2,?,4,4]", "w": "float32"}
    assert report.unproven == ()


@pytest.mark.parametrize(
    ("assumed", "words"),
    [
        ({"vv": "float32"}, "has no value 'vv'. Did you mean v?"),
        ({"x": "float16"}, "'x' is float32"),
        ({"x": "float32[?,?]"}, "'x' is of rank 5"),
        ({"v": "flot32"}, "expected one of float32, float64"),
        ({"v": "float32[a]"}, "such as float32[1,8,?,?,?]"),
    ],
)
def test_an_assumption_that_cannot_be_is_refused(assumed: dict[str, str], words: str) -> None:
    assert words in refusal(between_plugins(), assumed)


def test_an_assumption_that_is_known_already_is_not_told() -> None:
    model = model_of([node("GridSample", ["x", "g"], ["y"])])
    assert rewrite(model, assumed_types={"x": "float32"}).assumed == ()


@pytest.mark.parametrize("written", ["float32", "FLOAT", "fp32", "Float"])
def test_common_spellings_are_one_type(written: str) -> None:
    assert str(parse_assumed({"v": written})["v"]) == "float32"


def test_nodes_of_the_long_domain_and_sparse_constants_are_lowered() -> None:
    values = onnx.numpy_helper.from_array(np.array([1.0], np.float32), "bias")
    indices = onnx.numpy_helper.from_array(np.array([7]))
    sparse = helper.make_sparse_tensor(values, indices, VOLUME)
    nodes = [
        node("Constant", [], ["constant"], sparse_value=sparse),
        node("Add", ["x", "bias"], ["a"], domain="ai.onnx"),
        node("Add", ["a", "constant"], ["v"]),
        node("GridSample", ["v", "g"], ["y"], domain="ai.onnx"),
    ]
    model = model_of(nodes)
    model.graph.sparse_initializer.append(sparse)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, None))
    report = rewrite(model, to="planar", opset=17)
    assert report.unproven == ()
    assert report.model.graph.sparse_initializer[0] == sparse
    assert report.model.graph.node[0] == nodes[0]


@pytest.mark.parametrize(("to", "lowest"), [("gather", 13), ("planar", 16)])
def test_an_opset_without_the_operators_to_write_is_refused(to: str, lowest: int) -> None:
    model = model_of([node("GridSample", ["x", "g"], ["y"])])
    model.opset_import[0].version = lowest - 1
    with pytest.raises(GraphCheckFailedError, match=f"needs opset {lowest}"):
        rewrite(model, to=to)
    model.opset_import[0].version = lowest
    assert rewrite(model, to=to, check=False).changed


def test_what_was_known_is_stated_once_and_only_where_nothing_is() -> None:
    known = model_of([foreign("x", "v"), foreign("v", "y")])
    for name, kind in (("v", FLOAT), ("x", TensorProto.INT64)):
        known.graph.value_info.add(name=name).type.CopyFrom(
            helper.make_tensor_type_proto(kind, [3])
        )
    bare = model_of([foreign("x", "v"), foreign("v", "y")])
    stated = with_stated_types(bare, None, {}, known).graph
    assert [(value.name, value.type.tensor_type.elem_type) for value in stated.value_info] == [
        ("v", FLOAT)
    ]
    assert stated.input[0].type == bare.graph.input[0].type


def test_what_is_known_in_one_branch_is_not_told_in_another() -> None:
    model = parser.parse_model("""<ir_version: 10, opset_import: ["" : 20, "acme" : 1]>
        g (float[n, 3] x, bool c) => (y) {
            y = If <
                then_branch = yes () => (t) { h = Cast <to = 10> (x) t = Relu(h) },
                else_branch = no () => (e) { h = acme.Plugin(x) e = acme.Plugin(h) }
            > (c)
        }""")
    known = with_known_types(model, None, {})
    stated = with_stated_types(model, None, {}, known).graph
    bodies = {attribute.g.name: types_in(attribute.g) for attribute in stated.node[0].attribute}
    assert bodies["yes"]["t"].tensor_type.elem_type == TensorProto.FLOAT16
    assert "h" not in bodies["no"]


@pytest.mark.parametrize("given", ["float[b, s, 32] x", "float[b, 4, s, 8] x"])
def test_what_is_inside_a_body_that_a_pass_wrote_has_a_rank_for_its_proof(given: str) -> None:
    model = parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 23]>
        g ({given}, float[64, 4] c, float[64, 4] d, int64[b, s] p) => (y) {{
            y = RotaryEmbedding <num_heads = 4> (x, c, d, p)
        }}""")
    report = rewrite(model, opset=17)
    assert report.passed
    assert {row.node: row.unproven for row in report.unproven} == {}


def test_a_node_that_reads_a_sequence_is_not_proven_and_says_so() -> None:
    model = parser.parse_model("""<ir_version: 10, opset_import: ["" : 23]>
        g (float[n, 3] x, int64 i) => (y) {
            s = SequenceConstruct (x, x, x)
            t = Identity (s)
            y = SequenceAt (t, i)
        }""")
    report = rewrite(model, opset=17)
    (row,) = report.unproven
    assert "Identity" in row.node
    assert row.unproven.startswith("it reads a sequence ('s')")
    assert row.proof is None
