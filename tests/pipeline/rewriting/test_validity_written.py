"""A written file beside its original: wrong, right, and stopped before it could be told."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import parser

from locoexport.errors import GraphCheckFailedError
from locoexport.notices import Notice, ignore
from locoexport.pipeline.rewriting import validity
from locoexport.pipeline.rewriting.validity import check_written_file, prove_models


def model(body: str, stated: str = "") -> onnx.ModelProto:
    text = '<ir_version: 10, opset_import: ["" : 20, "theirs" : 1]> g (float[n, 3] x) => (y)'
    return parser.parse_model(f"{text} <{stated}> {{ {body} }}")


FIRST_FOR_ALL = """zero = Constant<value_ints = [0]>() one = Constant<value_ints = [1]>()
    f = Slice(x, zero, one, zero) s = Shape(x) e = Expand(f, s) y = Relu(e)"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both saved and compared, in this process: its own one is tested with the command."""

    def run_here(function, *arguments, notify=None, **limits):
        return function(*arguments, **({"notify": notify} if notify else {}))

    monkeypatch.setattr(validity, "run_bounded", run_here)

    def check(original: onnx.ModelProto, rewritten: onnx.ModelProto, notify=ignore):
        paths = [tmp_path / "original.onnx", tmp_path / "rewritten.onnx"]
        for path, one in zip(paths, (original, rewritten), strict=True):
            onnx.save(one, path)
        return check_written_file(*paths, rewritten, 1000, notify)

    return check


def test_files_are_compared_at_sizes_that_neither_states(check) -> None:
    notices: list[Notice] = []
    loads, proof = check(model("y = Relu(x)"), model("z = Neg(x) m = Neg(z) y = Relu(m)"))
    assert (loads, proof.passed, proof.sizes) == ("", True, ("n=2", "n=3"))
    loads, proof = check(model("y = Relu(x)"), model(FIRST_FOR_ALL), notices.append)
    assert not proof.passed
    texts = [notice.text for notice in notices]
    assert len(texts) == len(set(texts)), "each step is told once"


def test_a_file_that_loads_no_more_is_refused(check) -> None:
    with pytest.raises(GraphCheckFailedError, match="not the rewritten file"):
        check(model("y = Relu(x)"), model("y = theirs.Novel(x)"))


def test_where_neither_loads_nothing_is_proven(check) -> None:
    loads, proof = check(model("y = theirs.Novel(x)"), model("y = theirs.Novel(x)"))
    assert "Novel" in loads
    assert "does not load" in proof.unproven


@pytest.mark.parametrize(
    ("step", "reason", "passed"),
    [
        ("running the original model", "crashed the library", True),
        ("running the rewritten model", "takes more than 60 s", True),
        ("running the rewritten model", "crashed the library", False),
    ],
)
def test_a_proof_that_is_stopped_fails_only_where_the_rewritten_model_crashes(
    step: str, reason: str, passed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(function, *arguments, error_type, notify=None, **limits):
        if notify is None:
            return ""
        notify(Notice(step))
        raise error_type(f"it {reason}")

    monkeypatch.setattr(validity, "run_bounded", stopped)
    made = model("y = Relu(x)")
    loads, proof = check_written_file(tmp_path / "a", tmp_path / "b", made, 1000, ignore)
    assert (loads, proof.passed) == ("", passed)
    assert bool(proof.unproven) is passed


def test_an_original_that_its_own_statements_keep_from_running_is_asked_without_them() -> None:
    # ONNX Runtime refuses a type that is stated and not so.
    stale = model("h = Cast<to = 10>(x) y = Cast<to = 1>(h)", "float[1, 3] h")
    good = model("h = Cast<to = 10>(x) y = Cast<to = 1>(h)")
    proof = prove_models(stale, good, None, ignore)
    assert proof.complete
    assert "without the shapes" in proof.note
    wrong = model("h = Cast<to = 10>(x) k = Cast<to = 1>(h) y = Neg(k)")
    assert not prove_models(stale, wrong, None, ignore).passed


def test_a_file_that_onnx_runtime_has_no_kernel_for_is_good_for_others(check) -> None:
    header = '<ir_version: 8, opset_import: ["" : 16]>'
    header += "g (double[1, 1, 3, 3] v, double[1, 2, 2, 2] g)"
    made = parser.parse_model(f"{header} => (y) {{ y = GridSample(v, g) }}")
    loads, proof = check(model("y = Relu(x)"), made)
    assert "NOT_IMPLEMENTED" in loads
    assert proof.unproven


def test_a_plugins_file_is_run_with_gridsample_in_its_place() -> None:
    header = '<ir_version: 10, opset_import: ["" : 20]>'
    header += "g (float[n, 2, d, 5, 6] v, float[n, 3, 4, p, 3] g) => (y)"
    attributes = "<interpolation_mode = 0, padding_mode = 1, align_corners = 0>"
    plugin = parser.parse_model(f"{header} {{ y = GridSample3D {attributes} (v, g) }}")
    told = 'padding_mode = "border", align_corners = 0'
    right = parser.parse_model(f"{header} {{ y = GridSample <{told}> (v, g) }}")
    proof = prove_models(plugin, right, None, ignore)
    assert proof.complete
    assert "foreign samplers" in proof.note
    wrong = parser.parse_model(f"{header} {{ y = GridSample (v, g) }}")
    assert not prove_models(plugin, wrong, None, ignore).passed
