"""Every rule of the lint fires where it should, and not beside it."""

import onnx
import onnx.parser
import pytest

from locoexport.inspection.lint import lint
from locoexport.inspection.shapes import resolve_shapes

_SAMPLE = "g (T[1,2,S] x, T[1,3,G] grid) => (T[R] y) { y = GridSample<mode = M>(x, grid) }"


def rules(text: str, opset: int = 17, domains: str = "") -> list[str]:
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}{domains}]> {text}'
    )
    findings = lint(model, resolve_shapes(model, {}))
    assert all(finding.source.startswith("https://") for finding in findings)
    assert all(finding.nodes and finding.message for finding in findings)
    return [f"{finding.severity} {finding.rule} {finding.runtime}" for finding in findings]


def sample(rank: int, mode: str, kind: str = "float", opset: int = 17) -> list[str]:
    sizes = {4: ("4,4", "3,2", "1,2,3,3"), 5: ("4,4,4", "3,3,3", "1,2,3,3,3")}[rank]
    text = _SAMPLE.replace("T[", f"{kind}[").replace("mode = M", f'mode = "{mode}"')
    for letter, size in zip("SGR", sizes, strict=True):
        text = text.replace(f"{letter}]", f"{size}]")
    return rules(text, opset)


def test_grid_sample_of_rank_4_is_fine() -> None:
    assert sample(4, "bilinear") == []


def test_grid_sample_of_rank_5() -> None:
    found = sample(5, "linear", opset=20)
    assert "error gridsample-5d TensorRT before 11.2" in found
    assert "error gridsample-5d OpenVINO" in found
    assert "warning gridsample-5d ONNX Runtime CUDA before 1.25" in found
    assert not any("gridsample-5d-opset" in rule for rule in found)


def test_grid_sample_of_rank_5_before_opset_20_is_wrong_everywhere() -> None:
    assert any("gridsample-5d-opset every runtime" in rule for rule in sample(5, "bilinear"))


def test_grid_sample_of_unknown_rank() -> None:
    found = rules(
        "g (float[1,3,3,2] grid, float[1] a) => (float[b] y) "
        "{ x = t.Warp(a)  y = GridSample(x, grid) }",
        domains=', "t" : 1',
    )
    assert "warning gridsample-unknown-rank every runtime" in found


@pytest.mark.parametrize(
    ("mode", "opset", "fires"),
    [("linear", 20, True), ("cubic", 20, True), ("nearest", 20, False), ("bilinear", 16, False)],
)
def test_spellings_that_tensorrt_misreads(mode: str, opset: int, fires: bool) -> None:
    found = sample(4, mode, opset=opset)
    assert ("error gridsample-mode-spelling TensorRT" in found) is fires


@pytest.mark.parametrize("opset", [17, 20])
def test_no_spelling_at_all_is_read_by_everyone(opset: int) -> None:
    """TensorRT and OpenVINO before 2026.3 take it as bilinear at every opset."""
    text = "g (float[1,2,4,4] x, float[1,3,3,2] w) => (float[a,b,c,d] y) { y = GridSample(x, w) }"
    assert rules(text, opset) == []


def test_older_openvino_refuses_the_new_spellings_of_images_too() -> None:
    found = "error gridsample-mode-spelling OpenVINO before 2026.3"
    assert found in sample(4, "linear", opset=20)
    assert found not in sample(4, "nearest", opset=20)
    assert found not in sample(4, "bilinear", opset=19)
    assert found not in sample(5, "linear", opset=20)  # refused for its rank, by every version


def test_half_precision_grid_sample() -> None:
    assert "warning gridsample-fp16 ONNX Runtime CUDA" in sample(4, "bilinear", "float16")


@pytest.mark.parametrize(("opset", "fires"), [(18, False), (19, True)])
def test_resize_and_pad_of_opset_19(opset: int, fires: bool) -> None:
    found = rules(
        "g (float[1,2,4,4] x) => (float[a,b,c,d] y) "
        "<float[4] scales = {1,1,2,2}, int64[8] pads = {0,0,1,1,0,0,1,1}> "
        "{ z = Resize(x, , scales)  y = Pad(z, pads) }",
        opset,
    )
    assert ("warning resize-19 ONNX Runtime CUDA before 1.25" in found) is fires
    assert ("warning pad-19 ONNX Runtime CUDA before 1.25" in found) is fires


def test_int64_indices_only_where_they_hang_on_the_data() -> None:
    computed = (
        "g (float[9,4] x, float[3] at) => (float[3,4] y) { i = Cast<to = 7>(at)  y = Gather(x, i) }"
    )
    of_shapes = (
        "g (float[9,4] x) => (int64 y) <int64 one = {1}> { s = Shape(x)  y = Gather(s, one) }"
    )
    narrow = computed.replace("to = 7", "to = 6")
    assert rules(computed) == ["info int64-indices TensorRT before 10"]
    assert rules(of_shapes) == []
    assert rules(narrow) == []


@pytest.mark.parametrize(
    ("axes", "call", "fires"),
    [
        ("<int64[2] axes = {0, 2}>", "Squeeze(x, axes)", True),
        ("<int64[1] axes = {0}>", "Squeeze(x, axes)", False),
        ("", "Squeeze(x)", True),
    ],
)
def test_squeeze_wants_exactly_one_axis(axes: str, call: str, fires: bool) -> None:
    found = rules(f"g (float[1,5,1] x) => (float[a,b] y) {axes} {{ y = {call} }}")
    assert any("squeeze-axes" in rule for rule in found) is fires


def test_foreign_domains_and_float64() -> None:
    found = rules(
        "g (double[4] x) => (double[4] y) { y = com.microsoft.Gelu(x) }",
        domains=', "com.microsoft" : 1',
    )
    assert "warning float64 TensorRT, and every GPU" in found
    assert any("foreign-domain" in rule for rule in found)


def test_nodes_in_bodies_are_seen() -> None:
    found = rules(
        "g (bool c, float[1,5,1] x) => (float[n] y) { y = If(c) <"
        "then_branch = a () => (float[n] t) { t = Squeeze(x) }, "
        "else_branch = b () => (float[n] e) { e = Squeeze(x) }> }"
    )
    assert any("squeeze-axes" in rule for rule in found)


def test_an_invalid_model_is_told() -> None:
    found = rules("g (float[4] x) => (float[4] y) { y = Relu(nobody_wrote_this) }")
    assert "error valid onnx.checker, and most runtimes" in found
    assert found[0].startswith("error")


FOREIGN = ', "com.microsoft" : 1, "mmdeploy" : 1'


@pytest.mark.parametrize(
    "called", ["GridSample3D", "com.microsoft.GridSample", "mmdeploy.grid_sampler"]
)
@pytest.mark.parametrize(("volume", "fires"), [("1,2,4,4,4", True), ("1,2,4,4", False)])
def test_samplers_of_volumes_under_other_names(called: str, volume: str, fires: bool) -> None:
    found = rules(
        f"g (float[{volume}] x, float g) => (float y) {{ y = {called}(x, g) }}", 17, FOREIGN
    )
    assert any("gridsample-foreign" in rule for rule in found) is fires


def test_a_foreign_sampler_of_unknown_rank() -> None:
    found = rules(
        "g (float[1] a, float g) => (float y) { x = mmdeploy.Warp(a) y = GridSample3D(x, g) }",
        17,
        FOREIGN,
    )
    assert any("gridsample-foreign" in rule for rule in found)


def test_two_nodes_of_one_name() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) '
        "{ a = Abs(x) y = Relu(a) }"
    )
    for node in model.graph.node:
        node.name = "same"
    (finding,) = lint(model, resolve_shapes(model, {}))
    assert (finding.severity, finding.runtime, finding.nodes) == (
        "error",
        "ONNX Runtime",
        ("same",),
    )
