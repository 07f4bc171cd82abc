"""benchmarks/provider_matrix.py: progress, a failing row, an interrupt, and what is written."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from locoexport.contract.profile import load_profile

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "provider_matrix.py"


@pytest.fixture
def matrix(monkeypatch, tmp_path):
    """The script as a module that writes into a folder of the test's and finds two providers."""
    monkeypatch.syspath_prepend(SCRIPT.parent)  # as a script finds its neighbours
    spec = importlib.util.spec_from_file_location("provider_matrix", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = tmp_path / "docs" / "providers.md"
    page.parent.mkdir()
    page.write_text(f"before\n{module.BEGIN}\nold\n{module.END}\nafter\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "Variant", lambda name, folder: name)
    monkeypatch.setattr(module, "require_quiet", lambda shares, figures, name: None)
    machine = module.describe_machine(0) | {"working": ["cpu", "openvino"]}
    monkeypatch.setattr(module, "describe_machine", lambda rounds: {**machine, "rows": []})
    return module


def measured(**more) -> dict:
    return {
        "bytes": 6_400_000,
        "px": 1e-3,
        "logits": 1e-4,
        "apart": 0,
        "within": True,
        "placement": {"cpu": 9},
        "elsewhere": [],
        "p50_px": 1e-5,
        "p99_px": 2e-5,
        "max_px": 3e-5,
        "flips": 0,
        "compared": 9,
        "ms": None,
        "cpu_fp32_ms": None,
        "ratio": None,
        **more,
    }


def run(matrix, monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["provider_matrix.py", "--docs", *arguments])
    with pytest.raises(SystemExit) as ended:
        matrix.main()
    return int(ended.value.code)


def test_a_failing_row_does_not_take_the_others_with_it(matrix, monkeypatch, tmp_path, capsys):
    def one_row(variant, precision, provider, rounds, tell):
        if (precision, provider) == ("fp16", "openvino"):
            raise RuntimeError("broke |\n here")
        return measured()

    monkeypatch.setattr(matrix, "one_row", one_row)
    assert run(matrix, monkeypatch, "--variants", "b0-tiny,b0") == 1
    document = json.loads((tmp_path / "docs" / "providers.json").read_text())
    assert document["complete"] is True
    keys = [(row["variant"], row["precision"], row["provider"]) for row in document["rows"]]
    assert keys == [
        (variant, precision, provider)
        for variant in ("b0-tiny", "b0")
        for precision in ("fp32", "fp16", "int8")
        for provider in ("cpu", "openvino")
    ]
    assert [row["error"] for row in document["rows"] if row["error"]] == [
        "RuntimeError: broke | here"
    ] * 2
    page = (tmp_path / "docs" / "providers.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "| b0 | fp16 | openvino | **failed**: RuntimeError: broke \\| here |" in page
    assert "| b0 | int8 | openvino | 6.4 | 1.0e-03 |" in page
    columns = {line.count("|") - line.count("\\|") for line in page.splitlines() if line[:1] == "|"}
    assert len(columns) == 1
    assert "rows are missing" not in page
    assert "b0 int8 on openvino: p99 2.0e-05 px" in capsys.readouterr().err


def test_an_interrupt_keeps_what_was_measured(matrix, monkeypatch, tmp_path):
    def one_row(variant, precision, provider, rounds, tell):
        if precision == "int8":
            raise KeyboardInterrupt
        return measured()

    monkeypatch.setattr(matrix, "one_row", one_row)
    assert run(matrix, monkeypatch, "--variants", "b0-tiny") == 130
    document = json.loads((tmp_path / "docs" / "providers.json").read_text())
    assert document["complete"] is False
    assert len(document["rows"]) == 4
    assert "rows are missing" in (tmp_path / "docs" / "providers.md").read_text()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_precision_says_all_that_lowering_needs(matrix, precision) -> None:
    profile = matrix.in_precision(load_profile("b0-tiny"), precision)
    assert profile.precision == precision
    assert (profile.integer_form is not None) == (precision == "int8")
