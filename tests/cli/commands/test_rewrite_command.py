"""``locoexport rewrite``: files in, files out, exit codes and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

SHAPES = ([1, 2, 4, 7, 5], [1, 3, 4, 6, 3])


def model(mode="linear", weight=None):
    nodes = [helper.make_node("GridSample", ["volume", "grid"], ["s"], mode=mode, name="sample")]
    initializers = []
    if weight is not None:
        nodes.append(helper.make_node("Add", ["s", "weight"], ["y"], name="add"))
        initializers = [numpy_helper.from_array(weight, "weight")]
    else:
        nodes.append(helper.make_node("Relu", ["s"], ["y"], name="relu"))
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info("volume", TensorProto.FLOAT, SHAPES[0]),
            helper.make_tensor_value_info("grid", TensorProto.FLOAT, SHAPES[1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "in.onnx"
    onnx.save(model(), path)
    return path


def outputs(path: Path) -> np.ndarray:
    random = np.random.default_rng(0)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = {
        "volume": random.standard_normal(SHAPES[0], dtype=np.float32),
        "grid": random.uniform(-2, 2, SHAPES[1]).astype(np.float32),
    }
    return session.run(None, given)[0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("to", ["gather", "planar"])
def test_a_file_becomes_an_equal_file(to, source, run):
    target = source.with_name("out.onnx")
    finished = run("rewrite", source, "-o", target, "--to", to, "--opset", "17")
    assert finished.code == 0
    assert "PASS" in finished.stdout
    assert "1× GridSample" in finished.stdout
    assert "opset       20 -> 17" in finished.stdout
    assert "IR version  10 -> 8" in finished.stdout
    np.testing.assert_allclose(outputs(target), outputs(source), atol=2e-5)
    written = onnx.load(target)
    assert [entry.version for entry in written.opset_import] == [17]
    assert names(source.parent) == ["in.onnx", "out.onnx"]


def test_json_alone_on_stdout(source, run):
    finished = run("rewrite", source, "-o", source.with_name("out.onnx"), "--json", "-")
    document = json.loads(finished.stdout)
    assert document["schema"] == "locoexport.rewrite/1"
    assert document["passed"] is True
    assert document["changed"] is True
    assert document["opset"] == {"before": 20, "after": 20}
    (node,) = document["rewritten"]
    assert node["node"] == "sample"
    assert node["before"].startswith("GridSample of rank 5, linear, zeros")
    assert node["after"] == "gather"
    assert node["nodes_added"] == document["nodes"]["after"] - document["nodes"]["before"]
    assert 0 <= node["proof"]["worst_error"] <= node["proof"]["tolerance"]["worst"] == 2e-5


def test_nothing_to_do_is_the_same_bytes(source, run):
    once, twice = source.with_name("once.onnx"), source.with_name("twice.onnx")
    assert run("rewrite", source, "-o", once).code == 0
    finished = run("rewrite", once, "-o", twice)
    assert finished.code == 0
    assert "nothing to do" in finished.stdout
    assert once.read_bytes() == twice.read_bytes()


def test_the_same_input_makes_the_same_bytes(source, run):
    for name in ("a.onnx", "b.onnx"):
        assert run("rewrite", source, "-o", source.with_name(name), "--no-check").code == 0
    assert source.with_name("a.onnx").read_bytes() == source.with_name("b.onnx").read_bytes()


@pytest.fixture
def in_this_process(monkeypatch):
    """The work of a rewrite where a test can change it, and not in a child."""

    def run_here(function, *arguments, notify=None, **limits):
        return function(*arguments, **({} if notify is None else {"notify": notify}))

    monkeypatch.setattr("locoexport.pipeline.rewrite.run_bounded", run_here)


@pytest.mark.usefixtures("in_this_process")
def test_a_failed_proof_is_exit_1_and_no_file(source, run, monkeypatch):
    from dataclasses import replace

    from locoexport.lowering.volumetric.proof import prove_sample
    from locoexport.pipeline.rewriting import proof as rewrite_proof

    monkeypatch.setattr(
        rewrite_proof,
        "prove_sample",
        lambda sample, opset: replace(prove_sample(sample, opset), worst_error=0.5),
    )
    finished = run("rewrite", source, "-o", source.with_name("out.onnx"), "--json", "-")
    assert finished.code == 1
    assert json.loads(finished.stdout)["passed"] is False
    assert json.loads(finished.stdout)["file"] is None
    assert "0.5 apart" in finished.stderr
    assert names(source.parent) == ["in.onnx"]


@pytest.mark.usefixtures("in_this_process")
def test_a_result_that_is_not_loaded_is_exit_1_and_no_file(source, run, monkeypatch):
    from locoexport.lowering.volumetric import grid_sample as volumetric

    def broken(draft, sample, volume, grid):
        return draft.op("Reshape", draft.op("Neg", volume), draft.integers(7, 7))

    monkeypatch.setitem(volumetric._WRITERS, "gather", broken)
    finished = run("rewrite", source, "-o", source.with_name("out.onnx"))
    assert finished.code == 1
    assert names(source.parent) == ["in.onnx"]


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (b"", "not an ONNX model"),
        (b"\x00\x01 this is no model", "model"),
        (b"PK\x03\x04" * 100, "model"),
    ],
)
def test_other_files_are_refused(contents, says, tmp_path, run):
    path = tmp_path / "in.onnx"
    path.write_bytes(contents)
    finished = run("rewrite", path, "-o", tmp_path / "out.onnx")
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr
    assert names(tmp_path) == ["in.onnx"]


def test_a_model_cut_short_is_refused(source, run):
    source.write_bytes(source.read_bytes()[:-20])
    finished = run("rewrite", source, "-o", source.with_name("out.onnx"))
    assert finished.code == 2
    assert names(source.parent) == ["in.onnx"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--opset", "15"], "expected 16 to 20"),
        (["--opset", "21"], "expected 16 to 20"),
        (["--pass", "nope"], "There is no pass 'nope'"),
        (["--pass", "opset"], "pass --opset N as well"),
        (["--to", "native"], "--to"),
        (["--json", "no/report.json"], "The folder"),
    ],
)
def test_wrong_use(options, says, source, run):
    finished = run("rewrite", source, "-o", source.with_name("out.onnx"), *options)
    assert (finished.code, finished.stdout) == (2, "")
    assert says in finished.stderr
    assert names(source.parent) == ["in.onnx"]


def test_outputs_that_must_not_be_written(source, run):
    before = source.read_bytes()
    assert run("rewrite", source, "-o", source).code == 2
    assert run("rewrite", source, "-o", source.parent / "no" / "out.onnx").code == 2
    assert run("rewrite", source.with_name("none.onnx"), "-o", source.with_name("o.onnx")).code == 2
    assert source.read_bytes() == before
    assert names(source.parent) == ["in.onnx"]
    assert run("rewrite", source, "-o", source, "--force").code == 2
    assert source.read_bytes() == before


def test_cubic_is_bad_input(tmp_path, run):
    onnx.save(model("cubic"), tmp_path / "in.onnx")
    finished = run("rewrite", tmp_path / "in.onnx", "-o", tmp_path / "out.onnx")
    assert finished.code == 2
    assert "undefined" in finished.stderr


@pytest.fixture
def with_data(tmp_path) -> Path:
    """A model whose weight lies in a file of its own."""
    folder = tmp_path / "from"
    folder.mkdir()
    weight = np.random.default_rng(1).standard_normal((1, 2, 3, 4, 6), dtype=np.float32)
    onnx.save(
        model(weight=weight),
        folder / "in.onnx",
        save_as_external_data=True,
        location="in.data",
        size_threshold=0,
    )
    return folder / "in.onnx"


def test_external_data_beside_the_model_is_shared(with_data, run):
    data = with_data.with_name("in.data").read_bytes()
    target = with_data.with_name("out.onnx")
    assert run("rewrite", with_data, "-o", target).code == 0
    assert names(with_data.parent) == ["in.data", "in.onnx", "out.onnx"]
    assert with_data.with_name("in.data").read_bytes() == data
    np.testing.assert_allclose(outputs(target), outputs(with_data), atol=2e-5)


def test_links_of_a_cache_are_followed_and_their_files_go_along(with_data, tmp_path, run):
    # As Hugging Face keeps a repository: model and data are links into a folder of hashes.
    blobs, snapshot, folder = (tmp_path / "hub" / name for name in ("blobs", "snapshots/1", "to"))
    for made in (blobs, snapshot, folder):
        made.mkdir(parents=True)
    for number, name in enumerate(("in.onnx", "in.data")):
        with_data.with_name(name).rename(blobs / f"a{number}")
        (snapshot / name).symlink_to(f"../../blobs/a{number}")
    assert run("inspect", snapshot / "in.onnx").code == 0
    beside = run("rewrite", snapshot / "in.onnx", "-o", snapshot / "out.onnx")
    assert (beside.code, names(snapshot)) == (2, ["in.data", "in.onnx"])
    assert "Pass --single-file or --external-data NAME, or name an output in" in beside.stderr
    assert (
        run("rewrite", snapshot / "in.onnx", "-o", snapshot / "out.onnx", "--single-file").code == 0
    )
    np.testing.assert_allclose(
        outputs(snapshot / "out.onnx"), outputs(snapshot / "in.onnx"), atol=2e-5
    )
    assert run("rewrite", snapshot / "in.onnx", "-o", folder / "out.onnx").code == 0
    assert not (folder / "in.data").is_symlink()
    assert (folder / "in.data").read_bytes() == (blobs / "a1").read_bytes()


def test_nothing_behind_a_link_to_elsewhere_is_copied(with_data, tmp_path, run):
    with_data.with_name("in.data").rename(tmp_path / "secret.txt")
    with_data.with_name("in.data").symlink_to(tmp_path / "secret.txt")
    folder = tmp_path / "to"
    folder.mkdir()
    finished = run("rewrite", with_data, "-o", folder / "out.onnx")
    assert finished.code == 2
    assert "in.onnx: The model's external data 'in.data' is a link to" in finished.stderr
    assert names(folder) == []


def test_external_data_goes_along_to_another_folder(with_data, tmp_path, run):
    folder = tmp_path / "to"
    folder.mkdir()
    target = folder / "out.onnx"
    assert run("rewrite", with_data, "-o", target).code == 0
    assert names(folder) == ["in.data", "out.onnx"]
    np.testing.assert_allclose(outputs(target), outputs(with_data), atol=2e-5)
    finished = run("rewrite", with_data, "-o", folder / "other.onnx")
    assert finished.code == 2
    assert "in.data, which exists already" in finished.stderr
    assert names(folder) == ["in.data", "out.onnx"]


def test_external_entries_survive_one_by_one(tmp_path, run):
    """Names, locations, offsets and lengths, in bodies too; data goes along byte for byte."""
    source, folder = tmp_path / "in.onnx", tmp_path / "to"
    (folder / "weights").mkdir(parents=True)
    (tmp_path / "weights").mkdir()
    built = model()
    random = np.random.default_rng(3)
    files: dict[str, bytes] = {"weights/a.bin": b"\0" * 4096, "b.bin": b"\0" * 64}

    def external(name: str, location: str) -> onnx.TensorProto:
        tensor = numpy_helper.from_array(
            random.standard_normal((1, 2, 3, 4, 6), dtype=np.float32), name
        )
        contents = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entries = {"location": location, "offset": len(files[location]), "length": len(contents)}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        files[location] += contents
        return tensor

    for name, location in (("w0", "weights/a.bin"), ("w1", "b.bin"), ("w2", "weights/a.bin")):
        built.graph.initializer.append(external(name, location))
    value = helper.make_tensor_value_info
    branches = {
        side: helper.make_graph(
            [helper.make_node("Mul", ["s", f"in_{side}"], [side])],
            side,
            [],
            [value(side, TensorProto.FLOAT, None)],
            initializer=[external(f"in_{side}", "b.bin")],
        )
        for side in ("then_branch", "else_branch")
    }
    built.graph.node[1].output[0] = "r"
    built.graph.node.extend(
        [
            helper.make_node(
                "Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))
            ),
            helper.make_node("If", ["yes"], ["i"], **branches),
            helper.make_node("Sum", ["r", "w0", "w1", "w2", "i"], ["y"]),
        ]
    )
    source.write_bytes(built.SerializeToString())
    for location, contents in files.items():
        (tmp_path / location).write_bytes(contents)

    def entries(path: Path) -> list[tuple[object, ...]]:
        graph = onnx.load(path, load_external_data=False).graph
        bodies = [a.g for n in graph.node for a in n.attribute if a.HasField("g")]
        return [
            (tensor.name, [(entry.key, entry.value) for entry in tensor.external_data])
            for one in (graph, *bodies)
            for tensor in one.initializer
        ]

    for target in (tmp_path / "out.onnx", folder / "out.onnx"):
        assert run("rewrite", source, "-o", target, "--opset", "17").code == 0
        assert entries(target) == entries(source)
        np.testing.assert_allclose(outputs(target), outputs(source), atol=2e-5)
    for location, contents in files.items():
        assert (folder / location).read_bytes() == contents
    assert names(folder) == ["b.bin", "out.onnx", "weights"]


def test_missing_and_short_external_data(with_data, run):
    data = with_data.with_name("in.data")
    data.write_bytes(data.read_bytes()[:-4])
    finished = run("rewrite", with_data, "-o", with_data.with_name("out.onnx"))
    assert finished.code == 2
    assert "cut short" in finished.stderr
    data.unlink()
    finished = run("rewrite", with_data, "-o", with_data.with_name("out.onnx"))
    assert finished.code == 2
    assert "is missing" in finished.stderr
    assert names(with_data.parent) == ["in.onnx"]


def test_external_data_outside_the_folder_is_refused(with_data, run):
    found = onnx.load(with_data, load_external_data=False)
    for entry in found.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../from/in.data"
    onnx.save(found, with_data)
    finished = run("rewrite", with_data, "-o", with_data.with_name("out.onnx"))
    assert finished.code == 2
    assert "outside its folder" in finished.stderr


def test_help_and_the_package_import_neither_torch_nor_onnx():
    code = (
        "import sys, locoexport\n"
        "from locoexport.cli import main\n"
        "sys.argv = ['locoexport', 'rewrite', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "bad = {'torch', 'onnx', 'onnx_ir', 'onnxruntime'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
