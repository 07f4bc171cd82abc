"""``locoexport inspect``, on our own files and on foreign ones."""

import json
from pathlib import Path

import onnx
import onnx.parser
import pytest

FOREIGN = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[n,2,4,4] x, float[n,3,3,2] grid) => (float[a,b,c,d] y)
{ y = GridSample<mode = "linear">(x, grid) }
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.onnx"
    onnx.save(onnx.parser.parse_model(FOREIGN), path)
    return path


def test_our_own_file(run, exported) -> None:
    finished = run("inspect", exported)
    assert (finished.code, finished.stderr) == (0, "")
    for said in ("b0-tiny", "video_input float32 (1, 3, 64, 64, 3)", "transformer", "GridSample"):
        # The forecast for other providers may name operators that this file does not have.
        assert (said in finished.stdout.split("webgpu")[0]) is (said != "GridSample")
    assert "unresolved" not in finished.stdout
    assert "locoexport.weights" in finished.stdout


def test_document_of_our_own_file(run, exported) -> None:
    finished = run("inspect", exported, "--json", "-")
    document = json.loads(finished.stdout)
    assert document["schema"] == "locoexport.inspect/1"
    assert document["costs"]["flops"]["complete"]
    assert document["costs"]["flops"]["total"] > 10**8
    assert document["costs"]["peak_activations"]["complete"]
    assert document["costs"]["unresolved_nodes"] == []
    by_part = document["costs"]["flops"]["by_part"]
    assert sum(part["value"] for part in by_part) == document["costs"]["flops"]["total"]
    assert {part["iteration"] for part in by_part} == {None, 0, 1, 2, 3}


def test_findings_leave_the_exit_code_alone_unless_strict(run, foreign) -> None:
    finished = run("inspect", foreign)
    assert finished.code == 0
    assert "gridsample-mode-spelling" in finished.stdout
    assert "still open" in finished.stdout
    assert run("inspect", foreign, "--strict").code == 1


def test_strict_passes_where_nothing_worse_than_an_info_is_found(run, exported) -> None:
    assert run("inspect", exported, "--strict").code == 0


def test_axes_of_a_foreign_file(run, foreign) -> None:
    finished = run("inspect", foreign, "--axis", "n=3", "--json", "-")
    costs = json.loads(finished.stdout)["costs"]
    assert (costs["axes"], costs["unbound_axes"]) == ({"n": 3}, [])
    assert costs["peak_activations"]["size_bytes"] == 4 * 3 * (2 * 16 + 9 * 2 + 2 * 9)


def test_document_in_a_file(run, foreign, tmp_path) -> None:
    finished = run("inspect", foreign, "--json", tmp_path / "facts.json")
    assert "opset" in finished.stdout
    assert json.loads((tmp_path / "facts.json").read_text())["opsets"] == {"ai.onnx": 20}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--axis", "n"], "expected NAME=SIZE"),
        (["--axis", "n=0"], "expected NAME=SIZE"),
        (["--axis", "m=3"], "no open axis 'm'; its open axes are n"),
        (["--frames", "8"], "no open axis 'frames'"),
        (["--frames", "0"], "'--frames'"),
        (["--json", "/nowhere/facts.json"], "/nowhere does not exist"),
    ],
)
def test_wrong_use(run, foreign, arguments, says) -> None:
    finished = run("inspect", foreign, *arguments)
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_damaged_file(run, tmp_path, content) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    finished = run("inspect", path, "--json", "-")
    assert (finished.code, finished.stdout) == (2, "")
    assert "bad.onnx" in finished.stderr


def test_without_onnx(run, foreign, monkeypatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "onnx" else real(name)
    )
    finished = run("inspect", foreign)
    assert finished.code == 3
    assert "pip install 'locoexport[inspect]'" in finished.stderr


BOMB = """
<ir_version: 8, opset_import: ["" : 17, "d" : 1]>
g (float[1] x) => (float[1] y) { y = d.f40(x) }
<domain: "d", opset_import: ["" : 17]> f0 (a) => (b) { b = Identity(a) }
"""
DOUBLING = """
<domain: "d", opset_import: ["" : 17, "d" : 1]> f{0} (a) => (b) {{ t = d.f{1}(a)
b = d.f{1}(t) }}
"""


@pytest.mark.parametrize("command", ["inspect", "rewrite"])
def test_functions_that_double_are_counted_and_refused(run, tmp_path, command: str) -> None:
    text = BOMB + "".join(DOUBLING.format(level, level - 1) for level in range(1, 41))
    onnx.save(onnx.parser.parse_model(text), tmp_path / "bomb.onnx")
    output = ["-o", tmp_path / "o.onnx"] if command == "rewrite" else []
    finished = run(command, tmp_path / "bomb.onnx", *output)
    assert (finished.code, finished.stdout) == (2, "")
    assert "bomb.onnx has 1,099,511,627," in finished.stderr
    assert "LOCOEXPORT_MAX_GRAPH_NODES" in finished.stderr


@pytest.mark.parametrize("name", ["a" * 300 + ".onnx", "none.onnx", "."])
@pytest.mark.parametrize("command", ["inspect", "rewrite"])
def test_names_that_are_no_model_file(run, tmp_path, command: str, name: str) -> None:
    output = ["-o", tmp_path / "o.onnx"] if command == "rewrite" else []
    finished = run(command, f"{tmp_path}/{name}", *output)
    assert finished.code == 2
    assert "There is no model file" in finished.stderr


def test_text_shows_a_hundred_lines_and_json_all(run, tmp_path) -> None:
    model = onnx.parser.parse_model(FOREIGN)
    onnx.helper.set_model_props(model, {f"key{number}": "v" for number in range(1000)})
    onnx.save(model, tmp_path / "many.onnx")
    finished = run("inspect", tmp_path / "many.onnx")
    assert "key99" in finished.stdout
    assert "key100" not in finished.stdout
    assert "and 900 more entries of metadata" in finished.stdout
    document = json.loads(run("inspect", tmp_path / "many.onnx", "--json", "-").stdout)
    assert len(document["metadata"]) == 1000
