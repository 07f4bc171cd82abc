"""Which parts are kept in 8 bits, by what a measurement says of each. No model is made here."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from sample_reports import METADATA

from locoexport.contract.profile import ExportProfile, IntegerForm, load_profile
from locoexport.errors import GraphCheckFailedError
from locoexport.evaluation.precision_cost import PrecisionReport
from locoexport.evaluation.scores import Difference
from locoexport.notices import ignore
from locoexport.pipeline.assembly import part_choice
from locoexport.pipeline.assembly.cost import PrecisionRefusedError, refuse_beyond_limit
from locoexport.pipeline.assembly.graph import FinishedGraph
from locoexport.pipeline.assembly.part_choice import lower_and_measure

TRANSFORMER, CMDTOP, ENCODER = "transformer", "cmdtop", "encoder"
GRAPH = FinishedGraph(onnx.ModelProto(), METADATA, 0, None, onnx.ModelProto())
INT8 = load_profile("b0-tiny").with_options(precision="int8")


def report(
    profile: ExportProfile, ratio: float, p99_px: float, aj_change: float
) -> PrecisionReport:
    limits = profile.precision_limits
    return PrecisionReport(
        *("int8", Difference(p99_px / 9, p99_px, 9 * p99_px, 1, 1000), 70.0, aj_change, 78.0, 0.0),
        *("6 sequences", None, 2, 1, ratio, 100.0, "cpu", limits.int8_p99_px, "a test's"),
        limit_aj=limits.int8_average_jaccard,
        integer_form=profile.integer_form,
    )


@dataclass
class Machine:
    """Measures what it was told, by the parts of a file; without a figure nothing can be made."""

    figures: dict[tuple[str, ...], tuple[float, float, float]]

    def lower(self, graph: FinishedGraph, profile: ExportProfile, *rest: Any) -> FinishedGraph:
        form = profile.integer_form
        assert form is not None
        if form.parts not in self.figures:
            raise GraphCheckFailedError("nothing has a name.")
        return replace(graph, metadata=replace(METADATA, integer_form=form))

    def measure(
        self, whole: Path, draft: Path, profile: ExportProfile, *rest: Any
    ) -> PrecisionReport:
        assert draft.is_file()
        form = profile.integer_form
        assert form is not None
        return report(profile, *self.figures[form.parts])


def choose(
    monkeypatch, figures: dict[tuple[str, ...], tuple[float, float, float]], profile=INT8
) -> tuple[FinishedGraph, PrecisionReport]:
    machine = Machine(figures)
    monkeypatch.setattr(part_choice, "lower_precision", machine.lower)
    monkeypatch.setattr(part_choice, "measure_precision", machine.measure)
    return lower_and_measure(Path("whole.onnx"), GRAPH, profile, (), ignore)


def test_each_part_is_kept_on_top_of_those_before_it(monkeypatch) -> None:
    graph, found = choose(
        monkeypatch,
        {
            (TRANSFORMER,): (1.2, 0.2, 0.0),
            (TRANSFORMER, CMDTOP): (1.38, 0.4, 0.1),
            (TRANSFORMER, CMDTOP, ENCODER): (1.7, 0.9, -0.2),
        },
    )
    assert found.integer_form is not None
    assert found.integer_form.parts == (TRANSFORMER, CMDTOP, ENCODER)
    assert graph.metadata.integer_form == found.integer_form
    assert [trial.kept for trial in found.trials] == [True, True, True]
    assert [trial.gain for trial in found.trials] == pytest.approx([1.2, 1.38 / 1.2, 1.7 / 1.38])


@pytest.mark.parametrize(
    ("transformer", "says"),
    [
        ((1.3, 1.01, 0.0), "moves tracks by p99 1.01 px (limit 1)"),
        ((1.3, float("nan"), 0.0), "moves tracks by p99 nan px"),
        ((1.3, 0.5, -0.31), "loses 0.31 points of AJ (limit 0.3)"),
        ((1.01, 0.5, 0.0), "makes it 1.01 times as fast"),
        ((0.8, 0.1, 0.0), "makes it 0.80 times as fast"),
    ],
)
def test_a_part_that_does_not_pay_is_left_out(transformer, says: str, monkeypatch) -> None:
    _, found = choose(monkeypatch, {(TRANSFORMER,): transformer, (CMDTOP,): (1.1, 0.3, 0.0)})
    assert found.integer_form is not None
    assert found.integer_form.parts == (CMDTOP,)
    assert says in found.trials[0].refusal
    # What could not be made is no pass, and says so.
    assert (found.trials[2].kept, found.trials[2].refusal) == (False, "nothing has a name")
    assert found.difference.p99_px == 0.3


def test_where_no_part_pays_nothing_is_kept(monkeypatch) -> None:
    slow = (0.9, 0.1, 0.0)
    with pytest.raises(PrecisionRefusedError, match="int8 pays in no part of this model") as found:
        choose(monkeypatch, {(TRANSFORMER,): slow, (CMDTOP,): slow, (ENCODER,): slow})
    assert len(found.value.report.trials) == 3
    with pytest.raises(GraphCheckFailedError, match="nothing has a name"):
        choose(monkeypatch, {})


def test_named_parts_are_taken_and_measured_as_they_are(monkeypatch) -> None:
    form = IntegerForm(("cmdtop",), 7)
    named = INT8.with_options(integer_form=form)
    graph, found = choose(monkeypatch, {(CMDTOP,): (0.9, 0.1, 0.0)}, named)
    assert (graph.metadata.integer_form, found.trials) == (form, ())
    with pytest.raises(PrecisionRefusedError, match=r"slower than float32 .* 0.90 times as fast"):
        refuse_beyond_limit(found, force=False)
    refuse_beyond_limit(found, force=True)


def test_a_loss_of_jaccard_is_refused_by_name() -> None:
    lost = report(INT8, 1.4, 0.5, -0.4)
    with pytest.raises(PrecisionRefusedError, match=r"loses 0.40 points of AJ, .* allows 0.3"):
        refuse_beyond_limit(lost, force=False)
    refuse_beyond_limit(replace(lost, average_jaccard_change=0.4), force=False)
