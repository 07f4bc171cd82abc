"""The tables of "How it was tried": outcomes by opset, reasons, and what is refused for nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from node_suite import Attempt
from rewrite_suite import DOCS, describe_networks, describe_nodes
from volumetric_exports import EXPORTS, Verdict


def test_outcomes_are_counted_by_opset_and_reasons_by_kind() -> None:
    text = describe_nodes(
        [
            Attempt("a", 22, None, "gather", "unchanged"),
            Attempt("a", 22, 16, "gather", "right", detail="as the test expects"),
            Attempt("b", 22, 16, "gather", "refused", "an operator is newer", "no BitCast"),
            Attempt("b", 22, 17, "gather", "refused", "the proof failed", "x", in_truth="right"),
        ]
    )
    assert "4 rewrites of 2 node tests" in text
    assert "| right | 0 | 1 | 0 | 0 | 0 | 0 |" in text
    assert "| refused | 0 | 1 | 1 | 0 | 0 | 0 |" in text
    assert "| wrong | 0 | 0 | 0 | 0 | 0 | 0 |" in text
    assert "Refused although the rewritten model is right: 1." in text
    assert "| refused | an operator is newer | 1 |" in text


def test_a_network_that_is_not_here_is_listed() -> None:
    right = Verdict("one", EXPORTS[0], "gather", None, "right")
    wrong = Verdict("one", EXPORTS[0], "planar", 16, "wrong")
    text = describe_networks({"one": ([right, wrong], ""), "two": ([], "monai is not installed")})
    assert "2 rewrites" in text
    assert "| one | 1 | 0 | 0 | 1 | – |" in text
    assert "| two | 0 | 0 | 0 | 0 | monai is not installed |" in text


@pytest.mark.parametrize("what", ["nodes", "networks"])
def test_the_page_has_a_place_for_both(what: str) -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert page.index(f"<!-- {what}: begin -->") < page.index(f"<!-- {what}: end -->")
