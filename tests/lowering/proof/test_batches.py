"""Many cut-outs in one pair of models: each has the outcome that it has by itself."""

from __future__ import annotations

import pytest
from onnx import parser

from locoexport.graphs.values.known_values import known_values
from locoexport.lowering.proof import batches
from locoexport.lowering.proof.batches import Batch, batches_of, output_sizes
from locoexport.lowering.proof.cut_out import CutOut, cut_out
from locoexport.lowering.proof.trials import CutOutProof, prove_cut_outs


def pair(before: str, after: str, given: str = "float[2, 3] x") -> CutOut:
    sides = [
        parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g ({given}) => (y) {{ {b} }}')
        for b in (before, after)
    ]
    nodes = [list(side.graph.node) for side in sides]
    return cut_out((nodes[0], 17), (nodes[1], 17), (["y"], ["y"]), known_values(sides[0]), {})


RIGHT = [pair("y = Relu(x)", "y = Relu(x)", f"float[2, {width}] x") for width in range(3, 9)]
WRONG = pair("y = Relu(x)", "y = Neg(x)")
RANDOM = pair("y = RandomNormalLike(x)", "y = RandomNormalLike(x)")
STUMBLING = pair(
    "y = Reshape(x, s)", "y = Reshape(x, s)", "float[2, 3] x, int64[1] s"
)  # among the shapes tried are some that do not fit


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many cut-outs each batch that is loaded holds."""
    sizes: list[int] = []
    load = Batch.load

    def counted(self: Batch, loader: object) -> object:
        sizes.append(len(self.subjects))
        return load(self, loader)  # type: ignore[arg-type]

    monkeypatch.setattr(batches.Batch, "load", counted)
    return sizes


def test_one_at_fault_spoils_no_other() -> None:
    subjects = [*RIGHT[:3], WRONG, RANDOM, *RIGHT[3:], STUMBLING]
    outcomes = prove_cut_outs(subjects)
    for subject, outcome in zip(subjects, outcomes, strict=True):
        if subject is RANDOM:
            assert isinstance(outcome, str)
            assert "it is random" in outcome
            continue
        assert isinstance(outcome, CutOutProof)
        assert outcome.passed is (subject is not WRONG)


def test_a_batch_is_one_model_for_each_side(loaded: list[int]) -> None:
    outcomes = prove_cut_outs(RIGHT)
    assert loaded == [len(RIGHT)]
    assert [outcome.shapes for outcome in outcomes] == [(((2, w),),) for w in range(3, 9)]


def test_those_of_one_kind_go_together_and_none_is_lost() -> None:
    other = pair("y = Neg(x)", "y = Neg(x)")
    subjects = [RIGHT[0], other, RIGHT[1]]
    found = list(batches_of(subjects, output_sizes(subjects)))
    assert sorted(place for _, places in found for place in places) == [0, 1, 2]
    assert {places for _, places in found} == {(0, 2), (1,)}


def test_progress_is_told_to_the_end() -> None:
    heard: list[int] = []
    prove_cut_outs([*RIGHT, WRONG], heard.append)
    assert heard == list(range(1, len(RIGHT) + 2))


def test_grids_whose_batch_has_another_name_go_together(loaded: list[int]) -> None:
    grids = ("float[m, 2, 2, 2]", "float[m, 2, 2, 2]", "float[2, 2, 2, 2]")
    samplers = [
        pair("y = GridSample(x, g)", "y = GridSample(x, g)", f"float[n, 1, 4, {w}] x, {grid} g")
        for w, grid in enumerate(grids, 3)
    ]
    outcomes = prove_cut_outs(samplers)
    assert loaded == [2]  # and the third, which has one trial and not three, by itself
    shapes = [outcome.shapes for outcome in outcomes if isinstance(outcome, CutOutProof)]
    assert shapes == [
        tuple(((n, 1, 4, 3), (n, 2, 2, 2)) for n in (3, 2, 1)),
        tuple(((n, 1, 4, 4), (n, 2, 2, 2)) for n in (3, 2, 1)),
        (((2, 1, 4, 5), (2, 2, 2, 2)),),
    ]
