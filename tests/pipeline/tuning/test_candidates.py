"""What is tried: forms of the graph, precisions by part, runtimes, threads."""

import pytest

from locoexport.contract.profile import load_profile
from locoexport.pipeline.tuning import candidates
from locoexport.pipeline.tuning.candidates import Candidate, Form

PROFILE = load_profile("b0-tiny")


def test_forms_are_the_usual_one_and_one_change_each() -> None:
    names = [form.name for form in candidates.graph_forms(PROFILE)]
    assert names == [
        "fp32 gather",
        "fp32 planar",
        "fp32 gather no shared-correlation",
        "fp32 gather no group-norm-products",
        "fp32 gather no heatmap-columns",
        "fp32 gather no frame-scan",
    ]


def test_what_the_profile_leaves_out_stays_out() -> None:
    profile = PROFILE.with_options(without=("frame-scan",))
    forms = candidates.graph_forms(profile)
    assert all("frame-scan" in form.without for form in forms)
    assert len({form.without for form in forms}) == 4


def test_every_form_is_a_profile_that_can_be_exported() -> None:
    from locoexport.rewrites import select_rewrites

    for form in candidates.graph_forms(PROFILE):
        applied = form.applied_to(PROFILE)
        assert (applied.sampling, applied.without) == (form.sampling, form.without)
        assert not set(form.without) & {each.name for each in select_rewrites(applied)}


@pytest.mark.parametrize("bits", [7, 8])
def test_int8_goes_part_by_part_on_a_processor(bits: int, monkeypatch) -> None:
    monkeypatch.setattr(candidates, "weight_bits_here", lambda: bits)
    found = candidates.precision_candidates(Form("gather"), "cpu", [])
    assert [candidate.name for candidate in found] == [
        "int8 transformer gather, cpu",
        "int8 transformer+cmdtop gather, cpu",
        "int8 transformer+cmdtop+encoder gather, cpu",
    ]
    assert {c.form.integer_form.weight_bits for c in found if c.form.integer_form} == {bits}


def test_float16_is_for_gpus() -> None:
    for provider in ("cuda", "openvino:device=GPU"):
        found = candidates.precision_candidates(Form("planar"), provider, [])
        assert [candidate.name for candidate in found] == [f"fp16 planar, {provider}"]


def test_openvino_lowers_by_itself_too() -> None:
    (cpu, openvino) = candidates.runtimes_of(["cpu", "openvino"])
    assert (cpu[1], openvino[1]) == ([], ["openvino:precision=bf16"])
    found = candidates.precision_candidates(Form("gather"), *openvino)
    assert found[0] == Candidate(Form("gather"), "openvino:precision=bf16")
    assert len(found) == 4
    assert candidates.runtimes_of(["openvino:precision=bf16"]) == [("openvino:precision=bf16", [])]


@pytest.mark.parametrize(
    ("cores", "usual", "counts"),
    [
        (1, 1, []),
        (2, 2, [1]),
        (4, 2, [1, 3, 4]),
        (12, 6, [1, 2, 3, 4, 8, 12]),
    ],
)
def test_threads_go_from_one_to_all_cores(monkeypatch, cores, usual, counts) -> None:
    monkeypatch.setattr(candidates, "usable_cores", lambda: cores)
    monkeypatch.setattr(candidates, "usable_threads", lambda: usual)
    assert candidates.thread_counts() == counts


def test_a_thread_is_told() -> None:
    assert Candidate(Form("gather"), "cpu", 1).name == "fp32 gather, cpu, 1 thread"
    assert Candidate(Form("gather"), "cpu", 4).name == "fp32 gather, cpu, 4 threads"
