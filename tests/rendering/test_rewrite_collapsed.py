"""Hundreds of nodes that became the same are one row; what differs has a row of its own."""

import io
from dataclasses import replace

import onnx
from rich.console import Console

from locoexport.lowering.proof.tolerance import ProofTolerance
from locoexport.lowering.proof.trials import CutOutProof
from locoexport.pipeline.rewriting.report import NodeRewrite, RewriteReport
from locoexport.rendering.rewrite import rewrite_document, rewrite_text

PROOF = CutOutProof(1e-7, ProofTolerance(2e-5, "measured"), (), 1_000, "ONNX Runtime CPU")


def gelu(number: int, worst_error: float = 1e-7) -> NodeRewrite:
    proof = replace(PROOF, worst_error=worst_error)
    return NodeRewrite(f"/layer.{number}/Gelu", "newer-operators", "Gelu", "Erf, Mul", 7, proof)


def report(*nodes: NodeRewrite) -> RewriteReport:
    counts = (20, 17, 2_000, 2_000 + 7 * len(nodes))
    return RewriteReport(onnx.ModelProto(), ("opset",), "gather", nodes, (), *counts, 1.0)


def shown(found: RewriteReport, *, verbose: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(rewrite_text(found, verbose=verbose))
    return console.file.getvalue().splitlines()


def test_equal_rows_are_one_with_their_count_and_the_worst() -> None:
    found = report(*(gelu(number, 1e-8 * number) for number in range(300)))
    lines = shown(found)
    (row,) = (line for line in lines if "Gelu" in line)
    assert row.split() == ["300×", "Gelu", "Erf,", "Mul", "+2100", "3.0e-06", "2e-05", "PASS"]


def test_one_that_failed_is_apart_and_named() -> None:
    found = report(*(gelu(number) for number in range(299)), gelu(299, 1e-3))
    rows = [line.split() for line in shown(found) if "Gelu" in line]
    assert rows == [
        ["299×", "Gelu", "Erf,", "Mul", "+2093", "1.0e-07", "2e-05", "PASS"],
        ["1×", "Gelu", "Erf,", "Mul", "+7", "1.0e-03", "2e-05", "FAIL"],
        ["failed", *["/layer.299/Gelu:", "0.001", "apart,", "allowed", "2e-05"]],
    ]
    assert any(line.startswith("FAIL") and "300,000 values" in line for line in shown(found))


def test_one_that_is_not_proven_says_why() -> None:
    unproven = replace(gelu(1), proof=None, unproven="the rank of its input is unknown")
    lines = shown(report(gelu(0), unproven, replace(unproven, node="/layer.2/Gelu")))
    assert [line.split()[0] for line in lines if line.endswith("not proven")] == ["2×"]
    assert "not proven  /layer.1/Gelu: the rank of its input is unknown; 1 more" in lines


def test_verbose_and_json_have_every_node() -> None:
    found = report(*map(gelu, range(300)))
    assert len([line for line in shown(found) if "each node" in line]) == 1
    lines = shown(found, verbose=True)
    assert len([line for line in lines if line.startswith("/layer.")]) == 300
    assert not [line for line in lines if "each node" in line]
    assert len(rewrite_document(found)["rewritten"]) == 300


def test_an_operator_read_anew_keeps_its_own_count() -> None:
    nodes = [
        NodeRewrite(f"{count}× {name}", "opset", "version 19", "version 14", 0, PROOF)
        for count, name in ((402, "Reshape"), (53, "Cast"))
    ]
    rows = [line.split()[:4] for line in shown(report(*nodes)) if "version" in line]
    assert rows == [["402×", "Reshape", "version", "19"], ["53×", "Cast", "version", "19"]]
