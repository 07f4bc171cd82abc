"""ONNX's own node tests rewritten: right, or refused with a reason, and never wrong.

The counts by outcome and reason: docs/volumetric-sampling.md, by benchmarks/rewrite_suite.py.
"""

from __future__ import annotations

from dataclasses import replace

import node_suite
import numpy as np
import onnx
import pytest
from node_suite import Attempt, attempt, cases_of, kind_of, node_cases, targets_of
from onnx import helper

from locoexport.pipeline.rewriting.report import RewriteReport

PARTS = 8
AVERAGE = "test_averagepool_2d_default"


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(PARTS))
def test_the_whole_suite(part: int) -> None:
    found = [
        attempt(case, target, to)
        for case in node_cases()[part::PARTS]
        for target, to in targets_of(case)
    ]
    assert len(found) > 100
    assert [one for one in found if fault_of(one)] == []


@pytest.mark.parametrize(
    ("module", "name", "target", "to", "outcome"),
    [
        ("gridsample", "test_gridsample_volumetric_bilinear_align_corners_0", None, "gather", "right"),  # noqa: E501
        ("gridsample", "test_gridsample_volumetric_nearest_align_corners_1", 16, "planar", "right"),
        ("averagepool", AVERAGE, 16, "gather", "right"),
        ("averagepool", "test_averagepool_2d_pads_count_include_pad", 18, "gather", "right"),
        ("gelu", "test_gelu_default_1", 17, "gather", "right"),
        ("dequantizelinear", "test_dequantizelinear_axis", 16, "gather", "right"),
        ("bitcast", None, 20, "gather", "refused"),
        ("affinegrid", "test_affine_grid_3d", 16, "gather", "right"),
    ],
)  # fmt: skip
def test_one_of_each_kind(
    module: str, name: str | None, target: int | None, to: str, outcome: str
) -> None:
    cases = cases_of(module)
    case = cases[name] if name else next(c for c in cases.values() if module in c.name)
    found = attempt(case, target, to)
    assert fault_of(found) == ""
    assert found.outcome == outcome, found


def fault_of(found: Attempt) -> str:
    """What must not be, whatever onnx adds to its suite; "" where all is well."""
    if found.outcome in ("wrong", "traceback"):
        return found.outcome
    if found.is_false_alarm:
        return "refused, and right in truth"
    if found.outcome == "refused" and not found.detail:
        return "refused without a reason"
    return ""


def test_a_wrong_model_is_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "Neg")
    found = attempt(cases_of("averagepool")[AVERAGE], 20, "gather")
    assert (found.outcome, fault_of(found)) == ("wrong", "wrong")


def test_a_model_that_no_longer_loads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "NoSuchOperator")
    found = attempt(cases_of("averagepool")[AVERAGE], 20, "gather")
    assert found.outcome == "refused"
    assert "loads the original" in found.kind


def test_a_traceback_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> RewriteReport:
        raise KeyError("planted")

    monkeypatch.setattr(node_suite, "rewrite", fail)
    found = attempt(cases_of("averagepool")[AVERAGE], 20, "gather")
    assert (found.outcome, found.kind) == ("traceback", "KeyError")
    assert fault_of(found) == "traceback"


def test_what_is_not_what_the_test_expects_and_not_what_the_original_gives_is_wrong() -> None:
    case = cases_of("averagepool")[AVERAGE]
    off = replace(case, expected=tuple(value + np.float32(0.01) for value in case.expected))
    assert attempt(off, 20, "gather").outcome == "right"  # as the original does
    assert "as the original does" in attempt(off, 20, "gather").detail


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("do not allow it: Cast: tensor(int4) is newer (1×)", "an element type is newer"),
        ("do not allow it: BitCast: new in opset 26 (1×)", "an operator is newer"),
        ("Pad: changed in opset 18 (1×)", "an attribute, an input or a meaning is newer"),
        ("Something that nobody foresaw", "Something that nobody foresaw"),
    ],
)
def test_reasons_have_kinds(message: str, kind: str) -> None:
    assert kind_of(message) == kind


def plant(monkeypatch: pytest.MonkeyPatch, op_type: str) -> None:
    """``rewrite`` as it is, with one more node at the end."""
    real = node_suite.rewrite

    def spoiled(model: onnx.ModelProto, **options: object) -> RewriteReport:
        report = real(model, **options)  # type: ignore[arg-type]
        changed = onnx.ModelProto()
        changed.CopyFrom(report.model)
        (output,) = changed.graph.output
        changed.graph.node[-1].output[0] = "spoiled"
        changed.graph.node.append(helper.make_node(op_type, ["spoiled"], [output.name]))
        return replace(report, model=changed)

    monkeypatch.setattr(node_suite, "rewrite", spoiled)
