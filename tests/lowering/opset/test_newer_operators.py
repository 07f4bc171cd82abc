"""Operators newer than the opset that is wanted: written in older ones, and proven."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, parser
from sampling_graphs import make_model, run
from torch import Tensor, nn

import locoexport
from locoexport.errors import GraphCheckFailedError, UsageError
from locoexport.graphs.walking import iterate_nodes
from locoexport.lowering.opset import own_bodies as newer_bodies
from locoexport.pipeline.rewrite import RewriteFailedError

FLOATS = {"float": np.float32, "float16": np.float16, "double": np.float64}
ALLOWED = {"float": 2e-6, "float16": 4e-3, "double": 1e-13}


def graph(text: str, opset: int) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}]> {text}')


def op_types(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in iterate_nodes(model)]


def normal(*shape: int, dtype: type = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def lowered(model: onnx.ModelProto, target: int, **inputs: np.ndarray) -> onnx.ModelProto:
    """The model at ``target``, valid and equal on these inputs; every row proven."""
    report = locoexport.rewrite(model, opset=target)
    assert report.passed
    assert report.unproven == ()
    assert [entry.version for entry in report.model.opset_import if not entry.domain] == [target]
    onnx.checker.check_model(report.model, full_check=True)
    for expected, found in zip(run(model, **inputs), run(report.model, **inputs), strict=True):
        assert found.dtype == expected.dtype
        kind = {np.dtype(value): name for name, value in FLOATS.items()}[expected.dtype]
        np.testing.assert_allclose(found, expected, atol=ALLOWED[kind], rtol=1e-5)
    return report.model


NORMALISATIONS = {
    "last": "y = LayerNormalization <epsilon = 0.001> (x, s, b)",
    "two axes": "y = LayerNormalization <axis = -2> (x, s, b)",
    "counted from the front": "y = LayerNormalization <axis = 1> (x, s)",
    "with its statistics": "y, mean, scale = LayerNormalization (x, s, b)",
    "scale alone": "y, , scale = LayerNormalization (x, s, b)",
}


@pytest.mark.parametrize("kind", ["float", "float16"])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate, kind):
    text = (
        f'g ({kind}[n,3,d] x) => ({kind}[n,3,d] y) {{ y = Gelu<approximate="{approximate}">(x) }}'
    )
    x = np.linspace(-9, 9, 300).reshape(10, 3, 10).astype(FLOATS[kind])
    model = lowered(graph(text, 20), 17, x=x)
    assert ("Erf" if approximate == "none" else "Tanh") in op_types(model)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_in_double_is_proven_where_it_can_be_run(approximate):
    """ONNX Runtime has no Erf in double."""
    text = f'g (double[n] x) => (double[n] y) {{ y = Gelu <approximate = "{approximate}"> (x) }}'
    (row,) = locoexport.rewrite(graph(text, 20), opset=17).rewritten[:1]
    assert row.proof.passed
    assert row.proof.runtime == ("ONNX reference" if approximate == "none" else "ONNX Runtime CPU")


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("opset", [17, 20, 22])
@pytest.mark.parametrize("body", NORMALISATIONS)
def test_layer_normalization(body, opset, kind):
    outputs = {"mean": "float[?,?,?] mean", "scale": "float[?,?,?] scale"}
    told = "".join(f", {outputs[name]}" for name in outputs if f" {name}" in NORMALISATIONS[body])
    text = (
        f"g ({kind}[n,3,5] x, {kind}[5] s, {kind}[5] b) => ({kind}[?,?,?] y{told}) "
        f"{{ {NORMALISATIONS[body]} }}"
    )
    dtype = FLOATS[kind]
    inputs = {"x": normal(4, 3, 5, dtype=dtype), "s": normal(5, dtype=dtype, seed=1)}
    model = graph(text, opset)
    inputs["b"] = normal(5, dtype=dtype, seed=2)
    lowered(model, 16, **inputs)


def test_a_large_mean_does_not_cancel():
    """The schema's own body takes E[x²] - E[x]²: it is off by tenths here."""
    text = "g (float[n,64] x, float[64] s) => (float[?,?] y) { y = LayerNormalization (x, s) }"
    x = (normal(50, 64) + np.float32(3000)).astype(np.float32)
    model = locoexport.rewrite(graph(text, 17), opset=16).model
    wide = x.astype(np.float64)
    centred = wide - wide.mean(1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    found = run(model, x=x, s=np.ones(64, np.float32))[0]
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize(("opset", "scales", "target"), [(21, 6, 18), (22, 6, 16), (18, 3, 17)])
def test_group_normalization(opset, scales, target):
    """A scale for each channel since 21, one for each group at 18."""
    text = (
        f"g (float[n,6,h,w] x, float[{scales}] s, float[{scales}] b) => (float[?,?,?,?] y) "
        "{ y = GroupNormalization <num_groups = 3, epsilon = 0.01> (x, s, b) }"
    )
    inputs = {"s": normal(scales, seed=1), "b": normal(scales, seed=2)}
    lowered(graph(text, opset), target, x=normal(2, 6, 4, 5), **inputs)


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("y = Mish (x)", 18),
        ("y = Mish (x)", 22),
        ("y = RMSNormalization <axis = -2> (x, s)", 23),
        ("y = Swish <alpha = 1.5> (x)", 24),
    ],
)
def test_others_of_one_input(body, opset):
    text = f"g (float[n,4,5] x, float[4,5] s) => (float[?,?,?] y) {{ {body} }}"
    lowered(graph(text, opset), 16, x=normal(3, 4, 5), s=normal(4, 5, seed=1))


@pytest.mark.parametrize("window", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
def test_windows(window, periodic):
    text = f"""g (float x) => (float[?] y) <int64 size = {{12}}> {{
        w = {window} <periodic = {periodic}> (size) y = Mul (w, x) }}"""
    lowered(graph(text, 17), 16, x=np.array(2, np.float32))


SIZES = [(2, 3, 4, 5), (1, 3, 4, 5), (2, 1, 1, 5), (2, 3, 4, 5, 3), (1, 3, 1, 5, 1)]


@pytest.mark.parametrize("known", [True, False], ids=["constant size", "computed size"])
@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_affine_grid(size, aligned, known):
    """ONNX's own body of it fails for a batch of one image."""
    axes = len(size) - 2
    listed = ",".join(map(str, size))
    given = f"<int64[{len(size)}] size = {{{listed}}}>" if known else ""
    taken = "" if known else f", int64[{len(size)}] size"
    text = (
        f"g (float[n,{axes},{axes + 1}] theta{taken}) => (float[{'?,' * axes}"
        f"?,?] grid) {given} {{ grid = AffineGrid <align_corners = {aligned}> (theta, size) }}"
    )
    inputs = {"theta": normal(size[0], axes, axes + 1)}
    if not known:
        inputs["size"] = np.array(size)
    model = lowered(graph(text, 20), 17, **inputs)
    assert "AffineGrid" not in op_types(model)


@pytest.mark.parametrize(("axis", "known"), [(1, True), (-1, True), (1, False), (-2, False)])
def test_split_into_parts(axis, known):
    sizes = "5,7" if known else "n,m"
    text = (
        f"g (float[{sizes}] x) => (float[?,?] a, float[?,?] b, float[?,?] c) "
        f"{{ a, b, c = Split <num_outputs = 3, axis = {axis}> (x) }}"
    )
    model = lowered(graph(text, 20), 17, x=normal(5, 7))
    (split,) = [node for node in model.graph.node if node.op_type == "Split"]
    assert [attribute.name for attribute in split.attribute] == ["axis"]
    assert len(split.input) == 2


def test_a_split_with_sizes_is_left():
    text = """g (float[n,7] x) => (float[?,?] a, float[?,?] b) <int64[2] sizes = {3, 4}>
        { a, b = Split <axis = 1> (x, sizes) }"""
    model = graph(text, 20)
    report = locoexport.rewrite(model, opset=17)
    assert [row.pass_name for row in report.rewritten] == ["opset"]


def test_the_axis_of_a_fourier_transform_is_an_attribute_again():
    text = """g (float[2,8,6,1] x) => (float[?,?,?,?] y, float[?,?,?,?] z) <int64 axis = {2}> {
        y = DFT (x, , axis) z = DFT <onesided = 1> (x) }"""
    lowered(graph(text, 20), 17, x=normal(2, 8, 6, 1))


def test_in_bodies_and_functions():
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["": 20, "local": 1]>
        g (float[2,5] x, bool which) => (float[?,?] y) {
           outer = Neg (x)
           a = If (which) <
              then_branch = yes () => (float[2,5] p) { p = Gelu (outer) },
              else_branch = no () => (float[2,5] q) { q = local.Twice (outer) }
           >
           y = local.Twice (a)
        }
        <domain: "local", opset_import: ["": 20]>
        Twice (x) => (y) { t = Gelu <approximate = "tanh"> (x) y = Add (t, t) }""")
    report = locoexport.rewrite(model, opset=17)
    assert report.inlined_functions == ("local.Twice",)
    assert "Gelu" not in op_types(report.model)
    assert [row.pass_name for row in report.rewritten] == ["newer-operators"] * 3
    for which in (True, False):
        given = {"x": normal(2, 5), "which": np.array(which)}
        expected, found = run(model, **given)[0], run(report.model, **given)[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_rest_of_a_model_stays_as_it_was():
    text = "g (float[2,5] x) => (float[2,5] y) { a = Relu (x) b = Gelu (a) y = Neg (b) }"
    model = graph(text, 20)
    model.graph.node[2].doc_string = "mine"
    rewritten = locoexport.rewrite(model, opset=19).model
    assert rewritten.graph.node[0] == model.graph.node[0]
    assert rewritten.graph.node[-1] == model.graph.node[2]
    assert rewritten.graph.output == model.graph.output


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Gelu", lambda draft, node, opset: [draft.op("Relu", node.inputs[0])]),
        (
            "Gelu",
            lambda draft, node, opset: newer_bodies.write_gelu(
                draft, as_if(node, approximate="tanh"), opset
            ),
        ),
        (
            "LayerNormalization",
            lambda draft, node, opset: newer_bodies.write_layer_normalization(
                draft, as_if(node, epsilon=2e-5), opset
            ),
        ),
        (
            "AffineGrid",
            lambda draft, node, opset: newer_bodies.write_affine_grid(
                draft, as_if(node, align_corners=1), opset
            ),
        ),
    ],
)
def test_a_wrong_body_is_found(name, wrong, monkeypatch):
    bodies = {
        "Gelu": "(float[n,5] x) => (float[?,?] y) { y = Gelu (x) }",
        "LayerNormalization": "(float[n,5] x, float[5] s) => (float[?,?] y) "
        "{ y = LayerNormalization (x, s) }",
        "AffineGrid": "(float[n,3,4] x) => (float[?,?,?,?,?] y) <int64[5] s = {2,3,4,5,6}> "
        "{ y = AffineGrid (x, s) }",
    }
    monkeypatch.setitem(newer_bodies.OWN_BODIES, name, wrong)
    with pytest.raises(RewriteFailedError, match="apart, allowed"):
        locoexport.rewrite(graph("g " + bodies[name], 20), opset=16)


def as_if(node, **attributes):
    import onnx_ir as ir

    for key, value in attributes.items():
        node.attributes[key] = ir.convenience.convert_attribute(key, value)
    return node


def test_what_older_opsets_cannot_express_is_refused_by_its_own_name():
    text = """g (int32[3] a, float[2,5] x, int64[2] s) => (int32[3] y, int32[3] n, float[?,?] z) {
        y = BitwiseAnd (a, a) n = BitwiseNot (a) z = CenterCropPad <axes = [0, 1]> (x, s) }"""
    heard: list[str] = []
    with pytest.raises(GraphCheckFailedError) as refused:
        locoexport.rewrite(
            graph(text, 20), opset=17, notify=lambda notice: heard.append(notice.text)
        )
    assert str(refused.value).partition("allow it: ")[2].rstrip(".").split("; ") == [
        "BitwiseAnd: new in opset 18 (1×)",
        "BitwiseNot: new in opset 18 (1×)",
    ]
    assert any("older operators cannot express it" in text for text in heard)
    assert not any("CenterCropPad" in text for text in heard)


def test_the_pass_may_be_left_out_and_needs_an_opset():
    model = graph("g (float[2,5] x) => (float[2,5] y) { y = Gelu (x) }", 20)
    with pytest.raises(GraphCheckFailedError, match="Gelu: new in opset 20"):
        locoexport.rewrite(model, opset=17, passes=["opset"])
    with pytest.raises(UsageError, match="newer-operators needs to know which"):
        locoexport.rewrite(model, passes=["newer-operators"])
    assert locoexport.rewrite(model, opset=17, passes=["single-axis-squeeze"]).passed


class Block(nn.Module):
    """What exporters write at 20 and no lower opset has, beside volumetric sampling."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.group = nn.LayerNorm(6), nn.GroupNorm(2, 4)
        self.affine = nn.Linear(6, 12)

    def forward(self, volume: Tensor, x: Tensor) -> Tensor:
        hidden = nn.functional.gelu(self.norm(x)) + nn.functional.gelu(x, approximate="tanh")
        first, second = nn.functional.mish(hidden).chunk(2, dim=1)
        theta = self.affine(first * second).reshape(-1, 3, 4)
        grid = nn.functional.affine_grid(theta, [2, 4, 5, 3, 4], align_corners=False)
        sampled = nn.functional.grid_sample(self.group(volume), grid, align_corners=False)
        return sampled.mean((2, 3, 4)) + sampled[:, :, 0, 0, 0]


def exported(folder, *, dynamo: bool) -> tuple[nn.Module, Sequence[Tensor], onnx.ModelProto]:
    torch.manual_seed(0)
    network = Block().eval()
    given = (torch.randn(2, 4, 5, 7, 6), torch.randn(2, 2, 6))
    given = (given[0], given[1][:, :1].repeat(1, 2, 1) + given[1])
    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, given, str(path), input_names=["volume", "x"], opset_version=20, dynamo=dynamo
        )
    return network, given, onnx.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
def test_exports_of_torch_come_down(dynamo, tmp_path):
    network, given, model = exported(tmp_path, dynamo=dynamo)
    with torch.inference_mode():
        expected = network(*given).numpy()
    assert "Gelu" in op_types(model)
    for target in (16, 17):
        report = locoexport.rewrite(model, opset=target)
        assert report.passed
        found = run(report.model, volume=given[0].numpy(), x=given[1].numpy())[0]
        np.testing.assert_allclose(found, expected, atol=5e-5)


def test_types_that_nobody_knows_are_left():
    nodes = [
        helper.make_node("Opaque", ["x"], ["a"], domain="custom"),
        helper.make_node("Gelu", ["a"], ["y"], name="blind"),
    ]
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        nodes,
        "graph",
        [value("x", TensorProto.FLOAT, [2])],
        [value("z", TensorProto.FLOAT, None)],
    )
    body.node.append(helper.make_node("Opaque", ["y"], ["z"], domain="custom"))
    model = make_model(body)
    model.opset_import.append(helper.make_opsetid("custom", 1))
    heard: list[str] = []
    with pytest.raises(GraphCheckFailedError, match="Gelu: new in opset 20"):
        locoexport.rewrite(model, opset=17, notify=lambda notice: heard.append(notice.text))
    assert any("blind" in text and "type of its input 'a' is unknown" in text for text in heard)


def test_a_body_over_sequences_is_left_in_words() -> None:
    text = "(seq(float[3]) x) => (seq(float[3]) y)"
    body = "y = SequenceMap <body = b (float[3] i) => (float[3] o) { o = Neg(i) }> (x)"
    with pytest.raises(GraphCheckFailedError, match="SequenceMap"):
        locoexport.rewrite(graph(f"g {text} {{ {body} }}", 20), opset=16)
