"""The order of a search, with trials whose figures are given."""

import pytest
from tuning_reports import make_trial

from locoexport.benchmarking.distrust import Distrust
from locoexport.contract.profile import load_profile
from locoexport.notices import Notice
from locoexport.pipeline.tuning import stages
from locoexport.pipeline.tuning.candidates import Candidate
from locoexport.pipeline.tuning.report import Limits, Trial, Tuned
from locoexport.pipeline.tuning.search import _choose
from locoexport.pipeline.tuning.stages import FINAL_ROUNDS, Search
from locoexport.pipeline.tuning.subject import Subject


class GivenTrials:
    """Ratios by a part of a candidate's name; of several parts the last counts."""

    def __init__(self, ratios: dict[str, float], errors: dict[str, float], fails: str) -> None:
        self.ratios, self.errors, self.fails = ratios, errors, fails
        self.taken_from_records = 0
        self.asked: list[tuple[str, int]] = []

    def attempt(self, candidate: Candidate, rounds: int) -> Trial:
        self.asked.append((candidate.name, rounds))
        if self.fails and self.fails in candidate.name:
            return Trial(candidate, failure="it cannot be built")
        ratio = [value for part, value in self.ratios.items() if part in candidate.name]
        error = [value for part, value in self.errors.items() if part in candidate.name]
        return make_trial(
            candidate,
            ratio=(ratio or [1.0])[-1],
            rounds=rounds,
            p99_px=(error or [0.0])[-1],
        )


@pytest.fixture
def search(monkeypatch):
    monkeypatch.setattr(stages, "thread_counts", lambda: [1])
    monkeypatch.setattr(stages, "require_provider", lambda name: None)

    def run(
        ratios: dict[str, float],
        errors: dict[str, float] | None = None,
        *,
        fails: str = "",
        providers: tuple[str, ...] = ("cpu", "openvino"),
        subject: Subject | None = None,
    ) -> tuple[list[Tuned], GivenTrials, list[Notice]]:
        trials, told = GivenTrials(ratios, errors or {}, fails), list[Notice]()
        subject = subject or Subject(load_profile("b0-tiny"))
        made = Search(
            subject,
            trials,
            Candidate(subject.usual, "cpu"),
            Limits(0.5),
            Distrust(told.append),
            told.append,
        )
        return made.run(providers), trials, told

    return run


def named(rows: list[Tuned]) -> dict[str, Tuned]:
    return {row.trial.candidate.name: row for row in rows}


def test_the_best_of_a_stage_goes_on(search) -> None:
    rows, trials, _ = search({"planar, openvino": 1.4, "int8 transformer planar": 1.8})
    names = [name for name, _ in trials.asked]
    assert names[0] == "fp32 gather, cpu"
    assert "int8 transformer planar, openvino" in names
    assert "int8 transformer gather, openvino" not in names
    assert "fp32 planar, openvino:precision=bf16" in names
    assert "int8 transformer planar, openvino, 1 thread" in names
    assert ("int8 transformer planar, openvino", FINAL_ROUNDS) in trials.asked
    assert rows[_choose(rows)].trial.candidate.name == "int8 transformer planar, openvino"


def test_what_moves_too_far_never_wins(search) -> None:
    rows, _, _ = search({"openvino": 1.2, "int8": 3.0}, {"int8": 0.6})
    assert named(rows)["int8 transformer gather, cpu"].verdict == "too far"
    assert rows[_choose(rows)].trial.candidate.form.precision == "fp32"
    assert "openvino" in rows[_choose(rows)].trial.candidate.provider


def test_where_nothing_is_faster_float32_stays(search) -> None:
    rows, trials, _ = search({"int8": 0.8})
    assert _choose(rows) == 0
    assert rows[0].verdict == "reference"
    assert all(rounds < FINAL_ROUNDS for _, rounds in trials.asked)


def test_rewrites_that_both_lose_are_left_out_together(search) -> None:
    ratios = {"no frame-scan": 1.1, "no group-norm": 1.1, "no frame-scan no group-norm": 1.2}
    rows, _, _ = search(ratios, providers=("cpu",))
    together = "fp32 gather no frame-scan no group-norm-products, cpu"
    assert rows[_choose(rows)].trial.candidate.name.startswith(together)
    assert "int8 transformer gather no frame-scan no group-norm-products, cpu" in named(rows)


def test_a_failure_is_a_row(search) -> None:
    rows, _, _ = search({}, fails="int8")
    failed = named(rows)["int8 transformer gather, cpu"]
    assert (failed.verdict, failed.reason) == ("failed", "it cannot be built")


def test_a_form_that_fails_is_not_lowered(search) -> None:
    rows, trials, _ = search({}, fails="openvino")
    assert sum(row.verdict == "failed" for row in rows) == 6
    assert not any("bf16" in name for name, _ in trials.asked)


def test_a_provider_that_is_not_here_is_one_row(search, monkeypatch) -> None:
    from locoexport.errors import ProviderUnavailableError

    def missing(name: str) -> None:
        if name == "cuda":
            raise ProviderUnavailableError("There is no card.")

    monkeypatch.setattr(stages, "require_provider", missing)
    rows, trials, _ = search({}, providers=("cpu", "cuda"))
    lacking = [row for row in rows if row.trial.candidate.provider == "cuda"]
    assert [(row.verdict, row.reason) for row in lacking] == [("failed", "There is no card.")]
    assert not any("cuda" in name for name, _ in trials.asked)


def test_one_file_alone_is_tried_on_runtimes_and_threads(search, tmp_path) -> None:
    subject = Subject(load_profile("b0-tiny"), given=tmp_path / "m.onnx", reason="no weights")
    rows, _, _ = search({"openvino": 1.5}, subject=subject)
    assert list(named(rows)) == [
        "fp32 gather, cpu",
        "fp32 gather, openvino",
        "fp32 gather, openvino:precision=bf16",
        "fp32 gather, openvino, 1 thread",
        "fp32 gather, openvino:precision=bf16, 1 thread",
    ]


def test_it_counts_and_says_how_long_is_left(search) -> None:
    _, trials, told = search({})
    counts = [notice for notice in told if notice.text == "tuning"]
    assert [notice.done for notice in counts] == list(range(len(trials.asked)))
    assert all(notice.done < notice.total for notice in counts)
    assert any(" left)" in notice.text for notice in told)
