"""``locoexport package`` as a command."""

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--frames", "2,24"], 2, "--frames is MIN,OPT,MAX"),
        (["--points", "9,2,3"], 2, "MIN <= OPT <= MAX"),
        (["--max-batch", "0"], 2, "max_batch is 0"),
        (["--tensorrt", "--device", "cpu"], 2, "TensorRT runs on a GPU"),
        (["--name", "a/b"], 2, "A model is named by"),
        (["--device", "tpu"], 2, "tpu"),
    ],
)
def test_wrong_use(arguments, code: int, says: str, run, make_model, tmp_path: Path) -> None:
    finished = run("package", make_model(), "--triton", tmp_path / "repo", *arguments)
    assert (finished.code, finished.stdout) == (code, "")
    assert says in finished.stderr
    assert not (tmp_path / "repo").exists()


def test_the_command(run, make_model, tmp_path: Path) -> None:
    finished = run("package", make_model(), "--triton", tmp_path / "repo", "--json", "-")
    assert finished.code == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert document["schema"] == "locoexport.package/1"
    assert document["models"] == ["locotrack_b0_tiny"]
    again = run("package", tmp_path / "model.onnx", "--triton", tmp_path / "repo")
    assert again.code == 2
    assert "pass --force" in again.stderr
    missing = run("package", make_model("b.onnx"), "--triton", tmp_path / "no" / "repo")
    assert "does not exist; make it first" in missing.stderr


def test_the_command_for_openvino(run, make_model, tmp_path: Path) -> None:
    arguments = (make_model(), "--openvino-ms", tmp_path / "models", "--json", "-")
    finished = run("package", *arguments)
    assert finished.code == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert (document["server"], document["models"]) == ("openvino", ["locotrack_b0_tiny"])
    for wrong in ([], ["--triton", tmp_path / "a", "--openvino-ms", tmp_path / "b"]):
        neither = run("package", tmp_path / "model.onnx", *wrong)
        assert neither.code == 2
        assert "--triton or --openvino-ms" in neither.stderr
    tensorrt = run("package", *arguments[:3], "--tensorrt", "--force")
    assert (tensorrt.code, "is Triton's" in tensorrt.stderr) == (2, True)
